"""The classifiers in the order they are asked: rules, the embedded model, and Bedrock where it is
worth its price and may be asked.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.adapters.bedrock_classifier import (
    AnswerRefused,
    BedrockClassifier,
    ModelUnavailable,
    as_written,
)
from shared.adapters.bedrock_prompt import MOST_ENTITIES
from shared.adapters.clock import SystemClock
from shared.adapters.embedded_classifier import MODEL, EmbeddedClassifier
from shared.adapters.metered_classifier import UNREACHABLE, MeteredClassifier
from shared.adapters.rule_classifier import RuleClassifier
from shared.adapters.urgency_rules import RANK
from shared.adapters.words_classifier import WordsClassifier
from shared.domain.ai_use import AiUseName, AiUseState, Refusal, Unavailable
from shared.domain.classification import Classification, FellBack, Sentiment, Urgency
from shared.domain.touchpoint import Channel
from shared.policies.reader import Policies, read_policies
from shared.ports.providers import Clock
from shared.ports.understanding import AiUses, Classifier, Masker
from shared.runtime.observability import count, logger

EMBEDDED = AiUseName.EMBEDDED_CLASSIFICATION
BEDROCK = AiUseName.BEDROCK_CLASSIFICATION
States = Mapping[AiUseName, AiUseState]


def tell_refused(ai_use: AiUseName, reason: str) -> None:
    """What a model answered in vain, without its words."""
    logger().warning("ai_answer_refused", extra={"ai_use": ai_use, "reason": reason})
    count("AiAnswersRefused", ai_use=ai_use)


class CascadingClassifier:
    """Bedrock is asked only when the embedded answer is unsure or critical, and its absence never
    stops a message.
    """

    def __init__(
        self,
        rules: RuleClassifier,
        words: WordsClassifier,
        embedded: Classifier,
        bedrock: MeteredClassifier | None,
        ai_uses: AiUses | None,
        tell: Callable[[AiUseName, str], None] = tell_refused,
    ) -> None:
        """Without `ai_uses` nothing can be switched off."""
        self._rules = rules
        self._words = words
        self._embedded = embedded
        self._bedrock = bedrock
        self._ai_uses = ai_uses
        self._tell = tell

    def classify(
        self,
        text: str,
        *,
        language: str | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Sequence[str] = (),
    ) -> Classification:
        decided = self._rules.classify(text, language=language, channel=channel, at=at, names=names)
        if decided is not None:
            return decided
        states = self._states()
        if states is not None and not states[EMBEDDED].is_on:
            # It is the embedded answer that says whether a paid one is worth asking for.
            said = self._words.classify(
                text, language=language, channel=channel, at=at, names=names
            )
            return _instead(
                said, f"{EMBEDDED}: {Refusal.SWITCHED_OFF}", EMBEDDED, Unavailable.SWITCHED_OFF
            )
        embedded = self._embedded.classify(
            text, language=language, channel=channel, at=at, names=names
        )
        if self._bedrock is None or not _worth_asking(embedded):
            return embedded
        if states is None:
            reason = "whether AI is switched off could not be read"
            return _instead(embedded, reason, BEDROCK, Unavailable.SWITCH_UNREAD)
        try:
            answer = self._bedrock.ask(text, names, states[BEDROCK])
        except AnswerRefused as refused:
            self._tell(BEDROCK, str(refused))
            return _instead(embedded, str(refused), BEDROCK, refused.why)
        except ModelUnavailable as unavailable:
            return _instead(embedded, str(unavailable), BEDROCK, unavailable.why)
        return _never_calmer(_with_found(answer, embedded), embedded)

    def _states(self) -> States | None:
        """Read for every message, strongly consistent, so that a switch holds at once.

        None where they cannot be read: then the policy counts, by which the embedded model
        classifies, and nothing is spent.
        """
        used = (EMBEDDED, BEDROCK) if self._bedrock is not None else (EMBEDDED,)
        if self._ai_uses is None:
            return {one: AiUseState(ai_use=one) for one in used}
        try:
            return self._ai_uses.states(used)
        except UNREACHABLE as error:
            logger().warning("ai_uses_unread", extra={"error": type(error).__name__})
            return None


def _instead(
    classification: Classification, reason: str, wanted: AiUseName, why: Unavailable
) -> Classification:
    fell_back = FellBack(ai_use=wanted, why=why)
    return classification.model_copy(update={"fell_back_because": reason, "fell_back": fell_back})


def _worth_asking(embedded: Classification) -> bool:
    unsure = embedded.threshold is not None and embedded.intent_confidence < embedded.threshold
    return unsure or embedded.urgency is Urgency.CRITICAL


def _with_found(answer: Classification, embedded: Classification) -> Classification:
    """What the company's own lists and phrases found is no matter of a model's opinion: kinds of
    personal data, which the model did not even see, entities with their values, and dissatisfaction
    that was said politely.
    """
    known = {one.text.casefold() for one in embedded.entities}
    more = tuple(one for one in answer.entities if one.text.casefold() not in known)
    signals = (*embedded.weak_signals, *answer.weak_signals)
    changes: dict[str, object] = {
        "personal_data": embedded.personal_data,
        "summary": answer.summary or embedded.summary,
        "entities": (*embedded.entities, *more)[:MOST_ENTITIES],
        "weak_signals": tuple(dict.fromkeys(signals)),
        "evidence": (
            *answer.evidence,
            *(one for one in embedded.evidence if one.aspect == "weak_signal"),
        ),
    }
    if embedded.weak_signals and answer.sentiment is not Sentiment.NEGATIVE:
        changes |= {
            name: getattr(embedded, name)
            for name in ("sentiment", "sentiment_score", "sentiment_confidence")
        }
    return answer.model_copy(update=changes)


def _never_calmer(answer: Classification, embedded: Classification) -> Classification:
    """What a rule calls urgent stays so, whatever a model was talked into by the text it read."""
    if RANK[embedded.urgency] <= RANK[answer.urgency]:
        return answer
    kept = tuple(one for one in answer.evidence if one.aspect != "urgency")
    return answer.model_copy(
        update={
            "urgency": embedded.urgency,
            "urgency_reasons": embedded.urgency_reasons,
            "evidence": (*kept, *(one for one in embedded.evidence if one.aspect == "urgency")),
        }
    )


def build_classifier(
    bedrock: Callable[[], Any] | None,
    model_id: str,
    policies: Policies | None = None,
    *,
    model: Path = MODEL,
    ai_uses: AiUses | None = None,
    clock: Callable[[], Clock] = SystemClock,
    mask: Masker = as_written,
    tell: Callable[[AiUseName, str], None] = tell_refused,
) -> Classifier:
    """`bedrock` makes the client when it is first needed; None: no model is ever called.

    `model` is the embedded one's file. Nobody may ask a paid model without `ai_uses`, which hold
    its budget.
    """
    policies = policies or read_policies()
    policy, intents = policies.understanding, policies.intents
    metered = None
    if bedrock is not None:
        paid = policies.ai_register[BEDROCK].paid
        if paid is None or ai_uses is None:
            raise ValueError("a paid model needs a budget, and somebody who keeps it")
        asked = BedrockClassifier(
            bedrock, model_id, policy, intents, mask, shows_all=not paid.mask_personal_data
        )
        metered = MeteredClassifier(asked, ai_uses, paid, lambda: clock().now())
    return CascadingClassifier(
        RuleClassifier(policy),
        WordsClassifier(policy, intents),
        EmbeddedClassifier(policy, intents, model),
        metered,
        ai_uses,
        tell,
    )

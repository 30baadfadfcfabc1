"""The classifiers in the order they are asked: rules, the embedded model, and Bedrock where it is
worth its price.
"""

from collections.abc import Callable
from typing import Any

from shared.adapters.bedrock_classifier import BedrockClassifier, ModelUnavailable
from shared.adapters.embedded_classifier import EmbeddedClassifier
from shared.adapters.rule_classifier import RuleClassifier
from shared.adapters.urgency_rules import RANK
from shared.domain.classification import Classification, Urgency
from shared.domain.touchpoint import Channel
from shared.policies.reader import Policies, read_policies
from shared.ports import Classifier


class CascadingClassifier:
    """Bedrock is asked only when the embedded answer is unsure or critical, and its absence never
    stops a message.
    """

    def __init__(
        self, rules: RuleClassifier, embedded: Classifier, bedrock: BedrockClassifier | None
    ) -> None:
        self._rules = rules
        self._embedded = embedded
        self._bedrock = bedrock

    def classify(
        self, text: str, *, language: str | None = None, channel: Channel | None = None
    ) -> Classification:
        decided = self._rules.classify(text, language=language, channel=channel)
        if decided is not None:
            return decided
        embedded = self._embedded.classify(text, language=language, channel=channel)
        if self._bedrock is None or not _worth_asking(embedded):
            return embedded
        try:
            answer = self._bedrock.classify(text, language=language, channel=channel)
        except ModelUnavailable as unavailable:
            return embedded.model_copy(update={"fell_back_because": str(unavailable)})
        return _never_calmer(answer, embedded)


def _worth_asking(embedded: Classification) -> bool:
    unsure = embedded.threshold is not None and embedded.intent_confidence < embedded.threshold
    return unsure or embedded.urgency is Urgency.CRITICAL


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
    bedrock: Callable[[], Any] | None, model_id: str, policies: Policies | None = None
) -> Classifier:
    """`bedrock` makes the client when it is first needed; None: no model is ever called."""
    policies = policies or read_policies()
    policy, intents = policies.understanding, policies.intents
    asked = BedrockClassifier(bedrock, model_id, policy, intents) if bedrock else None
    return CascadingClassifier(RuleClassifier(policy), EmbeddedClassifier(policy, intents), asked)

"""What a touchpoint means: ask the classifiers, weigh the mark a review carries, decide whether
anything is owed.
"""

from datetime import datetime

from shared.domain.classification import UNKNOWN_LANGUAGE, Classification, Evidence
from shared.domain.decision import Decision
from shared.domain.errors import NotFound
from shared.domain.journey import ClassificationStep, JourneyState
from shared.domain.model import ProfileId
from shared.domain.profile import Suppression
from shared.domain.touchpoint import Message, Touchpoint
from shared.domain.understanding import MarkRule, WordRule
from shared.policies.reader import Policies
from shared.ports import Classifier, Clock, Ledger, ProfileStore


def understand(
    step: JourneyState,
    *,
    ledger: Ledger,
    classifier: Classifier,
    profiles: ProfileStore,
    policies: Policies,
    clock: Clock,
) -> ClassificationStep:
    """Classify a touchpoint; teach its profile the language; stop its endpoint where the person
    opted out.

    Done twice, it writes the same again. Raises NotFound for a touchpoint the ledger does not hold.
    """
    entry = ledger.read(step.touchpoint_id)
    if entry is None:
        raise NotFound("there is no such touchpoint")
    touchpoint = entry.touchpoint
    classification = classifier.classify(
        said(touchpoint), language=touchpoint.language, channel=touchpoint.channel
    )
    mark = policies.understanding.marks.rule_for(touchpoint.content)
    if mark is not None:
        classification = weigh_mark(classification, mark, policies)
    rule = policies.understanding.word_rule(_deciding_rule(classification))
    profile_id = entry.profile_id or (step.profile_update and step.profile_update.profile_id)
    if profile_id:
        _learn_language(profile_id, classification, touchpoint, profiles, policies)
    if rule is not None and rule.suppresses:
        _suppress(rule, touchpoint, profiles)
    now = clock.now()
    owed, obligation = decide_obligation(classification, rule, mark, policies, now)
    # Nobody waits for an answer to a thank-you; but the ticket it belongs to, and what was promised
    # "if the customer does not write", must hear of it.
    by_words = rule is None and mark is None
    continues = by_words and classification.intent in policies.routing.continues
    return ClassificationStep(
        classification=classification,
        next_step="ticket_creation" if owed or continues else "nothing",
        decisions=(_classification_decision(classification, now), obligation),
    )


def said(touchpoint: Touchpoint) -> str:
    """The person's own words. A mail's subject counts where it opens an exchange; in a reply it
    only echoes.
    """
    content = touchpoint.content
    if isinstance(content, Message) and content.subject and not content.in_reply_to:
        return f"{content.subject}\n{content.text}"
    return touchpoint.text


def weigh_mark(
    classification: Classification, mark: MarkRule, policies: Policies
) -> Classification:
    """A mark tells the feeling better than words do, and what it is about where the words are
    general or absent.
    """
    evidence = Evidence(aspect="sentiment", words=(), reason=mark.name)
    others = tuple(one for one in classification.evidence if one.aspect != "sentiment")
    changes: dict[str, object] = {
        "sentiment": mark.sentiment,
        "sentiment_score": mark.score,
        "sentiment_confidence": 1.0,
        "evidence": (*others, evidence),
    }
    if classification.intent in policies.understanding.marks.gives_way:
        changes |= {
            "intent": mark.intent,
            "intent_confidence": 1.0,
            "runner_up": None,
            "runner_up_confidence": None,
            "decided_by": "rules",
            "version": policies.understanding.rules_version,
            "evidence": (
                *(one for one in others if one.aspect != "intent"),
                Evidence(aspect="intent", words=(), reason=mark.name),
                evidence,
            ),
        }
    return classification.model_copy(update=changes)


def decide_obligation(
    classification: Classification,
    rule: WordRule | None,
    mark: MarkRule | None,
    policies: Policies,
    now: datetime,
) -> tuple[bool, Decision]:
    """Whether somebody owes the customer something: a rule or a mark that decided says so itself,
    else the intent does.
    """
    owed, by, source = policies.intents[classification.intent].owes, "policy:intents", "intent"
    reason = _deciding_rule(classification)
    for decider in (rule, mark):
        if decider is not None and decider.owes is not None and decider.name == reason:
            owed, by, source = decider.owes, "policy:understanding", decider.name
    decision = Decision(
        about="obligation",
        outcome="owed" if owed else "nothing_owed",
        reason=f"{source} {classification.intent}: "
        + ("somebody owes an answer" if owed else "nobody waits for an answer"),
        by=by,
        at=now,
        evidence={"intent": classification.intent},
    )
    return owed, decision


def _deciding_rule(classification: Classification) -> str | None:
    """The name of the rule that decided the intent, where one did."""
    if classification.decided_by != "rules":
        return None
    return next((one.reason for one in classification.evidence if one.aspect == "intent"), None)


def _learn_language(
    profile_id: ProfileId,
    classification: Classification,
    touchpoint: Touchpoint,
    profiles: ProfileStore,
    policies: Policies,
) -> None:
    known = classification.language != UNKNOWN_LANGUAGE
    enough = policies.understanding.thresholds.learn_language
    if known and classification.language_confidence >= enough:
        profiles.learn_language(profile_id, classification.language, touchpoint.occurred_at)


def _suppress(rule: WordRule, touchpoint: Touchpoint, profiles: ProfileStore) -> None:
    if touchpoint.endpoint is None:
        return
    profiles.suppress(
        Suppression(
            endpoint=touchpoint.endpoint,
            reason=f"the person opted out ({rule.name})",
            touchpoint_id=touchpoint.touchpoint_id,
            at=touchpoint.occurred_at,
        )
    )


def _classification_decision(classification: Classification, now: datetime) -> Decision:
    """The reader's version of the classification; words and numbers stand in the classification
    itself.
    """
    deciding = next((one for one in classification.evidence if one.aspect == "intent"), None)
    words = ", ".join(deciding.words) if deciding else ""
    because = f"because of: {words}" if words else "no single word decided"
    if deciding and deciding.reason:
        because = f"rule {deciding.reason}" + (f" on: {words}" if words else "")
    if classification.fell_back_because:
        because += f"; {classification.fell_back_because}"
    return Decision(
        about="classification",
        outcome=classification.intent,
        reason=because,
        by=classification.version,
        at=now,
        evidence={
            "confidence": classification.intent_confidence,
            "threshold": classification.threshold,
            "runner_up": classification.runner_up,
        },
    )

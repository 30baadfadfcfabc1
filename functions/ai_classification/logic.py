"""What a touchpoint means: ask the classifiers, weigh the mark a review carries, decide whether
anything is owed.
"""

from datetime import datetime

from shared.domain.classification import UNKNOWN_LANGUAGE, Classification, Evidence
from shared.domain.decision import Decision
from shared.domain.errors import NotFound
from shared.domain.journey import ClassificationStep, JourneyState
from shared.domain.model import ProfileId
from shared.domain.opting import Spoken, Word, asked_for_help, is_believed, opted_in, opted_out
from shared.domain.profile import LearnedLanguage, Mood
from shared.domain.suppression import Suppression, SuppressionKind, endpoint_subject
from shared.domain.touchpoint import Message, Touchpoint
from shared.domain.understanding import MarkRule, WordRule
from shared.events.catalogue import (
    EndpointReleased,
    EndpointSuppressed,
    HelpRequested,
    ProfileUpdated,
)
from shared.policies.reader import Policies
from shared.ports import Classifier, Clock, ConsentStore, Ledger, ProfileStore


def understand(
    step: JourneyState,
    *,
    ledger: Ledger,
    classifier: Classifier,
    profiles: ProfileStore,
    consents: ConsentStore,
    policies: Policies,
    clock: Clock,
) -> ClassificationStep:
    """Classify a touchpoint; teach its profile language and mood; do what a word of opting out,
    opting in or asking for help wants.

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
        _learn(profile_id, classification, touchpoint, profiles, policies)
    heard = True
    if rule is not None and rule.does is not None and touchpoint.endpoint is not None:
        heard = _hear(rule.does, rule.name, touchpoint, profile_id or None, consents, policies)
    now = clock.now()
    owed, obligation = decide_obligation(classification, rule, mark, policies, now, heard=heard)
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
    *,
    heard: bool = True,
) -> tuple[bool, Decision]:
    """Whether somebody owes the customer something: a rule or a mark that decided says so itself,
    else the intent does. A word that was not `heard` brought nothing about, so a person looks.
    """
    owed, by, source = policies.intents[classification.intent].owes, "policy:intents", "intent"
    reason = _deciding_rule(classification)
    for decider in (rule, mark):
        if decider is not None and decider.owes is not None and decider.name == reason:
            owed, by, source = decider.owes, "policy:understanding", decider.name
    if not heard:
        owed, by, source = True, "policy:consent", "a word that was not acted upon,"
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


def _learn(
    profile_id: ProfileId,
    classification: Classification,
    touchpoint: Touchpoint,
    profiles: ProfileStore,
    policies: Policies,
) -> None:
    at = touchpoint.occurred_at
    known = classification.language != UNKNOWN_LANGUAGE
    enough = policies.understanding.thresholds.learn_language
    is_sure = known and classification.language_confidence >= enough
    mood = Mood(
        touchpoint_id=touchpoint.touchpoint_id,
        at=at,
        score=round(classification.sentiment_score, 2),
        sentiment=classification.sentiment,
    )
    # A file alone tells no mood; a mark does, without a word.
    speaks = bool(said(touchpoint).strip()) or not isinstance(touchpoint.content, Message)
    profiles.learn(
        profile_id,
        LearnedLanguage(language=classification.language, at=at) if is_sure else None,
        mood if speaks else None,
        ProfileUpdated(
            profile_id=profile_id, touchpoint_id=touchpoint.touchpoint_id, change="language"
        ),
    )


def _hear(
    word: Word,
    rule: str,
    touchpoint: Touchpoint,
    profile_id: ProfileId | None,
    consents: ConsentStore,
    policies: Policies,
) -> bool:
    """Do what the word wants on the endpoint it came from.

    False where it does not count: nothing proves who wrote it, or it opts in who never opted out.
    """
    assert touchpoint.endpoint is not None
    policy = policies.consent.words
    if word is Word.HELP:
        subject, notice = asked_for_help(touchpoint)
        event = HelpRequested(
            touchpoint_id=touchpoint.touchpoint_id, channel=touchpoint.endpoint.channel
        )
        consents.call_for_help(subject, notice, event)
        return True
    if not is_believed(touchpoint, policy):
        return False
    if word is Word.OPT_OUT:
        _tell(opted_out(touchpoint, rule, policy), touchpoint, profile_id, consents)
        return True
    subject = endpoint_subject(touchpoint.endpoint)
    record = consents.records([subject]).get(subject)
    if touchpoint.endpoint.channel not in policy.opt_in_channels and (
        record is None or SuppressionKind.OPT_OUT not in record.suppressions
    ):
        return False
    _tell(opted_in(touchpoint, rule, policy), touchpoint, profile_id, consents)
    return True


def _tell(
    spoken: Spoken,
    touchpoint: Touchpoint,
    profile_id: ProfileId | None,
    consents: ConsentStore,
) -> None:
    """The ledger of consents first: what fails in between is done again, the event comes last."""
    assert touchpoint.endpoint is not None
    if profile_id:
        consents.state(profile_id, spoken.consent)
    facts = {
        "kind": SuppressionKind.OPT_OUT,
        "channel": touchpoint.endpoint.channel,
        "touchpoint_id": touchpoint.touchpoint_id,
        "profile_id": profile_id,
        "confirm": True,
    }
    stop = next((one for one in spoken.statements if isinstance(one, Suppression)), None)
    event = (
        EndpointSuppressed.model_validate(facts | {"classes": stop.classes})
        if stop
        else EndpointReleased.model_validate(facts)
    )
    consents.tell(spoken.subject, *spoken.statements, notice=spoken.notice, event=event)


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

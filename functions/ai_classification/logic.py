"""What a touchpoint means: ask the classifiers, let people's overrides win, teach the profile, do
what a word wants, decide whether anything is owed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from shared.deciding import ask, decide_obligation, said, weigh
from shared.domain.classification import UNKNOWN_LANGUAGE, Classification
from shared.domain.decision import Decision
from shared.domain.errors import NotFound
from shared.domain.journey import ClassificationStep, JourneyState
from shared.domain.model import ProfileId
from shared.domain.opting import Spoken, Word, asked_for_help, is_believed, opted_in, opted_out
from shared.domain.override import Override, standing
from shared.domain.profile import LearnedLanguage, Mood
from shared.domain.suppression import Suppression, SuppressionKind, endpoint_subject
from shared.domain.touchpoint import Call, Message, Touchpoint
from shared.events.catalogue import (
    EndpointReleased,
    EndpointSuppressed,
    HelpRequested,
    ProfileUpdated,
)
from shared.policies.reader import Policies
from shared.ports.consents import ConsentStore
from shared.ports.ledger import Ledger, LedgerEntry
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock
from shared.ports.understanding import Classifier


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

    What a person overrode counts as they said. Done twice, it writes the same again. Raises
    NotFound for a touchpoint the ledger does not hold.
    """
    entry = ledger.read(step.touchpoint_id)
    if entry is None:
        raise NotFound("there is no such touchpoint")
    touchpoint = entry.touchpoint
    answer = _answer_before(entry, policies) or ask(classifier, touchpoint)
    understood = weigh(touchpoint, answer, entry.overrides, policies)
    classification, rule = understood.classification, understood.rule
    is_current = not step.is_overtaken(entry.attempt)
    profile_id = entry.profile_id or (step.profile_update and step.profile_update.profile_id)
    if profile_id and is_current:
        _learn(profile_id, classification, entry, profiles, policies)
    heard = True
    if rule is not None and rule.does is not None and touchpoint.endpoint is not None:
        heard = _counts(rule.does, touchpoint, consents, policies)
        # What the words brought about stands, whatever people make of them afterwards.
        if heard and is_current and not entry.overrides:
            _act(rule.does, rule.name, touchpoint, profile_id or None, consents, policies)
    now = clock.now()
    owed, obligation = decide_obligation(understood, policies, now, heard=heard)
    # Nobody waits for an answer to a thank-you; but the ticket it belongs to, and what was promised
    # "if the customer does not write", must hear of it. So must the ticket that holds what a person
    # now says something else of.
    by_words = rule is None and understood.mark is None
    continues = by_words and classification.intent in policies.routing.continues
    goes_on = owed or continues or bool(entry.overrides) or _has_ticket(entry)
    return ClassificationStep(
        classification=classification,
        machine_classification=understood.machine if understood.is_overridden else None,
        paid_classification=understood.paid_answer,
        next_step="ticket_creation" if goes_on else "nothing",
        decisions=(
            _classification_decision(understood.machine, now),
            *_override_decisions(entry.overrides, policies),
            obligation,
        ),
    )


def _answer_before(entry: LedgerEntry, policies: Policies) -> Classification | None:
    """The machine's answer of an earlier round, where people spoke of it.

    What they overrode must come back unchanged when they release it, and asking again may cost a
    call. An intent that is no longer on the list is no answer, nor is one that was given before a
    call grew.
    """
    before = entry.outcome if entry.overrides else None
    state = JourneyState.model_validate(before) if before else None
    step = state.ai_classification if state else None
    if state is None or step is None or (state.attempt or 1) < entry.grown:
        return None
    answer = step.answer
    return answer if answer.intent in policies.intents else None


def _has_ticket(entry: LedgerEntry) -> bool:
    """Whether a call that grew opened or joined one: it must hear what the call says now."""
    if entry.grown == 1 or entry.outcome is None:
        return False
    return JourneyState.model_validate(entry.outcome).ticket_creation is not None


def _learn(
    profile_id: ProfileId,
    classification: Classification,
    entry: LedgerEntry,
    profiles: ProfileStore,
    policies: Policies,
) -> None:
    touchpoint, id_ = entry.touchpoint, entry.touchpoint.touchpoint_id
    at = touchpoint.occurred_at
    known = classification.language != UNKNOWN_LANGUAGE
    enough = policies.understanding.thresholds.learn_language
    is_sure = known and classification.language_confidence >= enough
    language = LearnedLanguage(touchpoint_id=id_, language=classification.language, at=at)
    mood = Mood(
        touchpoint_id=id_,
        at=at,
        score=round(classification.sentiment_score, 2),
        sentiment=classification.sentiment,
    )
    # A file or a missed call alone tells no mood; a mark does, without a word.
    speaks = bool(said(touchpoint).strip())
    speaks = speaks or not isinstance(touchpoint.content, Message | Call)
    speaks = speaks or any(one.sentiment is not None for one in entry.overrides)
    profiles.learn(
        profile_id,
        id_,
        language if is_sure else None,
        mood if speaks else None,
        ProfileUpdated(
            profile_id=profile_id,
            touchpoint_id=id_,
            change="corrected" if entry.overrides else "language",
        ),
    )


def _counts(word: Word, touchpoint: Touchpoint, consents: ConsentStore, policies: Policies) -> bool:
    """Whether the word brings about what it wants.

    Not where nothing proves who wrote it, nor where somebody opts in who never opted out.
    """
    assert touchpoint.endpoint is not None
    policy = policies.consent.words
    if word is Word.HELP:
        return True
    if not is_believed(touchpoint, policy):
        return False
    if word is Word.OPT_OUT or touchpoint.endpoint.channel in policy.opt_in_channels:
        return True
    subject = endpoint_subject(touchpoint.endpoint)
    record = consents.records([subject]).get(subject)
    return record is not None and SuppressionKind.OPT_OUT in record.suppressions


def _act(
    word: Word,
    rule: str,
    touchpoint: Touchpoint,
    profile_id: ProfileId | None,
    consents: ConsentStore,
    policies: Policies,
) -> None:
    """Do what the word wants on the endpoint it came from."""
    assert touchpoint.endpoint is not None
    policy = policies.consent.words
    if word is Word.HELP:
        subject, notice = asked_for_help(touchpoint)
        event = HelpRequested(
            touchpoint_id=touchpoint.touchpoint_id, channel=touchpoint.endpoint.channel
        )
        consents.call_for_help(subject, notice, event)
        return
    speak = opted_out if word is Word.OPT_OUT else opted_in
    _tell(speak(touchpoint, rule, policy), touchpoint, profile_id, consents)


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


def _override_decisions(overrides: Sequence[Override], policies: Policies) -> Iterator[Decision]:
    """What people say instead, each override that stands for something."""
    wins = standing(overrides, policies.intents)
    for one in overrides:
        said_of = [f"{aspect} {value}" for aspect, value in one.aspects.items()]
        if one in wins.values():
            yield Decision(
                about="override",
                outcome=", ".join(said_of),
                reason=one.reason,
                by=one.by,
                at=one.at,
                evidence={"override_id": one.override_id},
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

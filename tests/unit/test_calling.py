"""A call goes round its journey as it grows: what the steps do together with it."""

from typing import Any

import pytest

from shared.domain.classification import Evidence
from shared.domain.identity import Proof
from shared.domain.journey import TicketOutcome
from shared.domain.segment_rule import activity_name
from shared.domain.suppression import SuppressionKind, endpoint_subject
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import (
    CallState,
    Heard,
    Touchpoint,
    TouchpointState,
)
from shared.events.catalogue import TicketChanged, TouchpointReceived
from tests.builders import call_part, classification, observed, profile_id, sms
from tests.unit.overriding import House

WORDS = "My parcel 4512 never came."

INCOMING = call_part("incoming", state=CallState.RINGING, reached_person=False)
TAKEN = call_part("dial", at=40, reached_person=True)
ENDED = call_part("ended", at=60, state=CallState.COMPLETED)
RECORDED = call_part("recording", at=61, phone=None)


def said(text: str) -> Touchpoint:
    spoken = Heard(source="transcript", key="TR1", text=text)
    return call_part("transcription", at=90, phone=None, heard=(spoken,))


@pytest.fixture
def house() -> House:
    house = House()
    nothing = Evidence(aspect="intent", words=(), reason="no_text")
    house.world.classifier.known = {
        "": by_rules("other", nothing),
        WORDS: classification(intent="delivery_problem", language="en"),
        "Thank you, goodbye": classification(intent="praise", language="en"),
    }
    return house


def by_rules(intent: str, evidence: Evidence) -> Any:
    return classification(intent=intent, decided_by="rules", evidence=(evidence,))


def tell(house: House, *parts: Touchpoint) -> None:
    """Each part comes in, and its round runs where it began one."""
    for part in parts:
        before = len(house.world.happened(TouchpointReceived))
        house.world.ledger.record([observed(part)])
        if len(house.world.happened(TouchpointReceived)) > before:
            house.run(part)


def tickets(house: House) -> list[Ticket]:
    return house.world.tickets.by_profiles([profile_id()]).items


def queues(house: House) -> list[tuple[str, str]]:
    return [(one.queue, one.first.intent) for one in tickets(house)]


def test_nobody_answered_so_somebody_calls_back(house: House) -> None:
    tell(house, INCOMING)
    assert queues(house) == []
    assert house.entry(INCOMING).state is TouchpointState.PROCESSED
    tell(house, ENDED)
    assert queues(house) == [("care", "contact_human")]
    outcome = house.entry(INCOMING).outcome
    assert outcome is not None
    meant = outcome["ai_classification"]
    assert meant["classification"]["decided_by"] == "rules"
    assert meant["decisions"][0]["reason"] == "rule missed_call"
    assert meant["decisions"][1]["reason"] == "intent contact_human: somebody owes an answer"


def test_what_the_voicemail_says_moves_the_ticket(house: House) -> None:
    tell(house, INCOMING, ENDED, RECORDED, said(WORDS))
    assert queues(house) == [("orders", "delivery_problem")]
    [ticket] = tickets(house)
    logged = house.world.tickets.log(ticket.ticket_id)
    assert [one.what for one in logged] == ["opened", "call_went_on"]
    assert logged[1].detail["said"]["intent"] == "delivery_problem"
    [changed] = house.world.happened(TicketChanged)
    assert isinstance(changed, TicketChanged) and changed.change == "call_went_on"
    house.run(INCOMING)
    assert len(house.world.tickets.log(ticket.ticket_id)) == 2


def test_words_that_came_before_the_end_open_it_where_it_belongs(house: House) -> None:
    tell(house, said(WORDS), INCOMING, ENDED)
    assert queues(house) == [("orders", "delivery_problem")]


def test_words_that_owe_nothing_leave_the_ticket_to_a_person(house: House) -> None:
    tell(house, INCOMING, ENDED, said("Thank you, goodbye"))
    assert queues(house) == [("care", "praise")]
    [ticket] = tickets(house)
    assert house.world.tickets.log(ticket.ticket_id)[-1].detail["stays"]


def test_a_call_somebody_took_owes_nothing(house: House) -> None:
    tell(house, INCOMING, TAKEN, ENDED, said(WORDS))
    assert queues(house) == []
    entry = house.entry(INCOMING)
    assert entry.state is TouchpointState.PROCESSED
    assert entry.touchpoint.text == WORDS
    assert entry.attempt == 1


def test_a_call_that_waits_for_nobody_any_more_is_finished(house: House) -> None:
    """It was missed, and before its round ran a late part told that somebody took it."""
    tell(house, INCOMING)
    for part in (ENDED, TAKEN):
        house.world.ledger.record([observed(part)])
    assert house.entry(INCOMING).state is TouchpointState.RECEIVED
    assert house.run(INCOMING) is None
    assert house.entry(INCOMING).state is TouchpointState.PROCESSED
    assert queues(house) == []


def test_a_late_execution_of_an_earlier_round_does_nothing(house: House) -> None:
    for part in (INCOMING, ENDED):
        house.world.ledger.record([observed(part)])
    assert house.run(INCOMING, attempt=1) is None
    assert house.entry(INCOMING).state is TouchpointState.RECEIVED
    assert house.entry(INCOMING).profile_id is None
    step = house.run(INCOMING)
    assert step is not None and step.outcome is TicketOutcome.OPENED


def test_a_part_that_comes_while_the_profile_is_looked_up_is_left_to_its_own_round(
    house: House,
) -> None:
    house.world.ledger.record([observed(INCOMING)])
    profiles = house.world.profiles
    known = profiles.known
    asked: list[bool] = []

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(profiles, name)

        def known(self, profile_ids: Any) -> Any:
            if not asked:
                asked.append(True)
                house.world.ledger.record([observed(ENDED)])
            return known(profile_ids)

    house.world.profiles = Slow()  # type: ignore[assignment]
    assert house.run(INCOMING, attempt=1) is None
    assert house.entry(INCOMING).profile_id is None
    step = house.run(INCOMING)
    assert step is not None and step.outcome is TicketOutcome.OPENED


def test_what_a_person_said_of_it_stands_when_it_grows(house: House) -> None:
    tell(house, INCOMING, ENDED)
    house.override(INCOMING, intent="appointment")
    assert queues(house) == [("appointments", "appointment")]
    tell(house, said(WORDS))
    assert queues(house) == [("appointments", "appointment")]
    outcome = house.entry(INCOMING).outcome
    assert outcome is not None
    assert outcome["ai_classification"]["machine_classification"]["intent"] == "delivery_problem"


@pytest.mark.parametrize(("proof", "is_stopped"), [(None, False), (Proof.ATTESTED, True)])
def test_only_who_is_proven_to_call_stops_our_calls(
    house: House, proof: Proof | None, is_stopped: bool
) -> None:
    keyword = Evidence(aspect="intent", words=("stop",), reason="opt_out_keyword")
    house.world.classifier.known["Stop."] = by_rules("opt_out", keyword)
    incoming = INCOMING.model_copy(update={"proof": proof})
    tell(house, incoming, ENDED, said("Stop."))
    assert incoming.endpoint is not None
    record = house.world.consents.record(endpoint_subject(incoming.endpoint))
    assert (SuppressionKind.OPT_OUT in record.suppressions) is is_stopped


def test_a_word_the_provider_understood_counts_whatever_it_is(house: House) -> None:
    """A company may have taught Twilio words of its own."""
    house.world.classifier.known["NOMORE"] = classification(intent="other", language="en")
    told = sms("NOMORE", answered_word="opt_out")
    house.receive(told)
    assert told.endpoint is not None
    record = house.world.consents.record(endpoint_subject(told.endpoint))
    assert SuppressionKind.OPT_OUT in record.suppressions
    outcome = house.entry(told).outcome
    assert outcome is not None
    meant = outcome["ai_classification"]
    assert meant["decisions"][0]["reason"] == "rule opt_out_keyword"
    assert queues(house) == []


def test_a_word_of_which_no_rule_speaks_is_a_message(house: House) -> None:
    house.policies = house.policies._replace(
        understanding=house.policies.understanding.model_copy(update={"rules": ()})
    )
    house.world.classifier.known["STOP"] = classification(intent="complaint", language="en")
    house.receive(sms("STOP", answered_word="opt_out"))
    assert queues(house) == [("care", "complaint")]


@pytest.mark.parametrize("part", [INCOMING, ENDED])
def test_a_segment_calls_it_a_call_whatever_is_known_of_it(part: Touchpoint) -> None:
    assert activity_name(part) == "call"

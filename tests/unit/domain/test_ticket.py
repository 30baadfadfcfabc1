from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.classification import Sentiment, Urgency
from shared.domain.errors import Conflict
from shared.domain.sla import ClockState, SlaTarget, add_working_time, working_time_between
from shared.domain.ticket import (
    CustomerWord,
    Milestone,
    Priority,
    PriorityRule,
    Routing,
    SlaPolicy,
    Ticket,
    TicketStatus,
    begins,
    change_priority,
    change_status,
    join_ticket,
    open_ticket,
    pause,
    record_agent_reply,
    record_failed_reply,
    resume,
    ticket_id_for,
)
from shared.domain.touchpoint import Channel
from tests import builders
from tests.builders import NOON
from tests.unit.domain.strategies import PARIS, SLA, customer_words

HOUR = timedelta(hours=1)
S = TicketStatus


def opened(word: CustomerWord | None = None) -> Ticket:
    first = word if word is not None else builders.word()
    return open_ticket(builders.profile_id(), "orders", 1, first, sla=SLA, calendar=PARIS)


def joined(ticket: Ticket, *words: CustomerWord) -> Ticket:
    for word in words:
        ticket = join_ticket(ticket, word, sla=SLA, calendar=PARIS)
    return ticket


def fold(words: list[CustomerWord]) -> Ticket:
    return joined(opened(words[0]), *words[1:])


def said(text: str, minutes: int, priority: Priority = Priority.NORMAL) -> CustomerWord:
    at = NOON + timedelta(minutes=minutes)
    return builders.word(builders.whatsapp_message(text, at=at), priority=priority)


# The fold


@given(words=customer_words(), data=st.data())
def test_words_in_any_order_make_the_same_ticket(
    words: list[CustomerWord], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(words))
    assert fold(shuffled) == fold(words)


@given(words=customer_words(), data=st.data())
def test_words_that_come_again_change_nothing(
    words: list[CustomerWord], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(words), max_size=5))
    assert joined(fold(words), *repeated) == fold(words)


@given(words=customer_words())
def test_what_a_ticket_is_after_its_words(words: list[CustomerWord]) -> None:
    ticket = fold(words)
    assert ticket.first.at == min(word.at for word in words)
    assert ticket.last.at == max(word.at for word in words)
    assert ticket.priority is max((word.priority for word in words), key=lambda one: one.rank)
    target = SLA.targets[ticket.priority].first_response
    assert ticket.first_response.due_at == add_working_time(ticket.first.at, target, PARIS)


def test_two_first_messages_agree_on_one_ticket() -> None:
    words = [said("a", 0), said("b", 0)]
    assert len({fold(list(order)).model_dump_json() for order in permutations(words)}) == 1
    assert opened().ticket_id == ticket_id_for(builders.profile_id(), "orders", 1)


def test_the_number_people_call_it_by() -> None:
    ticket = opened()
    assert ticket.ticket_id.startswith(ticket.number.lower())
    assert len(ticket.number) == 8


def test_targets_that_would_make_the_order_matter_are_refused() -> None:
    slow = SlaTarget(first_response=9 * HOUR, resolution=41 * HOUR)
    quick = SlaTarget(first_response=HOUR, resolution=41 * HOUR)
    for wrong in (slow, quick):
        with pytest.raises(ValidationError, match="urgent must not wait longer than high"):
            SlaPolicy(calendar="paris", targets={**SLA.targets, Priority.URGENT: wrong})


def test_targets_must_cover_every_priority() -> None:
    some = {k: v for k, v in SLA.targets.items() if k is not Priority.LOW}
    with pytest.raises(ValidationError, match="no target for low"):
        SlaPolicy(calendar="paris", targets=some)


def test_a_customer_who_writes_again_resumes_the_clock() -> None:
    first = said("a", 120)  # 15:00 in Paris, working time until 18:30
    waiting = record_agent_reply(opened(first), first.at + HOUR)
    assert waiting.status is S.WAITING_CUSTOMER
    assert waiting.resolution.state(NOON + timedelta(days=9)) is ClockState.PAUSED
    again = joined(waiting, said("b", 120 + 120))
    assert again.status is S.OPEN
    assert again.resolution.paused_at is None
    extended = add_working_time(waiting.resolution.due_at, HOUR, PARIS)
    assert again.resolution.due_at == extended


def test_an_old_word_that_comes_late_does_not_end_the_waiting() -> None:
    waiting = record_agent_reply(opened(said("a", 120)), NOON + 3 * HOUR)
    late = joined(waiting, said("b", 60))
    assert late.status is S.WAITING_CUSTOMER
    assert late.first.at == NOON + HOUR


def test_what_comes_later_makes_no_given_answer_late() -> None:
    """An SLA clock that was met stays met when the matter becomes urgent (CW PR 13392)."""
    answered = record_agent_reply(opened(said("a", 120)), NOON + 4 * HOUR)
    assert answered.first_response.state(NOON + 9 * HOUR) is ClockState.MET
    urgent = joined(answered, said("b", 300, Priority.URGENT))
    assert urgent.priority is Priority.URGENT
    assert urgent.first_response.state(NOON + 9 * HOUR) is ClockState.MET
    assert urgent.resolution.due_at < answered.resolution.due_at


# What an agent does


def test_a_reply_meets_the_first_response_once() -> None:
    once = record_agent_reply(opened(), NOON + HOUR)
    twice = record_agent_reply(once, NOON + 2 * HOUR)
    assert twice.first_response.met_at == NOON + HOUR
    assert twice.last_agent_at == NOON + 2 * HOUR
    assert twice.due_at == twice.resolution.due_at
    assert opened().due_at == opened().first_response.due_at


def test_a_reply_to_an_ended_ticket_does_not_reopen_it() -> None:
    resolved = change_status(opened(), S.RESOLVED, NOON + HOUR, PARIS)
    replied = record_agent_reply(resolved, NOON + 2 * HOUR)
    assert replied.status is S.RESOLVED
    assert replied.resolution.paused_at is None


def test_resolving_stops_the_clock_and_reopening_starts_it() -> None:
    resolved = change_status(opened(), S.RESOLVED, NOON + HOUR, PARIS)
    assert resolved.is_ended
    assert resolved.resolved_at == resolved.resolution.met_at == NOON + HOUR
    closed = change_status(resolved, S.CLOSED, NOON + 2 * HOUR, PARIS)
    assert closed.resolved_at == NOON + HOUR
    reopened = change_status(resolved, S.OPEN, NOON + 3 * HOUR, PARIS)
    assert (reopened.resolved_at, reopened.resolution.met_at) == (None, None)
    assert not reopened.is_ended


@pytest.mark.parametrize("status", [S.WAITING_CUSTOMER, S.WAITING_THIRD_PARTY])
def test_waiting_pauses_the_resolution_only(status: TicketStatus) -> None:
    ticket = opened()
    waiting = change_status(ticket, status, NOON + 2 * HOUR, PARIS)
    still = change_status(waiting, status, NOON + 3 * HOUR, PARIS)
    assert still.resolution.paused_at == NOON + 2 * HOUR
    assert still.first_response == ticket.first_response
    going = change_status(still, S.OPEN, NOON + 4 * HOUR, PARIS)
    stood = working_time_between(NOON + 2 * HOUR, NOON + 4 * HOUR, PARIS)
    assert working_time_between(ticket.resolution.due_at, going.resolution.due_at, PARIS) == stood


def test_a_higher_priority_keeps_the_time_a_pause_has_granted() -> None:
    ticket = opened()
    going = resume(pause(ticket, NOON + 2 * HOUR), NOON + 4 * HOUR, PARIS)
    stood = working_time_between(NOON + 2 * HOUR, NOON + 4 * HOUR, PARIS)
    urgent = change_priority(going, Priority.URGENT, sla=SLA, calendar=PARIS)
    granted = SLA.targets[Priority.URGENT].resolution + stood
    assert urgent.resolution.due_at == add_working_time(ticket.first.at, granted, PARIS)


def test_a_pause_outside_working_time_costs_nothing() -> None:
    ticket = opened()
    night = NOON + 10 * HOUR
    going = resume(pause(ticket, night), night + HOUR, PARIS)
    assert going.resolution == ticket.resolution
    assert resume(ticket, night, PARIS) == ticket


@pytest.mark.parametrize(
    ("before", "after"), [(S.CLOSED, S.OPEN), (S.CLOSED, S.RESOLVED), (S.OPEN, S.NEW)]
)
def test_what_cannot_be_changed(before: TicketStatus, after: TicketStatus) -> None:
    ticket = opened().model_copy(update={"status": before})
    with pytest.raises(Conflict):
        change_status(ticket, after, NOON, PARIS)


@pytest.mark.parametrize("status", [S.CLOSED, S.NEW])
def test_what_stays_as_it_is(status: TicketStatus) -> None:
    ticket = opened().model_copy(update={"status": status})
    assert change_status(ticket, status, NOON, PARIS).status is status


def test_a_priority_set_by_hand_brings_due_times_closer_and_never_moves_them_away() -> None:
    ticket = opened()
    urgent = change_priority(ticket, Priority.URGENT, sla=SLA, calendar=PARIS)
    assert urgent.first_response.due_at < ticket.first_response.due_at
    low = change_priority(urgent, Priority.LOW, sla=SLA, calendar=PARIS)
    assert low.priority is Priority.LOW
    assert low.resolution == urgent.resolution


def test_priorities_go_up_by_one_step_and_end_at_urgent() -> None:
    assert [one.raised() for one in Priority] == [
        Priority.NORMAL,
        Priority.HIGH,
        Priority.URGENT,
        Priority.URGENT,
    ]


@pytest.mark.parametrize(
    ("milestone", "at"),
    [
        (Milestone.TICKET_OPENED, NOON),
        (Milestone.CUSTOMER_WROTE, NOON + HOUR),
        (Milestone.AGENT_REPLIED, NOON + 2 * HOUR),
        (Milestone.TICKET_RESOLVED, NOON + 3 * HOUR),
    ],
)
def test_when_a_milestone_was_reached(milestone: Milestone, at: object) -> None:
    replied = record_agent_reply(joined(opened(), said("b", 60)), NOON + 2 * HOUR)
    ticket = change_status(replied, S.RESOLVED, NOON + 3 * HOUR, PARIS)
    assert ticket.happened(milestone, NOON - HOUR) == at
    assert ticket.happened(milestone, NOON + 3 * HOUR) is None
    assert opened().happened(Milestone.AGENT_REPLIED, NOON - HOUR) is None


# Rules


def test_routing_finds_the_queue_or_falls_back() -> None:
    routing = Routing(queues={"orders": ("refund",), "care": ("praise",)}, fallback="care")
    assert routing.queue_for("refund") == "orders"
    assert routing.queue_for("something_new") == "care"


@pytest.mark.parametrize(
    ("queues", "reason"),
    [
        ({"orders": ("refund",)}, "not one of the queues"),
        ({"care": ("refund",), "orders": ("refund",)}, "goes to both 'care' and 'orders'"),
    ],
)
def test_routing_that_makes_no_sense(queues: dict[str, tuple[str, ...]], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Routing(queues=queues, fallback="care")


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({}, True),
        ({"urgency": Urgency.HIGH}, True),
        ({"urgency": Urgency.LOW}, False),
        ({"intents": {"refund"}}, True),
        ({"intents": {"praise"}}, False),
        ({"sentiment": Sentiment.NEGATIVE}, True),
        ({"sentiment": Sentiment.POSITIVE}, False),
    ],
)
def test_a_priority_rule_holds_when_all_its_conditions_do(
    rule: dict[str, object], matches: bool
) -> None:
    meant = builders.classification(
        intent="refund", urgency=Urgency.HIGH, sentiment=Sentiment.NEGATIVE
    )
    assert PriorityRule.model_validate({"priority": "high", **rule}).matches(meant) is matches


class TestAReplyThatDidNotArrive:
    FIRST, SECOND, LATER = (NOON + n * timedelta(hours=1) for n in (1, 2, 3))

    def failed(self, ticket: Ticket, at: datetime) -> Ticket:
        return record_failed_reply(ticket, at, self.LATER, PARIS)

    def test_the_only_one_leaves_the_first_response_owed(self) -> None:
        ticket = builders.ticket()
        after = self.failed(record_agent_reply(ticket, self.FIRST), self.FIRST)
        assert after.status is TicketStatus.OPEN
        assert after.first_response == ticket.first_response
        assert after.last_agent_at is None
        assert after.resolution.paused_at is None

    def test_the_second_leaves_the_first_one_given(self) -> None:
        twice = record_agent_reply(record_agent_reply(builders.ticket(), self.FIRST), self.SECOND)
        after = self.failed(twice, self.SECOND)
        assert after.first_response.met_at == after.last_agent_at == self.FIRST
        assert after.status is TicketStatus.OPEN

    def test_the_first_of_two_changes_no_turn(self) -> None:
        twice = record_agent_reply(record_agent_reply(builders.ticket(), self.FIRST), self.SECOND)
        after = self.failed(twice, self.FIRST)
        assert (after.status, after.last_agent_at) == (TicketStatus.WAITING_CUSTOMER, self.SECOND)

    def test_a_ticket_that_was_resolved_stays_so(self) -> None:
        replied = record_agent_reply(builders.ticket(), self.FIRST)
        resolved = change_status(replied, TicketStatus.RESOLVED, self.SECOND, PARIS)
        assert self.failed(resolved, self.FIRST).status is TicketStatus.RESOLVED


def test_a_reply_that_is_known_late_does_not_silence_who_wrote_since() -> None:
    hour = timedelta(hours=1)
    wrote = builders.ticket(last=builders.word(at=NOON + 2 * hour))
    late = record_agent_reply(wrote, NOON + hour)
    assert (late.status, late.last_agent_at) == (TicketStatus.NEW, NOON + hour)
    newer = record_agent_reply(record_agent_reply(wrote, NOON + 3 * hour), NOON + hour)
    assert newer.last_agent_at == NOON + 3 * hour


def test_a_ticket_begins_with_its_first_words_and_on_each_channel_with_the_first_there() -> None:
    by_sms = builders.word(builders.sms(at=NOON - timedelta(hours=1)))
    nowhere = builders.word(builders.touchpoint(key="x"), endpoint=None, at=NOON)
    later = builders.word(builders.whatsapp_message("?", at=NOON + timedelta(hours=1)))
    ticket = builders.ticket()
    for one in (by_sms, nowhere, later):
        ticket = join_ticket(ticket, one, sla=SLA, calendar=PARIS)
    assert ticket.spoken_on == {Channel.SMS: by_sms.at, Channel.WHATSAPP: NOON}
    words = (by_sms, builders.word(), nowhere, later)
    assert [begins(ticket, one) for one in words] == [True, True, False, False]

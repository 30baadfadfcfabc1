"""R8: a window that closes soon on somebody who still waits is told, once, while there is time."""

from datetime import datetime, timedelta

import pytest

from functions.follow_up_delivery.logic.announcement import CLOSED, NO_WINDOW
from shared.domain.errors import Contention
from shared.domain.follow_up import Announce, FollowUp, FollowUpState
from shared.domain.ticket import Milestone, Ticket, record_agent_reply
from shared.domain.touchpoint import Channel, Touchpoint
from shared.events.catalogue import ReplyWindowClosingSoon, TicketChanged
from tests.builders import NOON, endpoint, sms, whatsapp_message
from tests.unit.follow_up_delivery.conftest import Overtaken, Promise

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
CLOSES_AT = NOON + 23 * HOUR + 50 * MINUTE
DUE_AT = CLOSES_AT - 2 * HOUR


@pytest.fixture
def closing(promise: Promise) -> Promise:
    promise.make(
        name="window_closing_soon",
        due_at=DUE_AT,
        action=Announce(ahead=2 * HOUR),
        cancelled_by=frozenset({Milestone.AGENT_REPLIED, Milestone.TICKET_RESOLVED}),
    )
    return promise


def told(promise: Promise) -> list[ReplyWindowClosingSoon]:
    return [one for one in promise.world.events if isinstance(one, ReplyWindowClosingSoon)]


def write_again(promise: Promise, said: Touchpoint) -> Ticket:
    """The ticket's latest word; the promise stands as it was made."""
    made = promise.follow_up
    promise.hear(said)
    ticket = promise.speak_of(said)
    promise.follow_up = promise.world.tickets.put_follow_up(made)
    return ticket


def test_cw_9516_it_is_told_two_hours_ahead_and_stands_in_the_tickets_log(
    closing: Promise,
) -> None:
    closing.edit_ticket(assignee="lea")
    ended = closing.deliver(at=DUE_AT)
    assert ended.state is FollowUpState.DONE
    assert ended.result == f"told that the reply window closes at {CLOSES_AT.isoformat()}"
    (event,) = told(closing)
    assert (event.channel, event.closes_at, event.assignee, event.queue) == (
        "whatsapp",
        CLOSES_AT,
        "lea",
        closing.ticket.queue,
    )
    (line,) = closing.world.tickets.log(closing.ticket.ticket_id)
    assert line.what == "reply_window_closing_soon"
    assert line.by == "follow_up:window_closing_soon"
    assert len(closing.world.sender) == 0
    assert closing.world.happened(TicketChanged) == []


def test_it_is_told_once(closing: Promise) -> None:
    first = closing.deliver(at=DUE_AT)
    assert closing.deliver() == first
    assert len(told(closing)) == 1


def test_an_answer_of_ours_makes_it_pointless(closing: Promise) -> None:
    now = closing.ticket_now
    replied = record_agent_reply(now, NOON + 3 * HOUR)
    closing.world.tickets.save(replied, now, None)
    ended = closing.deliver(at=DUE_AT)
    assert ended.state is FollowUpState.CANCELLED
    assert told(closing) == []


def test_whoever_goes_on_writing_has_a_new_window_and_it_waits_for_that(closing: Promise) -> None:
    write_again(closing, whatsapp_message("Alors ?", at=NOON + HOUR))
    waiting = closing.deliver(at=DUE_AT)
    assert (waiting.state, waiting.due_at) == (FollowUpState.SCHEDULED, DUE_AT + HOUR)
    assert waiting.schedule_name in closing.world.timer
    assert told(closing) == []
    closing.deliver(at=DUE_AT + HOUR)
    assert [one.closes_at for one in told(closing)] == [CLOSES_AT + HOUR]


def test_words_in_another_ticket_open_the_same_window(closing: Promise) -> None:
    closing.hear(whatsapp_message("Et ma facture ?", at=NOON + HOUR))
    assert closing.deliver(at=DUE_AT).due_at == DUE_AT + HOUR


def test_too_late_it_tells_nobody_to_hurry(closing: Promise) -> None:
    ended = closing.deliver(at=CLOSES_AT + MINUTE)
    assert (ended.state, ended.result) == (FollowUpState.CANCELLED, CLOSED)
    assert told(closing) == []


def test_a_way_back_without_a_window(closing: Promise) -> None:
    write_again(closing, sms(at=NOON + HOUR))
    assert no_window(closing.deliver(at=DUE_AT))


def test_no_way_back_at_all(closing: Promise) -> None:
    closing.edit_ticket(
        first=closing.ticket.first.model_copy(update={"endpoint": None}),
        last=closing.ticket.last.model_copy(update={"endpoint": None}),
    )
    assert no_window(closing.deliver(at=DUE_AT))


def test_words_that_were_erased(closing: Promise) -> None:
    closing.world.ledger.forget(closing.wrote.touchpoint_id)
    assert no_window(closing.deliver(at=DUE_AT))


def no_window(ended: FollowUp) -> bool:
    return (ended.state, ended.result) == (FollowUpState.CANCELLED, NO_WINDOW)


def test_a_ticket_that_changes_meanwhile_keeps_its_change(closing: Promise) -> None:
    Overtaken(closing, "end", lambda: closing.edit_ticket(assignee="lea"))
    with pytest.raises(Contention):
        closing.deliver(at=DUE_AT)
    assert closing.ticket_now.assignee == "lea"
    assert closing.deliver().state is FollowUpState.DONE


@pytest.mark.parametrize(
    ("at", "closes_at"),
    [(NOON + 23 * HOUR, NOON + 7 * 24 * HOUR - HOUR)],
)
def test_where_people_have_longer_it_counts_to_the_end_of_that(
    closing: Promise, at: datetime, closes_at: datetime
) -> None:
    way = endpoint(Channel.MESSENGER, provider="messenger", account="page", address="psid")
    on_messenger = whatsapp_message(endpoint=way, channel=Channel.MESSENGER, provider="messenger")
    write_again(closing, on_messenger)
    assert closing.deliver(at=at).due_at == closes_at - 2 * HOUR

"""A ticket follows what a person said of its touchpoint, but for what people set by hand."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.correction import Corrected, correct_ticket
from shared.domain.ticket import CustomerWord, Priority, Ticket, TicketStatus
from tests.builders import NOON, policies, ticket, whatsapp_message, word

OPENING = whatsapp_message("message 1")
LATER = whatsapp_message("message 2", at=NOON + timedelta(minutes=5))


def correct(of: Ticket, understood: CustomerWord, **given: Any) -> Corrected:
    fields: dict[str, Any] = {
        "owed": True,
        "queue": "billing",
        "queue_is_taken": False,
        "by_hand": set(),
        "was_escalated": False,
        "sla": policies().sla,
        "calendar": policies().calendar,
    }
    return correct_ticket(of, understood, **fields | given)


def opened(**overrides: Any) -> Ticket:
    return ticket(**{"first": word(OPENING), **overrides})


def anew(priority: Priority = Priority.URGENT, of: Any = OPENING) -> CustomerWord:
    return word(of, intent="billing_or_payment", priority=priority)


def test_the_one_that_opened_it_moves_it() -> None:
    before = opened()
    after, stays = correct(before, anew())
    assert (after.queue, after.priority, stays) == ("billing", Priority.URGENT, ())
    assert after.first == after.last == anew()
    assert after.first_response.due_at < before.first_response.due_at


def test_alone_in_its_ticket_it_may_calm_it_and_moves_no_due_time() -> None:
    before = opened(first=word(OPENING, priority=Priority.URGENT))
    after, stays = correct(before, anew(Priority.LOW), queue="orders")
    assert (after.queue, after.priority, stays) == ("orders", Priority.LOW, ())
    assert after.first_response == before.first_response


def test_corrected_once_nothing_is_left_to_correct() -> None:
    once, _ = correct(opened(), anew())
    again, stays = correct(once, anew(), queue_is_taken=True)
    assert (again, stays) == (once, ())


def test_with_other_messages_in_it_the_highest_priority_stays() -> None:
    before = opened(last=word(LATER), priority=Priority.HIGH)
    after, stays = correct(before, anew(Priority.LOW))
    assert (after.queue, after.priority) == ("billing", Priority.HIGH)
    assert stays == ("priority high may come from other messages",)
    assert (after.first, after.last) == (anew(Priority.LOW), before.last)
    raised, stays = correct(before, anew(Priority.URGENT))
    assert (raised.priority, stays) == (Priority.URGENT, ())


def test_one_that_joined_leaves_the_ticket_in_its_queue() -> None:
    before = opened(last=word(LATER))
    after, _ = correct(before, anew(Priority.URGENT, LATER))
    assert (after.queue, after.priority) == ("orders", Priority.URGENT)
    assert (after.first, after.last) == (before.first, anew(Priority.URGENT, LATER))
    between = whatsapp_message("message 3", at=NOON + timedelta(minutes=1))
    after, _ = correct(before, anew(Priority.URGENT, between))
    assert (after.first, after.last) == (before.first, before.last)


def test_an_escalation_is_not_taken_back() -> None:
    before = opened(priority=Priority.HIGH)
    after, stays = correct(before, anew(Priority.LOW), was_escalated=True)
    assert after.priority is Priority.HIGH
    assert stays == ("priority high came from an escalation",)


@pytest.mark.parametrize(
    ("given", "queue", "priority", "why"),
    [
        ({"by_hand": {"queue"}}, "orders", "urgent", "its queue was set by hand"),
        ({"by_hand": {"assignee"}}, "orders", "urgent", "somebody took it; it belongs to billing"),
        ({"by_hand": {"priority"}}, "billing", "normal", "priority normal was set by hand"),
        (
            {"queue_is_taken": True},
            "orders",
            "urgent",
            "another ticket of this profile is open in billing",
        ),
    ],
)
def test_what_it_cannot_or_may_not_change_is_said(
    given: dict[str, Any], queue: str, priority: str, why: str
) -> None:
    after, stays = correct(opened(), anew(), **given)
    assert (after.queue, after.priority, stays) == (queue, priority, (why,))


def test_one_to_which_nothing_is_owed_any_more_is_left_to_a_person() -> None:
    before = opened()
    after, stays = correct(before, anew(), owed=False)
    assert stays == ("nothing is owed any more; a person may close it",)
    assert (after.queue, after.priority, after.status) == (
        before.queue,
        before.priority,
        before.status,
    )
    assert after.first.intent == "billing_or_payment"


@pytest.mark.parametrize("status", [TicketStatus.RESOLVED, TicketStatus.CLOSED])
def test_one_that_has_ended_stays(status: TicketStatus) -> None:
    after, stays = correct(opened(status=status), anew())
    assert (after.queue, after.status, stays) == ("orders", status, ("the ticket has ended",))

"""What an override changes on the ticket that already holds its touchpoint."""

from collections.abc import Collection
from typing import Literal, NamedTuple

from shared.domain.sla import Calendar
from shared.domain.ticket import CustomerWord, Priority, SlaPolicy, Ticket, change_priority

Settable = Literal["queue", "priority", "assignee"]
"""What an agent sets by hand, and automation then leaves alone."""


class Corrected(NamedTuple):
    ticket: Ticket
    stays: tuple[str, ...]
    """Why something is not as it would follow now, in plain words."""


def correct_ticket(
    ticket: Ticket,
    word: CustomerWord,
    *,
    owed: bool,
    queue: str,
    queue_is_taken: bool,
    by_hand: Collection[Settable],
    was_escalated: bool,
    sla: SlaPolicy,
    calendar: Calendar,
) -> Corrected:
    """The ticket with a word it holds understood anew; `queue` and the word's priority follow now.

    The one that opened it moves it; one that only joined may raise its priority. What a person set
    stays, an ended ticket stays, and one to which nothing is owed any more is left to a person.
    """
    ends = {"first": ticket.first, "last": ticket.last}
    held = {name for name, one in ends.items() if one.touchpoint_id == word.touchpoint_id}
    corrected = ticket.model_copy(update=dict.fromkeys(held, word))
    if ticket.is_ended:
        return Corrected(corrected, ("the ticket has ended",))
    if not owed:
        return Corrected(corrected, ("nothing is owed any more; a person may close it",))
    stays = []
    priority = word.priority
    if held != set(ends) or was_escalated:
        # Others may have asked for it: messages in between, which a ticket does not keep, or time.
        priority = max(ticket.priority, word.priority, key=lambda one: one.rank)
    if priority is not ticket.priority and "priority" in by_hand:
        stays.append(f"priority {ticket.priority} was set by hand")
    elif priority is not ticket.priority:
        corrected = change_priority(corrected, priority, sla=sla, calendar=calendar)
    if "first" in held and queue != ticket.queue:
        if reason := _why_it_stays(queue, queue_is_taken, by_hand):
            stays.append(reason)
        else:
            corrected = corrected.model_copy(update={"queue": queue})
    if priority is not word.priority:
        stays.append(_why_no_lower(was_escalated, ticket.priority))
    return Corrected(corrected, tuple(stays))


def _why_it_stays(queue: str, is_taken: bool, by_hand: Collection[Settable]) -> str:
    """Empty where it moves."""
    if "queue" in by_hand:
        return "its queue was set by hand"
    if "assignee" in by_hand:
        return f"somebody took it; it belongs to {queue}"
    return f"another ticket of this profile is open in {queue}" if is_taken else ""


def _why_no_lower(was_escalated: bool, priority: Priority) -> str:
    if was_escalated:
        return f"priority {priority} came from an escalation"
    return f"priority {priority} may come from other messages"

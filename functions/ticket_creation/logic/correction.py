"""A person overrode what a touchpoint was understood as, or more is known of a call: the ticket
that holds it follows.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from shared.deciding import Way
from shared.domain.correction import Settable, correct_ticket
from shared.domain.decision import Decision
from shared.domain.journey import JourneyState, TicketOutcome, TicketStep
from shared.domain.model import TouchpointId
from shared.domain.override import Override
from shared.domain.ticket import CustomerWord, Ticket
from shared.events.catalogue import TicketChanged
from shared.policies.reader import Policies
from shared.ports.ledger import LedgerEntry
from shared.ports.tickets import LogEntry, TicketStore

BY_HAND = frozenset({"edited", "resolved"})
"""What the log calls it when an agent changed the ticket."""
SETTABLE: tuple[Settable, ...] = ("queue", "priority", "assignee")


class Follows(NamedTuple):
    """What follows for a ticket from what its touchpoint now counts as."""

    word: CustomerWord
    owed: bool
    way: Way
    queue_is_taken: bool
    """Another ticket of the profile is open there."""
    priority: Decision


def holding_ticket(
    entry: LedgerEntry, open_tickets: Sequence[Ticket], tickets: TicketStore
) -> Ticket | None:
    """The ticket that an earlier round of this touchpoint opened or joined, even if it has ended.

    A round that failed after this step left no outcome; its ticket is then still an open one.
    """
    step = JourneyState.model_validate(entry.outcome).ticket_creation if entry.outcome else None
    if step is not None and step.ticket_id is not None:
        return tickets.read(step.ticket_id)
    held = entry.touchpoint.touchpoint_id
    return next(
        (one for one in open_tickets if held in {one.first.touchpoint_id, one.last.touchpoint_id}),
        None,
    )


def correct(
    ticket: Ticket,
    follows: Follows,
    entry: LedgerEntry,
    *,
    tickets: TicketStore,
    policies: Policies,
) -> TicketStep:
    """Move the ticket to where it now belongs, and log who overrode what, or that a call went on.

    The step again finds both done, and writes nothing. Raises Contention.
    """
    known = tickets.log(ticket.ticket_id)
    corrected, stays = correct_ticket(
        ticket,
        follows.word,
        owed=follows.owed,
        queue=follows.way.queue,
        queue_is_taken=follows.queue_is_taken,
        by_hand=_set_by_hand(known),
        was_escalated=any(one.what == "escalated" for one in known),
        sla=policies.sla,
        calendar=policies.calendar_of(ticket.first),
    )
    changes = {**_changes(ticket, corrected), "stays": list(stays)}
    log = (
        override_log(entry.overrides, follows.word.touchpoint_id, **changes)
        if entry.overrides
        else _growth_log(entry, follows, **changes)
    )
    if corrected != ticket or not any(_is_same(one, log) for one in known):
        event = TicketChanged(
            ticket_id=ticket.ticket_id,
            profile_id=ticket.profile_id,
            queue=corrected.queue,
            status=corrected.status,
            priority=corrected.priority,
            change="overridden" if entry.overrides else "call_went_on",
            version=ticket.version + 1,
        )
        tickets.save(corrected, ticket, event, log)
    begins_here = ticket.first.touchpoint_id == follows.word.touchpoint_id
    promises = begins_here and follows.owed and not ticket.is_ended
    routing = Decision(
        about="routing",
        outcome=corrected.queue,
        reason="; ".join(stays) or follows.way.reason,
        by=follows.way.by,
        at=follows.priority.at,
    )
    return TicketStep(
        outcome=TicketOutcome.CORRECTED if corrected != ticket else TicketOutcome.HELD,
        ticket_id=ticket.ticket_id,
        queue=corrected.queue,
        next_step="follow_up_scheduling" if promises else "nothing",
        decisions=(follows.priority, routing),
    )


def override_log(
    overrides: Sequence[Override], touchpoint_id: TouchpointId, **detail: Any
) -> LogEntry:
    """The line of a ticket's log on the latest that people did: who overrode what, and why.

    Of its moment and not of the step's, so that the step again writes the same line.
    """
    latest = max(overrides, key=lambda one: (one.changed_at, one.override_id))
    said = {
        "override_id": latest.override_id,
        "touchpoint_id": touchpoint_id,
        **{str(aspect): value for aspect, value in latest.aspects.items()},
        "reason": latest.reason,
    }
    told = {name: value for name, value in detail.items() if value}
    return LogEntry(
        at=latest.changed_at,
        what="override_released" if latest.released else "overridden",
        by=latest.released.by if latest.released else latest.by,
        detail={"said": said, **told},
    )


def _growth_log(entry: LedgerEntry, follows: Follows, **detail: Any) -> LogEntry:
    """What is known of a call now, as of that round of its journey."""
    said = {
        "touchpoint_id": follows.word.touchpoint_id,
        "intent": follows.word.intent,
        "round": entry.grown,
    }
    told = {name: value for name, value in detail.items() if value}
    return LogEntry(
        at=follows.priority.at, what="call_went_on", by="policy", detail={"said": said, **told}
    )


def _is_same(one: LogEntry, other: LogEntry) -> bool:
    return (one.what, one.detail.get("said")) == (other.what, other.detail["said"])


def _set_by_hand(log: Sequence[LogEntry]) -> Collection[Settable]:
    return {name for name in SETTABLE for one in log if one.what in BY_HAND and name in one.detail}


def _changes(before: Ticket, after: Ticket) -> dict[str, dict[str, str]]:
    pairs: dict[str, tuple[str, str]] = {
        "queue": (before.queue, after.queue),
        "priority": (before.priority, after.priority),
    }
    return {
        name: {"from": one, "to": other} for name, (one, other) in pairs.items() if one != other
    }

"""Tickets as the API shows them, and what an agent does with one."""

from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import Field

from functions.agent_api.logic.follow_ups import FollowUpView, follow_up_view
from functions.agent_api.logic.paging import Listing, filtered
from functions.agent_api.logic.profiles import profile_ids_of
from functions.agent_api.logic.reply_windows import WayBackView, way_back_view
from shared.domain.errors import Conflict, InvalidInput, NotFound
from shared.domain.follow_up import FollowUp
from shared.domain.model import Instant, Model, ProfileId, TicketId, TouchpointId
from shared.domain.reply_window import opened_at
from shared.domain.sla import ClockState, SlaClock
from shared.domain.ticket import (
    ENDED,
    CustomerWord,
    Priority,
    Ticket,
    TicketStatus,
    change_priority,
    change_status,
)
from shared.events.catalogue import TicketChanged
from shared.policies.reader import Policies
from shared.ports.ledger import Ledger, LedgerEntry
from shared.ports.paging import Page
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock
from shared.ports.tickets import LogEntry, TicketStore

MOST_TOUCHPOINTS = 100
"""How far back a ticket's touchpoints are looked for in the timeline of its profile."""


class ClockView(Model):
    """A running promise."""

    state: ClockState
    due_at: Instant
    met_at: Instant | None
    paused_at: Instant | None


class TicketView(Model):
    """A tracked obligation."""

    ticket_id: TicketId
    number: str = Field(description="What people call it: short, and safe to say on the phone.")
    profile_id: ProfileId
    queue: str
    status: TicketStatus
    priority: Priority
    assignee: str | None
    first: CustomerWord = Field(description="The customer touchpoint that opened it.")
    last: CustomerWord = Field(description="The customer's latest one: what a reply answers.")
    due_at: Instant = Field(description="What is due next.")
    first_response: ClockView
    resolution: ClockView
    last_agent_at: Instant | None
    resolved_at: Instant | None
    version: int


class TicketDetail(TicketView):
    """A ticket with its log, its follow-ups and its touchpoints, oldest first."""

    log: tuple[LogEntry, ...]
    follow_ups: tuple[FollowUpView, ...]
    touchpoint_ids: tuple[TouchpointId, ...] = Field(
        description="Looked for among the latest hundred touchpoints of the profile."
    )
    way_back: WayBackView | None = Field(
        default=None, description="Where an answer goes, and how long words may still go there."
    )


def _clock_view(clock: SlaClock, now: datetime) -> ClockView:
    shown = clock.model_dump(include=set(ClockView.model_fields))
    return ClockView(state=clock.state(now), **shown)


def _fields(ticket: Ticket, now: datetime) -> dict[str, object]:
    """What a view of this ticket shows."""
    shown = {name: getattr(ticket, name) for name in TicketView.model_fields}
    return shown | {
        "first_response": _clock_view(ticket.first_response, now),
        "resolution": _clock_view(ticket.resolution, now),
    }


def ticket_view(ticket: Ticket, now: datetime) -> TicketView:
    return TicketView.model_validate(_fields(ticket, now))


def existing_ticket(ticket_id: TicketId, tickets: TicketStore) -> Ticket:
    ticket = tickets.read(ticket_id)
    if ticket is None:
        raise NotFound("there is no such ticket")
    return ticket


def read_ticket(
    ticket_id: TicketId,
    *,
    tickets: TicketStore,
    profiles: ProfileStore,
    ledger: Ledger,
    policies: Policies,
    clock: Clock,
) -> TicketDetail:
    ticket = existing_ticket(ticket_id, tickets)
    follow_ups = sorted(tickets.follow_ups_of_ticket(ticket_id), key=lambda one: one.due_at)
    profile = profiles.read(ticket.profile_id)
    whose = profile.profile_ids if profile is not None else (ticket.profile_id,)
    timeline = ledger.timeline(whose, since=ticket.first.at, limit=MOST_TOUCHPOINTS).items
    language = (profile.language if profile is not None else None) or ticket.last.language
    now = clock.now()
    return TicketDetail.model_validate(
        _fields(ticket, now)
        | {
            "log": tuple(sorted(tickets.log(ticket_id), key=lambda entry: entry.at)),
            "follow_ups": tuple(map(follow_up_view, follow_ups)),
            "touchpoint_ids": _touchpoint_ids(ticket, timeline, follow_ups),
            "way_back": _way_back(ticket, timeline, now, language, policies),
        }
    )


def _way_back(
    ticket: Ticket,
    timeline: Sequence[LedgerEntry],
    now: datetime,
    language: str | None,
    policies: Policies,
) -> WayBackView | None:
    """Of what an answer without a touchpoint of its own answers."""
    word = ticket.answerable
    if word.endpoint is None:
        return None
    heard = opened_at(word.endpoint, (entry.touchpoint for entry in timeline))
    spoken_at = max(word.at, heard or word.at)
    return way_back_view(word.endpoint, spoken_at, now, language=language, policies=policies)


def _touchpoint_ids(
    ticket: Ticket, timeline: Sequence[LedgerEntry], follow_ups: list[FollowUp]
) -> tuple[TouchpointId, ...]:
    """Those whose journey led here, and those that its follow-ups became."""
    ours = {ticket.first.touchpoint_id, ticket.last.touchpoint_id}
    ours |= {one.touchpoint_id for one in follow_ups if one.touchpoint_id is not None}
    return tuple(
        entry.touchpoint.touchpoint_id
        for entry in reversed(timeline)
        if entry.touchpoint.touchpoint_id in ours or _led_to(entry, ticket.ticket_id)
    )


def _led_to(entry: LedgerEntry, ticket_id: TicketId) -> bool:
    step = (entry.outcome or {}).get("ticket_creation") or {}
    return bool(step.get("ticket_id") == ticket_id)


def list_tickets(
    *,
    queue: str | None,
    status: TicketStatus | None,
    assignee: str | None,
    profile: ProfileId | None,
    limit: int,
    cursor: str | None,
    tickets: TicketStore,
    profiles: ProfileStore,
    policies: Policies,
    clock: Clock,
) -> Listing[TicketView]:
    """Of a profile newest first, else what is due next first.

    A queue without a status shows the tickets that have not ended.
    """
    if queue is not None:
        _known_queue(queue, policies)
    whose = profile_ids_of(profile, profiles) if profile is not None else ()
    fetch = _source(queue, status, assignee, whose, limit, tickets)

    def keep(one: Ticket) -> bool:
        return (
            (queue is None or one.queue == queue)
            and (status is None or one.status is status)
            and (assignee is None or one.assignee == assignee)
            and (not whose or one.profile_id in whose)
        )

    page = filtered(fetch, keep, cursor)
    now = clock.now()
    return Listing(items=tuple(ticket_view(one, now) for one in page.items), cursor=page.cursor)


def _source(
    queue: str | None,
    status: TicketStatus | None,
    assignee: str | None,
    whose: Sequence[ProfileId],
    limit: int,
    tickets: TicketStore,
) -> Callable[[str | None], Page[Ticket]]:
    """The narrowest of the lists that hold what is asked for."""
    if whose:
        return lambda cursor: tickets.by_profiles(whose, limit=limit, cursor=cursor)
    if assignee is not None:
        return lambda cursor: tickets.by_assignee(assignee, limit=limit, cursor=cursor)
    if queue is not None:
        ended = status in ENDED
        return lambda cursor: tickets.by_queue(queue, ended=ended, limit=limit, cursor=cursor)
    raise InvalidInput("name a queue, an assignee or a profile", field="queue")


def _known_queue(queue: str, policies: Policies) -> str:
    if queue not in policies.routing.queues:
        known = ", ".join(policies.routing.queues)
        raise InvalidInput(f"must be one of {known}", field="queue")
    return queue


class TicketEdit(Model):
    """What an agent changes. What is left out stays; `assignee: null` gives the ticket back."""

    status: TicketStatus | None = None
    priority: Priority | None = None
    queue: str | None = Field(default=None, max_length=100)
    assignee: str | None = Field(default=None, min_length=1, max_length=200)
    version: int | None = Field(
        default=None,
        ge=1,
        description="The version the agent looked at: when the ticket has changed since, nothing "
        "is written and the answer is 409.",
    )


def edit_ticket(
    ticket_id: TicketId,
    edit: TicketEdit,
    *,
    agent: str,
    tickets: TicketStore,
    policies: Policies,
    clock: Clock,
) -> TicketView:
    """Change a ticket by hand. Raises NotFound, InvalidInput, Conflict or Contention."""
    before = existing_ticket(ticket_id, tickets)
    if edit.version is not None and edit.version != before.version:
        raise Conflict(f"the ticket has changed: it is at version {before.version}")
    now = clock.now()
    after = _edited(before, edit, policies, now)
    if after == before:
        return ticket_view(before, now)
    _refuse_second_in_queue(after, before, tickets)
    ends = after.is_ended and not before.is_ended
    event = TicketChanged(
        ticket_id=ticket_id,
        profile_id=after.profile_id,
        queue=after.queue,
        status=after.status,
        priority=after.priority,
        change="resolved" if ends else "edited",
        version=before.version + 1,
    )
    log = LogEntry(at=now, what=event.change, by=f"agent:{agent}", detail=_changes(before, after))
    return ticket_view(tickets.save(after, before, event, log), now)


def _edited(ticket: Ticket, edit: TicketEdit, policies: Policies, now: datetime) -> Ticket:
    if not edit.model_fields_set - {"version"}:
        raise InvalidInput("name at least one thing to change", field="body")
    if ticket.status is TicketStatus.CLOSED:
        raise Conflict("a closed ticket cannot change; the customer's next message opens a new one")
    if edit.queue is not None:
        ticket = ticket.model_copy(update={"queue": _known_queue(edit.queue, policies)})
    if "assignee" in edit.model_fields_set:
        ticket = ticket.model_copy(update={"assignee": edit.assignee})
    calendar = policies.calendar_of(ticket.first)
    if edit.priority is not None and edit.priority is not ticket.priority:
        ticket = change_priority(ticket, edit.priority, sla=policies.sla, calendar=calendar)
    if edit.status is not None and edit.status is not ticket.status:
        ticket = change_status(ticket, edit.status, now, calendar)
    return ticket


def _refuse_second_in_queue(after: Ticket, before: Ticket, tickets: TicketStore) -> None:
    """A profile has one open ticket in a queue; moving or reopening must not make it two."""
    if after.is_ended or (after.queue == before.queue and not before.is_ended):
        return
    _, open_now = tickets.of_profiles([after.profile_id])
    if any(one.queue == after.queue and one.ticket_id != after.ticket_id for one in open_now):
        raise Conflict("this profile has another open ticket in that queue")


def _changes(before: Ticket, after: Ticket) -> dict[str, object]:
    names = ("status", "priority", "queue", "assignee")
    return {
        name: {"from": getattr(before, name), "to": getattr(after, name)}
        for name in names
        if getattr(before, name) != getattr(after, name)
    }

"""Tickets, follow-ups and timers in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.errors import Conflict, Contention
from shared.domain.follow_up import FollowUp, FollowUpState
from shared.domain.model import (
    FollowUpId,
    ProfileId,
    TicketId,
    isoformat,
)
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import (
    Touchpoint,
    TouchpointState,
)
from shared.events.envelope import Event
from shared.ports.paging import Page
from shared.ports.tickets import LogEntry
from tests.fake_ledger import FakeLedger
from tests.fake_pages import page_of
from tests.fake_profiles import FakeProfileStore


class _Pointer(NamedTuple):
    """Which ticket is, or was last, the open one of a profile in a queue."""

    ticket_id: TicketId
    sequence: int
    is_open: bool


class FakeTicketStore:
    """`len` counts tickets; `in` asks for a ticket id.

    Minds `ledger` and counts contacts in `profiles` where they are given.
    """

    def __init__(
        self,
        ledger: FakeLedger | None = None,
        events: list[Event] | None = None,
        profiles: FakeProfileStore | None = None,
    ) -> None:
        self.events: list[Event] = events if events is not None else []
        self._ledger = ledger
        self._profiles = profiles
        self._tickets: dict[TicketId, Ticket] = {}
        self._pointers: dict[tuple[ProfileId, str], _Pointer] = {}
        self._logs: dict[TicketId, list[LogEntry]] = {}
        self._follow_ups: dict[tuple[TicketId, FollowUpId], FollowUp] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, ticket_id: object) -> bool:
        return ticket_id in self._tickets

    def read(self, ticket_id: TicketId) -> Ticket | None:
        return self._tickets.get(ticket_id)

    def of_profiles(self, profile_ids: Sequence[ProfileId]) -> tuple[dict[str, int], list[Ticket]]:
        sequences = {
            queue: pointer.sequence
            for (whose, queue), pointer in self._pointers.items()
            if whose == profile_ids[0]
        }
        theirs = [one for (whose, _), one in self._pointers.items() if whose in profile_ids]
        return sequences, [self._tickets[one.ticket_id] for one in theirs if one.is_open]

    def open(
        self, ticket: Ticket, event: Event, log: LogEntry, *, attempt: int | None = None
    ) -> None:
        if self._ledger is not None:
            entry = self._ledger.read(ticket.first.touchpoint_id)
            is_under_way = entry is not None and entry.state is TouchpointState.RECEIVED
            if entry is None or not is_under_way or attempt not in {None, entry.attempt}:
                raise Conflict("the journey of this touchpoint has ended already")
        pointer = self._pointers.get((ticket.profile_id, ticket.queue))
        if ticket.ticket_id in self._tickets or (
            pointer is not None and (pointer.is_open or pointer.sequence >= ticket.sequence)
        ):
            raise Contention("another ticket was opened in this queue")
        self._write(ticket, event, log)

    def save(
        self, ticket: Ticket, before: Ticket, event: Event | None, log: LogEntry | None = None
    ) -> Ticket:
        known = self._tickets.get(before.ticket_id)
        if known is None or known.version != before.version:
            raise Contention("the ticket was changed by somebody else")
        if ticket.queue != before.queue:
            sequences, _ = self.of_profiles([ticket.profile_id])
            ticket = ticket.model_copy(update={"sequence": sequences.get(ticket.queue, 0) + 1})
        taken = self._pointers.get((ticket.profile_id, ticket.queue))
        beside = taken is not None and taken.is_open and taken.ticket_id != ticket.ticket_id
        if beside and not ticket.is_ended:
            raise Contention("another ticket of this profile is open in this queue")
        self._point(before, is_open=False)
        saved = ticket.model_copy(update={"version": before.version + 1})
        self._write(saved, event, log)
        return saved

    def _write(self, ticket: Ticket, event: Event | None, log: LogEntry | None) -> None:
        self._tickets[ticket.ticket_id] = ticket
        self._point(ticket, is_open=not ticket.is_ended)
        if log is not None:
            self._logs.setdefault(ticket.ticket_id, []).append(log)
        if event is not None:
            self.events.append(event)

    def _point(self, ticket: Ticket, *, is_open: bool) -> None:
        pointer = self._pointers.get((ticket.profile_id, ticket.queue))
        if is_open or pointer is None or pointer.ticket_id == ticket.ticket_id:
            key = (ticket.profile_id, ticket.queue)
            self._pointers[key] = _Pointer(ticket.ticket_id, ticket.sequence, is_open)

    def by_queue(
        self, queue: str, *, ended: bool = False, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]:
        found = [t for t in self._tickets.values() if t.queue == queue and t.is_ended is ended]
        return page_of(found, _ticket_due, limit=limit, cursor=cursor)

    def by_profiles(
        self, profile_ids: Sequence[ProfileId], *, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]:
        found = [one for one in self._tickets.values() if one.profile_id in profile_ids]
        return page_of(found, _ticket_opened, limit=limit, cursor=cursor, newest_first=True)

    def by_assignee(
        self, assignee: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]:
        found = [one for one in self._tickets.values() if one.assignee == assignee]
        return page_of(found, _ticket_due, limit=limit, cursor=cursor)

    def log(self, ticket_id: TicketId) -> list[LogEntry]:
        return list(self._logs.get(ticket_id, []))

    def promise(self, follow_up: FollowUp, event: Event) -> FollowUp:
        key = (follow_up.ticket_id, follow_up.follow_up_id)
        known = self._follow_ups.get(key)
        earlier = known is None or (
            known.state is FollowUpState.SCHEDULED and follow_up.since < known.since
        )
        if earlier:
            self._follow_ups[key] = follow_up
            self.events.append(event)
        return self._follow_ups[key]

    def read_follow_up(self, ticket_id: TicketId, follow_up_id: FollowUpId) -> FollowUp | None:
        return self._follow_ups.get((ticket_id, follow_up_id))

    def follow_ups_of_ticket(self, ticket_id: TicketId) -> list[FollowUp]:
        found = [one for one in self._follow_ups.values() if one.ticket_id == ticket_id]
        return sorted(found, key=_follow_up_due)

    def follow_ups_of_profiles(
        self, profile_ids: Sequence[ProfileId], *, limit: int = 50, cursor: str | None = None
    ) -> Page[FollowUp]:
        found = [one for one in self._follow_ups.values() if one.profile_id in profile_ids]
        return page_of(found, _follow_up_due, limit=limit, cursor=cursor, newest_first=True)

    def follow_ups_in_state(
        self, state: FollowUpState, *, limit: int = 50, cursor: str | None = None
    ) -> Page[FollowUp]:
        found = [one for one in self._follow_ups.values() if one.state is state]
        return page_of(found, _follow_up_due, limit=limit, cursor=cursor)

    def move(self, follow_up: FollowUp, expected: FollowUpState) -> None:
        self._refuse_moved(follow_up, expected)
        self._follow_ups[(follow_up.ticket_id, follow_up.follow_up_id)] = follow_up

    def end(
        self,
        follow_up: FollowUp,
        expected: FollowUpState,
        event: Event,
        *,
        sent: Touchpoint | None = None,
        ticket: tuple[Ticket, Ticket, Event, LogEntry] | None = None,
    ) -> None:
        self._refuse_moved(follow_up, expected)
        if ticket is not None:
            after, before, change, log = ticket
            self.save(after, before, change, log)
        self.move(follow_up, expected)
        if sent is not None and self._ledger is not None:
            self._ledger.record_sent(sent, follow_up.profile_id, follow_up)
        if sent is not None and self._profiles is not None:
            self._profiles.count_contact(follow_up.profile_id, sent)
        self.events.append(event)

    def _refuse_moved(self, follow_up: FollowUp, expected: FollowUpState) -> None:
        known = self.read_follow_up(follow_up.ticket_id, follow_up.follow_up_id)
        if known is None or known.state is not expected:
            raise Contention("the follow-up is no longer where it was")

    # What a test begins with.

    def put(self, ticket: Ticket, *logged: LogEntry) -> Ticket:
        """A ticket that is there already."""
        self._write(ticket, None, None)
        self._logs.setdefault(ticket.ticket_id, []).extend(logged)
        return ticket

    def put_follow_up(self, follow_up: FollowUp) -> FollowUp:
        self._follow_ups[(follow_up.ticket_id, follow_up.follow_up_id)] = follow_up
        return follow_up


def _ticket_due(ticket: Ticket) -> str:
    return f"{isoformat(ticket.due_at)} {ticket.ticket_id}"


def _ticket_opened(ticket: Ticket) -> str:
    return f"{isoformat(ticket.first.at)} {ticket.ticket_id}"


def _follow_up_due(follow_up: FollowUp) -> str:
    return f"{isoformat(follow_up.due_at)} {follow_up.follow_up_id}"


class FakeTimer:
    """`len` counts what is scheduled, `in` asks for a name; `fire` plays the passing of time."""

    def __init__(self) -> None:
        self.scheduled: dict[str, tuple[datetime, dict[str, Any]]] = {}

    def __len__(self) -> int:
        return len(self.scheduled)

    def __contains__(self, name: object) -> bool:
        return name in self.scheduled

    def schedule(self, name: str, at: datetime, payload: Mapping[str, Any]) -> bool:
        if name in self.scheduled:
            return False
        self.scheduled[name] = (at, dict(payload))
        return True

    def move(self, name: str, at: datetime, payload: Mapping[str, Any]) -> None:
        if name in self.scheduled:
            self.scheduled[name] = (at, dict(payload))

    def fire(self, now: datetime) -> list[dict[str, Any]]:
        """The payloads that are due, earliest first; their schedules are gone."""
        due = sorted((at, name) for name, (at, _) in self.scheduled.items() if at <= now)
        return [self.scheduled.pop(name)[1] for _, name in due]

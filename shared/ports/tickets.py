"""What is owed to people, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from shared.domain.model import FollowUpId, Instant, Model, ProfileId, TicketId
from shared.domain.touchpoint import Touchpoint

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.follow_up import FollowUp, FollowUpState
    from shared.domain.ticket import Ticket
    from shared.events.envelope import Event
from shared.ports.paging import Page


class LogEntry(Model):
    """One line of a ticket's log."""

    at: Instant
    what: str
    by: str
    detail: dict[str, Any] = {}


class TicketStore(Protocol):
    def read(self, ticket_id: TicketId) -> Ticket | None: ...

    def of_profiles(self, profile_ids: Sequence[ProfileId]) -> tuple[dict[str, int], list[Ticket]]:
        """The last sequence the first of them used in each queue, and the tickets of all that are
        open now.

        Strongly consistent.
        """

    def open(
        self, ticket: Ticket, event: Event, log: LogEntry, *, attempt: int | None = None
    ) -> None:
        """Write a new ticket and its queue's pointer, only for a touchpoint still in flight.

        `attempt`: only while that round of its journey is under way. Raises Conflict where it has
        ended, Contention where another ticket came first.
        """

    def save(
        self, ticket: Ticket, before: Ticket, event: Event | None, log: LogEntry | None = None
    ) -> Ticket:
        """Replace `before`, keeping its pointer right.

        Returns the ticket with its new version. Raises Contention.
        """

    def by_queue(
        self, queue: str, *, ended: bool = False, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]:
        """Ordered by what is due next."""

    def by_profiles(
        self, profile_ids: Sequence[ProfileId], *, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]:
        """Newest first."""

    def by_assignee(
        self, assignee: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]: ...

    def log(self, ticket_id: TicketId) -> list[LogEntry]: ...

    def promise(self, follow_up: FollowUp, event: Event) -> FollowUp:
        """Write a follow-up unless it is there; one that counts from earlier replaces it while it
        is still scheduled.

        Returns the follow-up as it stands.
        """

    def read_follow_up(self, ticket_id: TicketId, follow_up_id: FollowUpId) -> FollowUp | None: ...

    def follow_ups_of_ticket(self, ticket_id: TicketId) -> list[FollowUp]: ...

    def follow_ups_of_profiles(
        self, profile_ids: Sequence[ProfileId], *, limit: int = 50, cursor: str | None = None
    ) -> Page[FollowUp]: ...

    def follow_ups_in_state(
        self, state: FollowUpState, *, limit: int = 50, cursor: str | None = None
    ) -> Page[FollowUp]:
        """Ordered by due time."""

    def move(self, follow_up: FollowUp, expected: FollowUpState) -> None:
        """Replace a follow-up that is still in `expected`; no event. Raises Contention."""

    def end(
        self,
        follow_up: FollowUp,
        expected: FollowUpState,
        event: Event,
        *,
        sent: Touchpoint | None = None,
        ticket: tuple[Ticket, Ticket, Event, LogEntry] | None = None,
    ) -> None:
        """End a follow-up together with what it did: the outbound touchpoint, the ticket (after,
        before). One transaction.
        """


class Timer(Protocol):
    def schedule(self, name: str, at: datetime, payload: Mapping[str, Any]) -> bool:
        """Fire once at `at`, or as soon as possible when that is past.

        False when that name is scheduled already.
        """

    def move(self, name: str, at: datetime, payload: Mapping[str, Any]) -> None:
        """Set the time of a schedule that exists; one that has already fired stays gone."""

"""What the steps need from the world, in the house's own words.

`adapters` gives it on AWS, `tests/fakes.py` in tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from shared.domain.model import FollowUpId, Instant, Model, ProfileId, TicketId, TouchpointId
from shared.domain.touchpoint import (
    Channel,
    DeliveryStatus,
    Endpoint,
    Touchpoint,
    TouchpointState,
)

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.classification import Classification
    from shared.domain.follow_up import FollowUp, FollowUpState
    from shared.domain.identity import Identifier
    from shared.domain.profile import MergeSuggestion, Profile, Suppression, Trait
    from shared.domain.ticket import Ticket
    from shared.events.envelope import Event
    from shared.providers.base import Observed, Outgoing, WebhookRequest

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """`cursor` continues after this page; None means there is no more."""

    items: list[T]
    cursor: str | None


class LedgerEntry(Model):
    """A touchpoint and what became of it so far."""

    touchpoint: Touchpoint
    state: TouchpointState
    deliveries: int = 1
    """How often the provider sent it."""
    profile_id: ProfileId | None = None
    outcome: dict[str, Any] | None = None
    """The journey's own record, a JourneyState as JSON, with classification and decisions."""
    delivery: DeliveryStatus | None = None
    """The furthest the provider told us of an outbound touchpoint."""
    failed_step: str | None = None
    error: str | None = None
    attempt: int = 1


class Quarantined(Model):
    """An authentic request nobody could read."""

    touchpoint_id: TouchpointId
    provider: str
    reason: str
    received_at: Instant
    deliveries: int = 1


class Balance(NamedTuple):
    """Of all touchpoints ever delivered to us: received = processed + duplicate + quarantined +
    in_flight.

    `received` counts deliveries, each of the others its own mark in the ledger. `failed` are those
    in flight that wait for `redrive`.
    """

    received: int
    processed: int
    duplicate: int
    quarantined: int
    in_flight: int
    failed: int

    @property
    def holds(self) -> bool:
        return self.received == self.processed + self.duplicate + self.quarantined + self.in_flight


class Ledger(Protocol):
    def record(self, observed: Sequence[Observed]) -> list[bool]:
        """Make each durable with its TouchpointReceived, or count one more delivery of it.

        True where it is new. Raises where a write fails; those already written stay, and count as
        duplicates when the provider sends the request again.
        """

    def quarantine(
        self, provider: str, request: WebhookRequest, reason: str, received_at: datetime
    ) -> TouchpointId:
        """Keep the whole request. The same body again counts as one more delivery."""

    def read(self, touchpoint_id: TouchpointId) -> LedgerEntry | None: ...

    def read_quarantined(self, touchpoint_id: TouchpointId) -> Quarantined | None: ...

    def read_many(self, touchpoint_ids: Sequence[TouchpointId]) -> list[LedgerEntry]:
        """In the order asked; the unknown ones are left out."""

    def timeline(
        self,
        profile_id: ProfileId,
        *,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LedgerEntry]:
        """A profile's touchpoints, newest first."""

    def in_state(
        self,
        state: TouchpointState,
        *,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LedgerEntry | Quarantined]:
        """Oldest first. Failed and quarantined come from an index; the other states cost a scan,
        page by page.
        """

    def mailbox(self, endpoint: Endpoint, *, after: datetime | None = None) -> list[LedgerEntry]:
        """Outbound touchpoints that wait to be fetched at this endpoint: the latest hundred at
        least, oldest first.
        """

    def advance_delivery(self, provider: str, account: str, status: DeliveryStatus) -> None:
        """Move an outbound touchpoint's delivery forward, never back.

        Before the touchpoint itself is fine.
        """

    def send_again(self, touchpoint_id: TouchpointId) -> bool:
        """Put a failed or stuck touchpoint back in flight, with its event.

        False when it is neither.
        """

    def quarantined_request(self, touchpoint_id: TouchpointId) -> tuple[str, WebhookRequest] | None:
        """The provider's name and the request as it came."""

    def release(self, touchpoint_id: TouchpointId) -> None:
        """A quarantined request was read after all; its touchpoints are in the ledger."""

    def balance(self) -> Balance:
        """Count the whole ledger."""


class ProfileTie(NamedTuple):
    """What `profile_update` decided to write, all at once or not at all."""

    touchpoint: Touchpoint
    profile_id: ProfileId
    new_identifiers: tuple[Identifier, ...]
    is_new: bool
    traits: Mapping[str, Trait]
    suggestion: MergeSuggestion | None
    finished: bool
    """Whether the touchpoint's journey ends here."""
    event: Event | None


class ProfileStore(Protocol):
    def find(self, identifiers: Sequence[Identifier]) -> dict[Identifier, ProfileId]:
        """Whose each identifier is; the unknown ones are left out. Strongly consistent."""

    def read(self, profile_id: ProfileId) -> Profile | None: ...

    def attach(self, tie: ProfileTie) -> None:
        """Tie a touchpoint to its profile: links, counter, traits, suggestion and the ledger entry
        in one transaction.

        Raises Contention when another journey changed one of them first, Conflict when this
        touchpoint already has its profile.
        """

    def finish(self, touchpoint_id: TouchpointId) -> None:
        """End the journey of a touchpoint that no profile can be tied to."""

    def learn_language(self, profile_id: ProfileId, language: str, at: datetime) -> None:
        """Keep it unless a later message already taught one."""

    def suppress(self, suppression: Suppression) -> None: ...

    def suppression(self, endpoint: Endpoint) -> Suppression | None: ...

    def suggestions(self, profile_id: ProfileId) -> list[MergeSuggestion]: ...


class LogEntry(Model):
    """One line of a ticket's log."""

    at: Instant
    what: str
    by: str
    detail: dict[str, Any] = {}


class TicketStore(Protocol):
    def read(self, ticket_id: TicketId) -> Ticket | None: ...

    def of_profile(self, profile_id: ProfileId) -> tuple[dict[str, int], list[Ticket]]:
        """The last sequence used in each queue, and the tickets that are open now.

        Strongly consistent.
        """

    def open(self, ticket: Ticket, event: Event, log: LogEntry) -> None:
        """Write a new ticket and its queue's pointer, only for a touchpoint still in flight.

        Raises Conflict where its journey has ended, Contention where another ticket came first.
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

    def by_profile(
        self, profile_id: ProfileId, *, limit: int = 50, cursor: str | None = None
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

    def follow_ups_of_profile(
        self, profile_id: ProfileId, *, limit: int = 50, cursor: str | None = None
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


class Classifier(Protocol):
    def classify(
        self, text: str, *, language: str | None = None, channel: Channel | None = None
    ) -> Classification:
        """What `text` means. `language` and `channel` are what the touchpoint states of itself."""


class Secrets(Protocol):
    def read(self, provider: str) -> Mapping[str, Any] | None:
        """The secret's JSON object, or None when there is none."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""


class Sender(Protocol):
    def transmit(self, provider: str, outgoing: Outgoing) -> str:
        """Send it and return the provider's id.

        Raises SendRefused, SendDelayed or SendUnconfirmed.
        """


class PhoneNumbers(Protocol):
    def e164(self, value: str, region: str | None = None) -> str | None:
        """`+33612345678`, or None when it is no possible number."""


class Bus(Protocol):
    def publish(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        """Put each (detail-type, detail) on the bus; True where the bus took it."""

"""The ledger: every touchpoint once, with its raw request, its files and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from shared.domain.media import Media, Medium
from shared.domain.model import FollowUpId, Instant, Model, ProfileId, TicketId, TouchpointId
from shared.domain.override import Override
from shared.domain.touchpoint import (
    DeliveryStatus,
    Endpoint,
    Touchpoint,
    TouchpointState,
)

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.events.envelope import Event
    from shared.providers.base import (
        Observed,
        OneTimeProof,
        WebhookRequest,
    )
from shared.ports.paging import Page, T


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
    """The furthest the provider told us of an outbound touchpoint, with the price category that any
    of its statuses named.
    """
    delivery_times: dict[str, Instant] = {}
    """When it reached each stage, by status, as the provider says."""
    failed_step: str | None = None
    error: str | None = None
    attempt: int = 1
    """How often its journey began: after a redrive or an override it goes round again."""
    grown: int = 1
    """Which round of its journey the last part began that told something to think about: a call's;
    of everything else there is one part."""
    overrides: tuple[Override, ...] = ()
    """What people said it is, in that order; never deleted, only released."""
    media: dict[str, Medium] = {}
    """What became of its files, by `medium_name`; its attachments say where they are."""


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


class Delivery(NamedTuple):
    """How far a message of ours came, and for what it left."""

    status: DeliveryStatus
    """The furthest that was told."""
    is_known: bool
    """Whether the ledger holds the message itself."""
    ticket_id: TicketId | None = None
    follow_up_id: FollowUpId | None = None


class Ledger(Protocol):
    def record(self, observed: Sequence[Observed]) -> list[bool]:
        """Make each durable with its TouchpointReceived, or count one more delivery of it. A batch
        has one TouchpointsReceived instead, once all of it is durable.

        Parts of a call become one touchpoint, which goes round its journey again where a part tells
        something to think about. True where it, or the part, is new. Raises where a write fails;
        those already written stay, and count as duplicates when the provider sends the request
        again.
        """

    def claim(self, provider: str, proof: OneTimeProof, now: datetime) -> bool:
        """Remember what the proof came with; False where it came with something else before."""

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
        profile_ids: Sequence[ProfileId],
        *,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LedgerEntry]:
        """The touchpoints of all profiles of a person, newest first.

        A cursor is bound to the first of them.
        """

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

    def advance_delivery(self, told: Touchpoint, status: DeliveryStatus) -> Delivery:
        """Move an outbound touchpoint's delivery forward, never back, by what `told` says of it.

        Of each stage the earliest time that was told counts. Before the touchpoint itself is fine.
        Returns how far it is then.
        """

    def send_again(self, touchpoint_id: TouchpointId) -> bool:
        """Put a failed or stuck touchpoint back in flight, with its event.

        False when it is neither.
        """

    def override(
        self, before: LedgerEntry, overrides: Sequence[Override], event: Event
    ) -> LedgerEntry:
        """Keep the overrides of a touchpoint and put it round its journey again, with the event.

        The event's attempt is the next one. Returns the entry as it then stands. Raises Contention
        where it is no longer as it was read.
        """

    def record_media(
        self, touchpoint_id: TouchpointId, before: Media, media: Media, event: Event
    ) -> bool:
        """Keep what became of its files, with the event.

        Raises Contention where that is no longer `before`: each of two parts of a call may bring
        files. False where it was erased meanwhile: then its files are deleted as well.
        """

    def all(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[LedgerEntry]:
        """Every touchpoint received from `since` and before `until`, in no order, for a batch: it
        reads the whole table.

        `limit` counts what is looked at, so a page may be short, or empty.
        """

    def quarantined_request(self, touchpoint_id: TouchpointId) -> tuple[str, WebhookRequest] | None:
        """The provider's name and the request as it came."""

    def release(self, touchpoint_id: TouchpointId) -> None:
        """A quarantined request was read after all; its touchpoints are in the ledger."""

    def balance(self) -> Balance:
        """Count the whole ledger."""


class UploadForm(NamedTuple):
    """Where a file is put, by a POST of a form with these fields and, last, `file`."""

    url: str
    fields: Mapping[str, str]


class Upload(NamedTuple):
    """What was put there. `name` and `content_type` are what its form said of it."""

    content: bytes
    name: str
    content_type: str


class MediaFiles(Protocol):
    """The files of messages."""

    def offer(self, upload_id: str, name: str, content_type: str, largest: int) -> UploadForm:
        """Let one file of that type and at most so many bytes be put, for a quarter of an hour."""

    def upload(self, upload_id: str, largest: int) -> Upload | None:
        """None where nothing was put, or it has ended. Raises MediumTooLarge."""

    def keep_to_send(self, ticket_id: TicketId, content: bytes, content_type: str) -> str:
        """Store a file that a reply sends along; its key. The same twice in a ticket is one."""

    def keep(
        self, touchpoint_id: TouchpointId, name: str, content: bytes, content_type: str
    ) -> str:
        """Store one file of a touchpoint, each at one place; its key."""

    def read(self, object_key: str) -> bytes | None:
        """None where it was deleted."""

    def drop(self, object_key: str) -> None: ...

    def discard(self, touchpoint_id: TouchpointId) -> None:
        """Delete all files of a touchpoint that is no more."""

    def link(self, object_key: str, name: str) -> str:
        """An address at which it can be saved under this name, for a few minutes."""

    def address(self, object_key: str, name: str) -> str:
        """The same for a provider or a page that fetches it, for an hour."""


class Haste(Protocol):
    """For a caller who hangs up: work that may take only so long, and how to have it done later."""

    def within(self, limit: timedelta, work: Callable[[], T]) -> T | None:
        """What `work` returned; None where it failed or took too long. It may then be done yet."""

    def hand_over(self, request: WebhookRequest) -> bool:
        """Have the request, which is proven, taken in once more, with nobody waiting. True; raises
        where it fails.

        It waits in a queue, so nothing that proves may stand in it.
        """

"""What the steps need from the world, in the house's own words.

`adapters` gives it on AWS, `tests/fakes.py` in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from shared.domain.media import Media, Medium
from shared.domain.model import FollowUpId, Instant, Model, ProfileId, TicketId, TouchpointId
from shared.domain.override import Override
from shared.domain.touchpoint import (
    Channel,
    DeliveryStatus,
    Endpoint,
    Touchpoint,
    TouchpointState,
)

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.ai_use import (
        AiUseName,
        AiUseState,
        PaidModel,
        Refusal,
        Reservation,
        Switch,
    )
    from shared.domain.breaker import BreakerState
    from shared.domain.classification import Classification
    from shared.domain.consent import Consent
    from shared.domain.follow_up import FollowUp, FollowUpState
    from shared.domain.identity import Identifier
    from shared.domain.identity_graph import IdentityGraph
    from shared.domain.privacy import Erasure, ErasureId, ErasureProof, Export, ExportId, Search
    from shared.domain.profile import LearnedLanguage, MergeSuggestion, Mood, Profile, Trait
    from shared.domain.records import Record, RecordKind, Standing
    from shared.domain.segment import Membership, SegmentState
    from shared.domain.suppression import (
        Notice,
        NoticeState,
        Release,
        Suppression,
        SuppressionRecord,
    )
    from shared.domain.ticket import Ticket
    from shared.domain.webhook import Answer, Subscription, WebhookDelivery
    from shared.events.envelope import Event
    from shared.providers.base import (
        HttpRequest,
        HttpResponse,
        Observed,
        OneTimeProof,
        Outgoing,
        WebhookRequest,
    )

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
        """Make each durable with its TouchpointReceived, or count one more delivery of it. What is
        `told_together` has one TouchpointsReceived, once all of it is durable.

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


class StoredGraph(NamedTuple):
    """`version` counts its writes: whoever writes it next must have read this one."""

    graph_id: str
    version: int
    graph: IdentityGraph


class GraphChange(NamedTuple):
    """Identity graphs that become one, or one that changes."""

    before: tuple[StoredGraph, ...]
    after: IdentityGraph
    event: Event | None
    """Where persons merged or separated by it."""
    suggestions: tuple[MergeSuggestion, ...] = ()
    """Of those who may be one person from now on, and are not."""


class Ties(NamedTuple):
    """How many touchpoints were ever counted at a profile, and which of them last before it was
    tied; None where all were tied in the same write.
    """

    number: int
    last: TouchpointId | None


class Known(NamedTuple):
    """What the store holds of some profiles. Strongly consistent."""

    profiles: Mapping[ProfileId, Profile]
    """Each by itself, where it has a history."""
    graphs: Mapping[ProfileId, StoredGraph]
    """Of those whose identifier is tied to another."""
    ties: Mapping[ProfileId, Ties] = MappingProxyType({})
    """Of those that have a history, where the store needs to be told of them again."""


class StoredRecord(NamedTuple):
    """`version` counts its writes: whoever writes it next must have read this one."""

    record: Record
    version: int


class RecordChange(NamedTuple):
    """What a profile knows of a record, and what it knows with one more version."""

    before: StoredRecord | None
    after: Record


class ProfileTie(NamedTuple):
    """What `profile_update` decided to write, once."""

    touchpoint: Touchpoint
    home: Identifier
    profile: Profile | None
    """The home's, as it was read; None where this touchpoint is its first."""
    graph_id: str | None
    """The identity graph that the home was in when it was read."""
    graph: GraphChange | None
    traits: Mapping[str, Trait]
    finished: bool
    """Whether the touchpoint's journey ends here."""
    event: Event | None
    counts: Standing
    """What it adds to the home's sums."""
    record: RecordChange | None = None
    """Of the home, where the touchpoint tells of an order, a contract, …"""
    time_zone: str | None = None
    """Where the home tells one, with its first touchpoint."""
    attempt: int = 1
    """The round of its journey in which the touchpoint was read."""
    ties: Ties | None = None
    """Of the home, as they were read."""

    @property
    def profile_id(self) -> ProfileId:
        return self.home.profile_id


class ProfileStore(Protocol):
    def known(self, profile_ids: Sequence[ProfileId]) -> Known:
        """Each profile by itself, and the identity graphs they are in.

        Raises Contention where a graph was changed while it was read.
        """

    def read(self, profile_id: ProfileId) -> Profile | None:
        """The person behind this profile: all that is theirs, under the id they are known by."""

    def attach(self, tie: ProfileTie) -> None:
        """Tie a touchpoint to its home: counters, traits, identity graph, suggestions and the
        ledger entry. Where it breaks off, the same again goes on, and counts nothing twice.

        Raises Contention when another journey changed one of them first, Conflict when this
        touchpoint already has its profile, or a later round of its journey began.
        """

    def change_graph(self, change: GraphChange) -> None:
        """Write what a person decided.

        Raises Contention when a graph or one of its profiles is no longer as it was read.
        """

    def was_erased(self, profile_id: ProfileId) -> bool: ...

    def finish(self, touchpoint_id: TouchpointId, attempt: int, event: Event | None = None) -> None:
        """End the journey of a touchpoint that no profile can be tied to, or that has its profile.

        Raises Contention where a later round of it began.
        """

    def learn(
        self,
        profile_id: ProfileId,
        touchpoint_id: TouchpointId,
        language: LearnedLanguage | None,
        mood: Mood | None,
        event: Event | None = None,
    ) -> None:
        """Keep what one message taught: the latest languages and moods.

        None takes back what the same message taught before. `event` is stated where that makes
        another language of theirs, or another mood of a message that was known. Raises Contention.
        """

    def record(self, profile_id: ProfileId, key: str) -> StoredRecord | None:
        """What one profile was told of a record (`order#4512`). Strongly consistent."""

    def records(
        self,
        profile_ids: Sequence[ProfileId],
        kind: RecordKind | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Record]:
        """What all these profiles know together, each record once, by kind and number."""

    def suggest(self, suggestion: MergeSuggestion) -> bool:
        """False where the two are one person already, or somebody decided that they are not."""

    def suggestions(self, profile_ids: Sequence[ProfileId]) -> list[MergeSuggestion]:
        """Those still open that name one of these profiles."""

    def suggestions_open(
        self, *, limit: int = 50, cursor: str | None = None
    ) -> Page[MergeSuggestion]:
        """The review queue, the most probable first. A page may be shorter than its limit."""


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


class ConsentStore(Protocol):
    """What people allowed and forbade, and what stops a message."""

    def state(self, profile_id: ProfileId, consent: Consent) -> None:
        """Add a statement to the ledger of consents. The same one again changes nothing."""

    def of(self, profile_ids: Sequence[ProfileId]) -> list[Consent]:
        """Everything ever stated for these profiles, oldest first. Strongly consistent."""

    def records(self, subjects: Sequence[str]) -> dict[str, SuppressionRecord]:
        """What was said of sending to each subject; those nobody spoke of are left out.

        Strongly consistent.
        """

    def tell(
        self,
        subject: str,
        *statements: Suppression | Release,
        notice: Notice | None = None,
        event: Event | None = None,
    ) -> bool:
        """Fold statements into a subject's record, whatever order they come in.

        Only where that changes what is stopped, `notice` becomes due and `event` leaves; then True.
        Raises Contention where others keep writing the same record.
        """

    def call_for_help(self, subject: str, notice: Notice, event: Event) -> bool:
        """Make a notice due, unless it is known or another was called for shortly before."""

    def move_notice(self, subject: str, notice: Notice, expected: NoticeState) -> None:
        """Replace a notice that is still the subject's, and still in `expected`.

        Raises Contention.
        """

    def end_notice(
        self, subject: str, notice: Notice, *, sent: Touchpoint, profile_id: ProfileId | None
    ) -> None:
        """Keep what left, with the touchpoint it became, even where another notice is due by now.

        Raises Contention.
        """


class SegmentStore(Protocol):
    def remember(
        self, profile_id: ProfileId, name: str, at: datetime, touchpoint_id: TouchpointId
    ) -> None:
        """Keep that a named event happened, once for each touchpoint; of each name the newest."""

    def states(self, profile_ids: Sequence[ProfileId]) -> dict[ProfileId, SegmentState]:
        """Of each of these, in their order. Strongly consistent."""

    def enter(self, membership: Membership, event: Event) -> bool:
        """False where they are in already: then nothing is written."""

    def leave(self, profile_id: ProfileId, segment: str, at: datetime, event: Event) -> bool:
        """False where they are not in: then nothing is written."""

    def expect(self, profile_id: ProfileId, at: datetime, before: datetime | None) -> None:
        """Keep when the timer of this profile fires next.

        Raises Contention where that is no longer `before`.
        """

    def memberships(self, profile_id: ProfileId) -> list[Membership]:
        """Those of now, by name."""

    def members(
        self, segment: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Membership]:
        """In the order of their ids. A page may be shorter than its limit."""


class MatchIndex(Protocol):
    """Which profiles have a blocking key in common (`match_facts.blocking_keys`)."""

    def put(self, profile_id: ProfileId, keys: Collection[str]) -> None:
        """From now on a profile has exactly these keys.

        Raises Contention where somebody else changes them, or the profile is being erased.
        """

    def find(self, keys: Collection[str], *, most: int) -> list[ProfileId]:
        """Whoever has one of these keys, those that have most of them first.

        A key that more than `most` profiles have finds nobody. Strongly consistent.
        """

    def profile_ids(self, *, limit: int = 100, cursor: str | None = None) -> Page[ProfileId]:
        """Every profile with a history, in no order, for a batch: it reads the whole table.

        `limit` counts what is looked at, so a page may be short, or empty.
        """


class Timer(Protocol):
    def schedule(self, name: str, at: datetime, payload: Mapping[str, Any]) -> bool:
        """Fire once at `at`, or as soon as possible when that is past.

        False when that name is scheduled already.
        """

    def move(self, name: str, at: datetime, payload: Mapping[str, Any]) -> None:
        """Set the time of a schedule that exists; one that has already fired stays gone."""


class Webhooks(Protocol):
    """Subscriptions of the company's own systems, and what became of each delivery."""

    def subscriptions(self) -> list[Subscription]:
        """All of them, by name."""

    def subscription(self, name: str) -> Subscription | None:
        """Strongly consistent."""

    def save(self, subscription: Subscription, event: Event | None = None) -> None:
        """As the next version of what is there. Raises Contention."""

    def remove(self, name: str) -> None:
        """Its deliveries stay until they expire. What is not there is removed already."""

    def delivery(self, subscription: str, delivery_id: str) -> WebhookDelivery | None:
        """Strongly consistent."""

    def keep(self, delivery: WebhookDelivery, event: Event | None = None) -> None:
        """As the next version of what is there. Raises Contention."""

    def deliveries(
        self, subscription: str, *, limit: int, cursor: str | None = None
    ) -> Page[WebhookDelivery]:
        """The latest events first. Raises InvalidInput for a cursor of another list."""


class EventRules(Protocol):
    """Which events the bus hands to whom."""

    def listen(self, name: str, types: Sequence[str]) -> None:
        """From now on those of these types, or all; what was said before counts no more."""

    def stop(self, name: str) -> None:
        """Nothing from now on."""


class WebhookReceivers(Protocol):
    def post(self, url: str, delivery_id: str, body: bytes, secrets: Sequence[str]) -> Answer:
        """Sign with each of the secrets and post, once. Never raises."""


class Classifier(Protocol):
    def classify(
        self,
        text: str,
        *,
        language: str | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Sequence[str] = (),
    ) -> Classification:
        """What `text` means. `language`, `channel` and `names` are what the touchpoint states of
        itself and the person, `at` is when it happened.
        """


class Masker(Protocol):
    def __call__(self, text: str, names: Sequence[str] = (), /) -> str:
        """What is read of `text`, with a placeholder of its kind (`[phone]`) for each piece of
        personal data. `names` is what the person is called.
        """


class AiUses(Protocol):
    """What each AI use may do now: its kill switch, its budget of the day, its breaker."""

    def states(self, ai_uses: Collection[AiUseName]) -> dict[AiUseName, AiUseState]:
        """Of each of these. Strongly consistent, in one call."""

    def switch(self, ai_use: AiUseName, switch: Switch, event: Event) -> AiUseState:
        """Turn the kill switch; the state as it stands then.

        Where it stands so already, nothing is written and no event leaves.
        """

    def reserve(
        self, state: AiUseState, cost: int, paid: PaidModel, now: datetime
    ) -> Reservation | Refusal:
        """Set money aside for one call, in micro-dollars: all that was checked still holds as it is
        written.

        `state` is what was read before. Raises Contention.
        """

    def settle(
        self,
        reservation: Reservation,
        cost: int,
        paid: PaidModel,
        now: datetime,
        *,
        failed: bool,
    ) -> None:
        """Tell what the call cost, and whether the service failed it."""


class AccountBreakers(Protocol):
    """Whether an account at a provider may be asked, as its latest failures tell."""

    def state(self, provider: str, account: str) -> BreakerState:
        """Closed where nothing was ever told. Strongly consistent."""

    def change(
        self,
        provider: str,
        account: str,
        before: BreakerState,
        after: BreakerState,
        event: Event | None = None,
    ) -> bool:
        """False where it is no longer as it was read: then nothing is written."""


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


class ProviderMedia(Protocol):
    """The files that providers keep for us."""

    def fetch(self, request: HttpRequest, *, hosts: Collection[str], largest: int) -> HttpResponse:
        """The answer to a GET at one of `hosts`, or where that sends us on to.

        Only these hosts see its headers. Raises MediumElsewhere, MediumTooLarge beyond `largest`
        bytes, and MediumUnreachable.
        """


class FileType(Protocol):
    def __call__(self, content: bytes, /) -> str | None:
        """The media type of a file, by its content alone; None where it is nothing we know."""


class PhoneNumbers(Protocol):
    def e164(self, value: str, region: str | None = None) -> str | None:
        """`+33612345678`, the one form of a number that can be one person's; else None.

        `region`: the ISO 3166 country in which a number without a country code was written.
        """

    def time_zone(self, e164: str) -> str | None:
        """The IANA time zone of the number's country, where it keeps one time; else None."""


class MailAddresses(Protocol):
    def normal(self, value: str) -> str | None:
        """`name@example.com`, the one form of an address; None when it is none."""


class IdentifierForms(Protocol):
    def normal(self, identifier: Identifier, region: str) -> Identifier | None:
        """The one form of an identifier as a provider gave it; None when it is none of its type.

        `region`: the ISO 3166 country in which a phone number without a country code is read.
        """

    def time_zone(self, identifier: Identifier) -> str | None:
        """The IANA time zone that an identifier in its one form tells: a phone number's country."""


class Bus(Protocol):
    def publish(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        """Put each (detail-type, detail) on the bus; True where the bus took it."""


class Cleared(NamedTuple):
    """What one bounded piece of an erasure deleted, and whether there may be more of its kind."""

    deleted: int
    more: bool


class PrivacyRequests(Protocol):
    """Erasures and exports under way, and the proofs of what was erased."""

    def begin_erasure(self, erasure: Erasure, event: Event) -> Erasure:
        """Write it with its event, unless an erasure of this profile is under way.

        Returns the one that stands.
        """

    def erasure_under_way(self, profile_id: ProfileId) -> Erasure | None:
        """Of this profile, even where nothing else is left of it."""

    def read_erasure(self, erasure_id: ErasureId) -> Erasure | ErasureProof | None:
        """The request while it is under way, the proof afterwards."""

    def save_erasure(self, erasure: Erasure, event: Event | None = None) -> None:
        """Keep how far it is; its counts are kept by `PersonalData`.

        Raises NotFound where it has ended meanwhile.
        """

    def mark(self, erasure: Erasure) -> None:
        """Mark each of its profiles, so that a second request finds this one."""

    def end_erasure(self, proof: ErasureProof, erasure: Erasure, event: Event) -> None:
        """Keep the proof, in the table and in a file that no restored table takes back, and forget
        whom it speaks of. Each part of it may be repeated.
        """

    def proofs(self) -> Iterator[ErasureProof]:
        """Of all erasures, from the files."""

    def begin_export(self, export: Export, event: Event) -> None: ...

    def read_export(self, export_id: ExportId) -> Export | None: ...

    def save_export(self, export: Export, event: Event | None = None) -> None:
        """Keep how far it is. Raises NotFound where the person was erased meanwhile."""

    def keep_part(self, export: Export, part: Mapping[str, Any]) -> None:
        """One collected page, under the number of parts there are before it."""

    def parts(self, export: Export) -> Iterator[dict[str, Any]]:
        """The collected pages, in order. Raises NotFound where one of them was deleted."""

    def keep_archive(self, export: Export, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
        """One ZIP of files, each a name and its content piece by piece."""

    def discard(self, export: Export) -> None:
        """Delete the pages and the archive."""

    def link(self, export: Export) -> str:
        """An address at which the archive can be fetched for a few minutes."""


class PersonalData(Protocol):
    """What the stores hold of a person: found by whose it is, and by value.

    What is deleted and what is counted are written together: a piece that is repeated finds nothing
    and counts nothing. Raises Contention where somebody changes the same items at that moment,
    NotFound where the erasure has ended.
    """

    def erase_tickets(self, erasure: Erasure) -> Cleared:
        """Tickets, their logs and follow-ups with their schedules, and what points to them."""

    def erase_touchpoints(self, erasure: Erasure) -> Cleared:
        """Touchpoints, the statuses of their delivery, and their files."""

    def leave_graph(
        self, erasure: Erasure, stored: StoredGraph, left: IdentityGraph | None
    ) -> None:
        """Replace a graph by what is left of it."""

    def erase_profiles(self, erasure: Erasure) -> Cleared:
        """Everything under their profiles, and what points to them from elsewhere."""

    def erase_unclaimed(self, erasure: Erasure, search: Search) -> tuple[Erasure, bool]:
        """Go on through the ledger, deleting what is nobody's and names them.

        Returns how far it is, and whether there is more to look through.
        """

    def items(self, profile_id: ProfileId) -> list[dict[str, Any]]:
        """Everything under a profile, each item as JSON can hold it."""

    def raw(self, touchpoint_ids: Sequence[TouchpointId]) -> dict[TouchpointId, bytes]:
        """The requests that touchpoints came from. Raises NotFound where one was just deleted."""

    def file(self, object_key: str) -> Iterator[bytes]:
        """A stored attachment, piece by piece."""

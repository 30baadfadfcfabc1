"""The ports in memory, true to their docstrings: what is forbidden raises, what pages pages.

Every fact a fake was told stands in its `events`, in order. A `World` holds one of each, and they
know each other as the tables do.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from shared.adapters.ledger_items import received_together
from shared.domain.breaker import BreakerState
from shared.domain.call import goes_round, grown, is_known
from shared.domain.classification import Classification
from shared.domain.errors import Conflict, Contention, MediumTooLarge, NotFound, PasserelleError
from shared.domain.follow_up import FollowUp, FollowUpState
from shared.domain.journey import JourneyState
from shared.domain.media import (
    Media,
    Medium,
    MediumState,
    attachments_of,
    has_media,
    sent_media,
    with_media,
)
from shared.domain.model import (
    FollowUpId,
    ProfileId,
    TicketId,
    TouchpointId,
    derived_id,
    isoformat,
)
from shared.domain.override import Override
from shared.domain.ticket import Ticket
from shared.domain.together import told_together
from shared.domain.touchpoint import (
    DELIVERY_RANK,
    Call,
    Channel,
    DeliveryStatus,
    Direction,
    Endpoint,
    Touchpoint,
    TouchpointState,
)
from shared.events.catalogue import MediaReceived, TouchpointReceived
from shared.events.envelope import Event
from shared.ports.consents import ConsentStore
from shared.ports.ledger import (
    Balance,
    Delivery,
    Ledger,
    LedgerEntry,
    Quarantined,
    Upload,
    UploadForm,
)
from shared.ports.paging import Page
from shared.ports.profiles import PhoneNumbers, ProfileStore
from shared.ports.providers import Clock, Secrets, Sender
from shared.ports.segments import SegmentStore
from shared.ports.tickets import LogEntry, TicketStore, Timer
from shared.ports.understanding import AiUses, Classifier
from shared.ports.webhooks import Bus, EventRules, WebhookReceivers, Webhooks
from shared.providers.base import Observed, OneTimeProof, Outgoing, WebhookRequest
from tests import builders
from tests.fake_ai_uses import FakeAiUses
from tests.fake_consents import FakeConsentStore
from tests.fake_pages import page_of
from tests.fake_profiles import FakeProfileStore
from tests.fake_segments import FakeSegmentStore
from tests.fake_webhooks import FakeEventRules, FakeReceivers, FakeWebhooks

T = TypeVar("T")


class FakeMediaFiles:
    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}
        """Content and media type, by key."""
        self.offered: dict[str, tuple[str, str, int]] = {}
        """Name, type and most bytes of what may be put, by id."""

    def offer(self, upload_id: str, name: str, content_type: str, largest: int) -> UploadForm:
        self.offered[upload_id] = (name, content_type, largest)
        return UploadForm("https://files.example/", {"key": f"uploads/{upload_id}"})

    def put(self, upload_id: str, content: bytes) -> None:
        """What whoever has the form does."""
        _, content_type, largest = self.offered[upload_id]
        assert 1 <= len(content) <= largest, "the bucket refuses it"
        self.files[f"uploads/{upload_id}"] = (content, content_type)

    def upload(self, upload_id: str, largest: int) -> Upload | None:
        if (found := self.files.get(f"uploads/{upload_id}")) is None:
            return None
        content, content_type = found
        if len(content) > largest:
            raise MediumTooLarge("it is larger")
        return Upload(content, self.offered[upload_id][0], content_type)

    def keep_to_send(self, ticket_id: TicketId, content: bytes, content_type: str) -> str:
        key = f"attachments/tickets/{ticket_id}/{sha256(content).hexdigest()}"
        self.files[key] = (content, content_type)
        return key

    def keep(
        self, touchpoint_id: TouchpointId, name: str, content: bytes, content_type: str
    ) -> str:
        key = f"attachments/{touchpoint_id}/{name}"
        self.files[key] = (content, content_type)
        return key

    def read(self, object_key: str) -> bytes | None:
        return self.files.get(object_key, (None,))[0]

    def drop(self, object_key: str) -> None:
        self.files.pop(object_key, None)

    def discard(self, touchpoint_id: TouchpointId) -> None:
        for key in [key for key in self.files if key.startswith(f"attachments/{touchpoint_id}/")]:
            del self.files[key]

    def link(self, object_key: str, name: str) -> str:
        return f"https://files.example/{object_key}?name={quote(name)}"

    def address(self, object_key: str, name: str) -> str:
        return f"https://files.example/for-an-hour/{object_key}?name={quote(name)}"


class FakeLedger:
    """`len` counts touchpoints; `in` asks for a touchpoint or its id."""

    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = events if events is not None else []
        self.raw: dict[TouchpointId, bytes] = {}
        self._entries: dict[TouchpointId, LedgerEntry] = {}
        self._delivery: dict[TouchpointId, DeliveryStatus] = {}
        self._times: dict[TouchpointId, dict[str, datetime]] = {}
        self._prices: dict[TouchpointId, str] = {}
        self._sent_for: dict[TouchpointId, tuple[TicketId, FollowUpId]] = {}
        self._quarantined: dict[TouchpointId, tuple[Quarantined, WebhookRequest]] = {}
        self._released: set[TouchpointId] = set()
        self._parts: dict[TouchpointId, int] = {}
        """Of how many parts a call is, where there is more than one."""
        self.media_files = FakeMediaFiles()
        self._came_with: dict[tuple[str, str], str] = {}

    def claim(self, provider: str, proof: OneTimeProof, now: datetime) -> bool:
        return self._came_with.setdefault((provider, proof.token), proof.content) == proof.content

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, one: object) -> bool:
        return (one.touchpoint_id if isinstance(one, Touchpoint) else one) in self._entries

    def __iter__(self) -> Iterator[Touchpoint]:
        return iter([entry.touchpoint for entry in self._entries.values()])

    def record(self, observed: Sequence[Observed]) -> list[bool]:
        groups = told_together([one.touchpoint for one in observed])
        silent = {one.touchpoint_id for group in groups for one in group}
        recorded = [self._record(one, silent) for one in observed]
        for group in groups:
            event = received_together(group)
            if event not in self.events:
                self.events.append(event)
        return recorded

    def _record(self, observed: Observed, silent: Collection[TouchpointId]) -> bool:
        id_ = observed.touchpoint.touchpoint_id
        if id_ in self._entries and isinstance(observed.touchpoint.content, Call):
            return self._grow(self._entries[id_], observed)
        if id_ in self._entries:
            self.change(id_, deliveries=self._entries[id_].deliveries + 1)
            return False
        seen = observed.touchpoint
        refused: dict[str, Medium] = {}
        for position, file in enumerate(observed.files):
            name = str(position)
            if file.refused is not None:
                refused[name] = Medium(state=MediumState.REFUSED, because=file.refused)
                continue
            key = self.media_files.keep(id_, name, file.content, "application/octet-stream")
            seen = with_media(seen, {name: Medium(state=MediumState.STORED, object_key=key)})
        self._entries[id_] = LedgerEntry(
            touchpoint=seen, state=TouchpointState.RECEIVED, media=refused
        )
        self.raw[id_] = observed.raw
        if id_ not in silent:
            self._announce(self._entries[id_])
        return True

    def _grow(self, entry: LedgerEntry, observed: Observed) -> bool:
        id_ = observed.touchpoint.touchpoint_id
        self.change(id_, deliveries=entry.deliveries + 1)
        if is_known(entry.touchpoint, observed.touchpoint):
            return False
        after = grown(entry.touchpoint, observed.touchpoint)
        self._parts[id_] = self._parts.get(id_, 1) + 1
        self.raw[id_] += b"\n" + observed.raw
        self.change(id_, touchpoint=after)
        if goes_round(entry.touchpoint, after):
            attempt = entry.attempt + 1
            self.change(
                id_,
                state=TouchpointState.RECEIVED,
                attempt=attempt,
                grown=attempt,
                failed_step=None,
                error=None,
            )
            self._announce(self._entries[id_])
        elif len(attachments_of(after)) > len(attachments_of(entry.touchpoint)):
            self.events.append(MediaReceived(touchpoint_id=id_))
        return True

    def still(
        self, touchpoint_id: TouchpointId, attempt: int, error: type[PasserelleError]
    ) -> None:
        """Raise `error` where a later round of its journey began."""
        entry = self._entries.get(touchpoint_id)
        if entry is not None and entry.attempt != attempt:
            raise error("a later round of its journey began")

    def _announce(self, entry: LedgerEntry) -> None:
        touchpoint = entry.touchpoint
        self.events.append(
            TouchpointReceived(
                touchpoint_id=touchpoint.touchpoint_id,
                provider=touchpoint.provider,
                channel=touchpoint.channel,
                kind=touchpoint.content.kind,
                attempt=entry.attempt,
                has_media=has_media(touchpoint),
            )
        )

    def quarantine(
        self, provider: str, request: WebhookRequest, reason: str, received_at: datetime
    ) -> TouchpointId:
        digest = sha256(request.body).hexdigest()
        path = f"{request.slug}/{request.path}" if request.slug else request.path
        id_ = TouchpointId(derived_id("quarantine", provider, path, digest))
        if id_ in self._quarantined:
            kept, first = self._quarantined[id_]
            again = kept.model_copy(update={"deliveries": kept.deliveries + 1})
            self._quarantined[id_] = (again, first)
        else:
            kept = Quarantined(
                touchpoint_id=id_, provider=provider, reason=reason, received_at=received_at
            )
            self._quarantined[id_] = (kept, request)
        return id_

    def record_media(
        self, touchpoint_id: TouchpointId, before: Media, media: Media, event: Event
    ) -> bool:
        if touchpoint_id not in self._entries:
            self.media_files.discard(touchpoint_id)
            return False
        if self._entries[touchpoint_id].media != before:
            raise Contention("what became of its files was recorded meanwhile")
        seen = with_media(self._entries[touchpoint_id].touchpoint, media)
        self.change(touchpoint_id, touchpoint=seen, media=dict(media))
        self.events.append(event)
        return True

    def read(self, touchpoint_id: TouchpointId) -> LedgerEntry | None:
        entry = self._entries.get(touchpoint_id)
        if entry is None or touchpoint_id not in self._delivery:
            return entry
        furthest = self._delivery[touchpoint_id]
        price = furthest.price_category or self._prices.get(touchpoint_id)
        return entry.model_copy(
            update={
                "delivery": furthest.model_copy(update={"price_category": price}),
                "delivery_times": self._times[touchpoint_id],
            }
        )

    def read_quarantined(self, touchpoint_id: TouchpointId) -> Quarantined | None:
        if touchpoint_id in self._released:
            return None
        kept = self._quarantined.get(touchpoint_id)
        return kept[0] if kept else None

    def read_many(self, touchpoint_ids: Sequence[TouchpointId]) -> list[LedgerEntry]:
        found = (self.read(one) for one in touchpoint_ids)
        return [entry for entry in found if entry is not None]

    def timeline(
        self,
        profile_ids: Sequence[ProfileId],
        *,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LedgerEntry]:
        mine = [
            entry
            for entry in self.read_many(list(self._entries))
            if entry.profile_id in profile_ids
            and (since is None or entry.touchpoint.occurred_at >= since)
        ]
        return page_of(mine, _occurred, limit=limit, cursor=cursor, newest_first=True)

    def in_state(
        self,
        state: TouchpointState,
        *,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LedgerEntry | Quarantined]:
        everything: list[LedgerEntry | Quarantined]
        if state is TouchpointState.QUARANTINED:
            kept = self._quarantined.items()
            everything = [one for id_, (one, _) in kept if id_ not in self._released]
        else:
            everything = [e for e in self.read_many(list(self._entries)) if e.state is state]
        late = [one for one in everything if since is None or _received_at(one) >= since]
        return page_of(late, _received, limit=limit, cursor=cursor)

    def mailbox(self, endpoint: Endpoint, *, after: datetime | None = None) -> list[LedgerEntry]:
        waiting = [
            entry
            for entry in self.read_many(list(self._entries))
            if entry.touchpoint.direction is Direction.OUTBOUND
            and entry.touchpoint.endpoint == endpoint
            and (after is None or entry.touchpoint.occurred_at > after)
        ]
        return sorted(waiting, key=_occurred)

    def advance_delivery(self, told: Touchpoint, status: DeliveryStatus) -> Delivery:
        id_ = told.of_message(status.message_id)
        known = self._delivery.get(id_)
        if known is None or DELIVERY_RANK[status.status] > DELIVERY_RANK[known.status]:
            self._delivery[id_] = status
        times = self._times.setdefault(id_, {})
        times[status.status] = min(times.get(status.status, told.occurred_at), told.occurred_at)
        if status.price_category is not None:
            self._prices.setdefault(id_, status.price_category)
        return Delivery(self._delivery[id_], id_ in self._entries, *self._sent_for.get(id_, ()))

    def send_again(self, touchpoint_id: TouchpointId) -> bool:
        entry = self._entries.get(touchpoint_id)
        if entry is None or entry.state is TouchpointState.PROCESSED:
            return False
        self.change(
            touchpoint_id,
            state=TouchpointState.RECEIVED,
            attempt=entry.attempt + 1,
            failed_step=None,
            error=None,
        )
        self._announce(self._entries[touchpoint_id])
        return True

    def override(
        self, before: LedgerEntry, overrides: Sequence[Override], event: Event
    ) -> LedgerEntry:
        id_ = before.touchpoint.touchpoint_id
        known = self._entries.get(id_)
        if known is None or (known.state, known.attempt) != (before.state, before.attempt):
            raise Contention("somebody else changed the touchpoint first")
        self.change(
            id_,
            state=TouchpointState.RECEIVED,
            attempt=before.attempt + 1,
            overrides=tuple(overrides),
            failed_step=None,
            error=None,
        )
        self.events.append(event)
        return self._entries[id_]

    def all(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[LedgerEntry]:
        held = sorted(self._entries.items())
        start = int(cursor or 0)
        page = [
            entry
            for _, entry in held[start : start + limit]
            if (since is None or entry.touchpoint.received_at >= since)
            and (until is None or entry.touchpoint.received_at < until)
        ]
        more = len(held) > start + limit
        return Page(page, str(start + limit) if more else None)

    def quarantined_request(self, touchpoint_id: TouchpointId) -> tuple[str, WebhookRequest] | None:
        if touchpoint_id not in self._quarantined or touchpoint_id in self._released:
            return None
        kept, request = self._quarantined[touchpoint_id]
        return kept.provider, request

    def release(self, touchpoint_id: TouchpointId) -> None:
        self._released.add(touchpoint_id)

    def balance(self) -> Balance:
        ours = [entry for entry in self._entries.values() if entry.deliveries > 0]
        kept = [one for one, _ in self._quarantined.values()]
        parts = [self._parts.get(entry.touchpoint.touchpoint_id, 1) for entry in ours]
        deliveries = [e.deliveries for e in ours] + [one.deliveries for one in kept]
        states = [e.state for e, times in zip(ours, parts, strict=True) for _ in range(times)]
        return Balance(
            received=sum(deliveries),
            processed=states.count(TouchpointState.PROCESSED) + len(self._released),
            duplicate=sum(deliveries) - sum(parts) - len(kept),
            quarantined=len(kept) - len(self._released),
            in_flight=states.count(TouchpointState.RECEIVED) + states.count(TouchpointState.FAILED),
            failed=states.count(TouchpointState.FAILED),
        )

    # What others write into the ledger: the state machine and the transactions of the stores.

    def record_outcome(self, outcome: JourneyState) -> None:
        """The last state of the journey: the touchpoint is processed."""
        self.change(
            outcome.touchpoint_id,
            state=TouchpointState.PROCESSED,
            outcome=outcome.model_dump(mode="json", exclude_none=True),
        )

    def record_failure(self, touchpoint_id: TouchpointId, step: str, error: str) -> None:
        """The journey's Catch."""
        self.change(touchpoint_id, state=TouchpointState.FAILED, failed_step=step, error=error)

    def record_sent(
        self,
        touchpoint: Touchpoint,
        profile_id: ProfileId | None,
        sent_for: FollowUp | None = None,
    ) -> None:
        """A touchpoint of our own making: processed at once, and never delivered to us."""
        if sent_for is not None:
            promise = (sent_for.ticket_id, sent_for.follow_up_id)
            self._sent_for[touchpoint.touchpoint_id] = promise
        known = self._entries.get(touchpoint.touchpoint_id)
        self._entries[touchpoint.touchpoint_id] = LedgerEntry(
            touchpoint=touchpoint,
            state=TouchpointState.PROCESSED,
            deliveries=known.deliveries if known is not None else 0,
            profile_id=profile_id,
            media=dict(sent_media(touchpoint)),
        )

    def forget(self, touchpoint_id: TouchpointId) -> None:
        """As an erasure does."""
        del self._entries[touchpoint_id]

    def change(self, touchpoint_id: TouchpointId, **fields: Any) -> None:
        """Set fields of an entry that is there."""
        if touchpoint_id not in self._entries:
            raise NotFound("no such touchpoint")
        self._entries[touchpoint_id] = self._entries[touchpoint_id].model_copy(update=fields)


def _occurred(entry: LedgerEntry) -> str:
    return f"{isoformat(entry.touchpoint.occurred_at)} {entry.touchpoint.touchpoint_id}"


def _received_at(one: LedgerEntry | Quarantined) -> datetime:
    return one.received_at if isinstance(one, Quarantined) else one.touchpoint.received_at


def _received(one: LedgerEntry | Quarantined) -> str:
    of = one if isinstance(one, Quarantined) else one.touchpoint
    return f"{isoformat(_received_at(one))} {of.touchpoint_id}"


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


class FakeClassifier:
    """Knows some texts, and answers `builders.classification()` for the others.

    `asked` keeps what it was given.
    """

    def __init__(self, known: Mapping[str, Classification] | None = None) -> None:
        self.known = dict(known or {})
        self.asked: list[str] = []

    def classify(
        self,
        text: str,
        *,
        language: str | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Sequence[str] = (),
    ) -> Classification:
        self.asked.append(text)
        return self.known.get(text) or builders.classification(language=language or "fr")


class FakeSecrets:
    def __init__(self, secrets: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.secrets = dict(secrets or {})

    def read(self, provider: str) -> Mapping[str, Any] | None:
        return self.secrets.get(provider)


class FakeClock:
    def __init__(self, now: datetime = builders.NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


class FakeSender:
    """Keeps what was sent, and hands out ids. `fail_next` makes the next transmission raise."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Outgoing]] = []
        self._failures: list[PasserelleError] = []

    def __len__(self) -> int:
        return len(self.sent)

    def fail_next(self, *errors: PasserelleError) -> None:
        self._failures.extend(errors)

    def transmit(self, provider: str, outgoing: Outgoing) -> str:
        if self._failures:
            raise self._failures.pop(0)
        self.sent.append((provider, outgoing))
        return f"{provider}-message-{len(self.sent)}"


class FakeAccountBreakers:
    """`reads` and `writes` count what each message cost."""

    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = events if events is not None else []
        self.states: dict[tuple[str, str], BreakerState] = {}
        self.reads = self.writes = 0

    def state(self, provider: str, account: str) -> BreakerState:
        self.reads += 1
        return self.states.get((provider, account), BreakerState())

    def change(
        self,
        provider: str,
        account: str,
        before: BreakerState,
        after: BreakerState,
        event: Event | None = None,
    ) -> bool:
        if self.states.get((provider, account), BreakerState()) != before:
            return False
        self.states[provider, account] = after
        self.writes += 1
        if event is not None:
            self.events.append(event)
        return True


class FakePhoneNumbers:
    """Reads international numbers, and national ones of a few countries by their trunk zero."""

    _CALLING_CODES: Mapping[str, str] = {"FR": "+33", "BE": "+32", "GB": "+44"}
    _TIME_ZONES: Mapping[str, str] = {"+33": "Europe/Paris", "+225": "Africa/Abidjan"}
    _SHORTEST, _LONGEST = 8, 15

    def e164(self, value: str, region: str | None = None) -> str | None:
        compact = "".join(letter for letter in value if letter not in " .-()/")
        compact = f"+{compact[2:]}" if compact.startswith("00") else compact
        if compact.startswith("0") and region is not None and region in self._CALLING_CODES:
            compact = self._CALLING_CODES[region] + compact[1:]
        digits = compact.removeprefix("+")
        is_number = digits.isdecimal() and digits.isascii() and compact.startswith("+")
        return compact if is_number and self._SHORTEST <= len(digits) <= self._LONGEST else None

    def time_zone(self, e164: str) -> str | None:
        zones = (zone for code, zone in self._TIME_ZONES.items() if e164.startswith(code))
        return next(zones, None)


class FakeBus:
    """Keeps what it took. `refuse_next` makes it refuse that many entries."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self._refusals = 0

    def __len__(self) -> int:
        return len(self.published)

    def __contains__(self, detail_type: object) -> bool:
        return any(one == detail_type for one, _ in self.published)

    def refuse_next(self, entries: int = 1) -> None:
        self._refusals += entries

    def publish(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        return [self._publish(type_, detail) for type_, detail in events]

    def _publish(self, detail_type: str, detail: Mapping[str, Any]) -> bool:
        if self._refusals:
            self._refusals -= 1
            return False
        self.published.append((detail_type, dict(detail)))
        return True


@dataclass
class World:
    """One of each, with one list of events between them."""

    events: list[Event] = field(default_factory=list)
    ledger: FakeLedger = field(init=False)
    profiles: FakeProfileStore = field(init=False)
    tickets: FakeTicketStore = field(init=False)
    segments: FakeSegmentStore = field(init=False)
    consents: FakeConsentStore = field(init=False)
    ai_uses: FakeAiUses = field(init=False)
    timer: FakeTimer = field(default_factory=FakeTimer)
    classifier: FakeClassifier = field(default_factory=FakeClassifier)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    clock: FakeClock = field(default_factory=FakeClock)
    sender: FakeSender = field(default_factory=FakeSender)
    breakers: FakeAccountBreakers = field(init=False)
    phone_numbers: FakePhoneNumbers = field(default_factory=FakePhoneNumbers)
    bus: FakeBus = field(default_factory=FakeBus)
    webhooks: FakeWebhooks = field(init=False)
    event_rules: FakeEventRules = field(default_factory=FakeEventRules)
    receivers: FakeReceivers = field(default_factory=FakeReceivers)

    def __post_init__(self) -> None:
        self.ledger = FakeLedger(self.events)
        self.profiles = FakeProfileStore(self.ledger, self.events)
        self.tickets = FakeTicketStore(self.ledger, self.events, self.profiles)
        self.segments = FakeSegmentStore(self.events)
        self.consents = FakeConsentStore(self.events, self.ledger.record_sent)
        self.ai_uses = FakeAiUses(self.events)
        self.breakers = FakeAccountBreakers(self.events)
        self.webhooks = FakeWebhooks(self.events)

    def happened(self, *types: type[Event]) -> list[Event]:
        """The events of these types, in order."""
        return [event for event in self.events if isinstance(event, types)]


Ports = tuple[
    Ledger,
    ProfileStore,
    TicketStore,
    SegmentStore,
    ConsentStore,
    AiUses,
    Timer,
    Classifier,
    Secrets,
    Clock,
    Sender,
    PhoneNumbers,
    Bus,
    Webhooks,
    EventRules,
    WebhookReceivers,
]


def as_ports(world: World) -> Ports:
    """Each fake as the port it stands for: mypy proves here that they fit."""
    return (
        world.ledger,
        world.profiles,
        world.tickets,
        world.segments,
        world.consents,
        world.ai_uses,
        world.timer,
        world.classifier,
        world.secrets,
        world.clock,
        world.sender,
        world.phone_numbers,
        world.bus,
        world.webhooks,
        world.event_rules,
        world.receivers,
    )

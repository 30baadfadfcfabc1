"""The ledger and the files of messages in memory."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote

from shared.adapters.ledger_items import batch_received
from shared.domain.batch import batches
from shared.domain.call import goes_round, grown, is_known
from shared.domain.errors import Contention, MediumTooLarge, NotFound, PasserelleError
from shared.domain.follow_up import FollowUp
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
from shared.domain.touchpoint import (
    DELIVERY_RANK,
    Call,
    DeliveryStatus,
    Direction,
    Endpoint,
    Touchpoint,
    TouchpointState,
)
from shared.events.catalogue import MediaReceived, TouchpointReceived
from shared.events.envelope import Event
from shared.ports.ledger import (
    Balance,
    Delivery,
    LedgerEntry,
    Quarantined,
    Upload,
    UploadForm,
)
from shared.ports.paging import Page
from shared.providers.base import Observed, OneTimeProof, WebhookRequest
from tests.fake_pages import page_of

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
        groups = batches([one.touchpoint for one in observed])
        silent = {one.touchpoint_id for group in groups for one in group}
        recorded = [self._record(one, silent) for one in observed]
        for group in groups:
            event = batch_received(group)
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

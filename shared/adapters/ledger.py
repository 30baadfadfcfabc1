"""The ledger on DynamoDB: every touchpoint once, with its raw request and what became of it.

An item is found by `touchpoint_id`. `timeline` is set with `profile_id`, `trouble` while it is
failed or quarantined, `mailbox` while its recipient has to fetch it; each is the key of a sparse
index. `expires_at` is when the table deletes it by itself. Of a call `parts` counts what was told
so far, and `grown` is the latest round of its journey that a part began.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.adapters.ledger_items import (
    TROUBLE,
    batch_received,
    count_of_parts,
    expiry,
    holds_touchpoint,
    media_as_json,
    new_round,
    received,
    refused_files,
    request_as_json,
    same_parts,
    this_round,
    timeline_key,
)
from shared.adapters.ledger_reading import LedgerReader
from shared.adapters.media_files import S3MediaFiles
from shared.domain.batch import batches, ends_early
from shared.domain.call import goes_round, grown, is_known
from shared.domain.errors import Contention
from shared.domain.media import Media, attachments_of
from shared.domain.model import TouchpointId, derived_id, isoformat
from shared.domain.override import Override
from shared.domain.retention import RetentionPolicy, epoch
from shared.domain.touchpoint import (
    DELIVERY_RANK,
    Call,
    DeliveryStatus,
    Touchpoint,
    TouchpointState,
)
from shared.events.catalogue import MediaReceived
from shared.ports.ledger import Delivery, LedgerEntry

# Whoever reads a touchpoint needs no provider.
if TYPE_CHECKING:
    from shared.events.envelope import Event
    from shared.providers.base import Observed, OneTimeProof, WebhookRequest

_CONCURRENT_WRITES = 16
_PARTS_AT_ONCE = 40
"""Of one call; each of them that is written makes one more attempt of each of the others."""
_TOLD_FOR = timedelta(days=1)
"""How long it is known that a batch was told of; told again, its journeys find that they ended."""


class Growth(NamedTuple):
    """What a part changes of a call's item: nothing, where it is known."""

    set_: Mapping[str, object] = {}
    remove: Sequence[str] = ()
    condition: str = ""
    values: Mapping[str, object] = {}


class DynamoLedger(LedgerReader):
    def __init__(
        self,
        client: Any,
        s3: Callable[[], Any],
        table: str,
        bucket: str,
        retention: RetentionPolicy | None = None,
    ) -> None:
        """`retention` is for those who write what is kept: without it nothing expires."""
        super().__init__(client, s3, table, bucket)
        self._retention = retention
        self._files = S3MediaFiles(s3, bucket)

    def record(self, observed: Sequence[Observed]) -> list[bool]:
        if len(observed) == 1:
            return [self._record(observed[0])]
        groups = batches([one.touchpoint for one in observed])
        silent = frozenset(one.touchpoint_id for group in groups for one in group)
        with ThreadPoolExecutor(max_workers=_CONCURRENT_WRITES) as pool:
            recorded = list(pool.map(lambda one: self._record(one, silent), observed))
        for group in groups:
            self._tell_of(group)
        return recorded

    def _record(self, observed: Observed, silent: Collection[TouchpointId] = frozenset()) -> bool:
        """With its event, unless it is `silent`."""
        if isinstance(observed.touchpoint.content, Call):
            return self._tell(observed)
        touchpoint = self._with_files_stored(observed)
        kept = {**self._contents.kept(touchpoint, observed.raw), **refused_files(observed)}
        is_silent = touchpoint.touchpoint_id in silent
        if self._begin(touchpoint, None if is_silent else received(touchpoint), kept):
            return True
        if is_silent or not self._tell_late(touchpoint):
            self._update(touchpoint.touchpoint_id, add={"deliveries": 1})
        return False

    def _tell_late(self, touchpoint: Touchpoint) -> bool:
        """Of one whose batch nobody was told of, and which comes again without it. False where it
        was told of, or could not have come so.
        """
        if not ends_early(touchpoint):
            return False
        untold = "#state = :received AND attribute_not_exists(#event)"
        with suppress(Contention), dynamo.contention():
            self._update(
                touchpoint.touchpoint_id,
                set_={"event": received(touchpoint).carried()},
                add={"deliveries": 1},
                condition=untold,
                values={"received": TouchpointState.RECEIVED},
            )
            return True
        return False

    def _tell_of(self, group: Sequence[Touchpoint]) -> None:
        """The event of touchpoints that have none of their own, in an item that is no touchpoint.

        It comes last: where a write before it fails, or it does, the provider sends the request
        again, and it is written then. What nobody sends again is in flight for `redrive` to find.
        """
        key = derived_id("touchpoints", *(one.touchpoint_id for one in group))
        values = {
            "event": batch_received(group).carried(),
            "expires_at": epoch(group[0].received_at + _TOLD_FOR),
        }
        with suppress(Contention), dynamo.contention():
            self._update(TouchpointId(key), set_=values, condition="attribute_not_exists(#event)")

    def _begin(
        self, touchpoint: Touchpoint, event: Event | None, kept: Mapping[str, object]
    ) -> bool:
        """Write it with what is kept of it; False where it is there already."""
        values = {
            "event": event.carried() if event else None,
            "state": TouchpointState.RECEIVED,
            "received_at": isoformat(touchpoint.received_at),
            "deliveries": 1,
            "expires_at": expiry(touchpoint, self._retention),
            **kept,
        }
        # An update, since a delivery status may have made the item already; `state` says that a
        # touchpoint is in it.
        return self._update_if(
            "attribute_not_exists(#state)", touchpoint.touchpoint_id, set_=values
        )

    def _tell(self, observed: Observed) -> bool:
        """One more part of a call.

        Each write has seen all parts before it, or it is tried again: what two parts bring about
        together is then seen by one of them. Whoever is not first lost to somebody who wrote, so
        this ends. Raises Contention where it did not end soon enough.
        """
        for _ in range(_PARTS_AT_ONCE):
            with suppress(Contention):
                return self._grow(observed)
        raise Contention("too many parts of one call came at once")

    def _grow(self, observed: Observed) -> bool:
        part = observed.touchpoint
        item = self._item(part.touchpoint_id)
        if not holds_touchpoint(item):
            kept = self._contents.kept_call(part, observed.raw)
            if self._begin(part, received(part), kept):
                return True
            raise Contention("another part of the call came first")
        known = self._contents.touchpoint(item)
        is_news = not is_known(known, part)
        growth = self._growth(item, grown(known, part), observed.raw) if is_news else Growth()
        with dynamo.contention():
            self._update(
                part.touchpoint_id,
                set_=growth.set_,
                add={"deliveries": 1},
                remove=growth.remove,
                condition=f"{same_parts(item)}{growth.condition}",
                values={"parts_before": count_of_parts(item), **growth.values},
            )
        return is_news

    def _growth(self, item: Mapping[str, Any], after: Touchpoint, raw: bytes) -> Growth:
        entry = self._contents.entry(dict(item))
        raws = self._contents.loaded(item, "touchpoint").partition(b"\n")[2] + b"\n" + raw
        kept = self._contents.kept_call(after, raws)
        set_ = {
            "parts": count_of_parts(item) + 1,
            "received_at": isoformat(after.received_at),
            "expires_at": expiry(after, self._retention),
            "timeline": timeline_key(after) if "timeline" in item else None,
            **kept,
        }
        elsewhere = tuple(name for name in ("touchpoint", "touchpoint_key") if name not in kept)
        if not goes_round(entry.touchpoint, after):
            brought = len(attachments_of(after)) > len(attachments_of(entry.touchpoint))
            if not brought:
                return Growth(set_, (*elsewhere, "event"))
            files = MediaReceived(touchpoint_id=after.touchpoint_id)
            return Growth(set_ | {"event": files.carried()}, elsewhere)
        event = received(after, attempt=entry.attempt + 1)
        return Growth(
            set_ | new_round(event.attempt, event) | {"grown": event.attempt},
            (*elsewhere, *TROUBLE),
            f" AND {this_round(entry.attempt)}",
            {"round": entry.attempt},
        )

    def _with_files_stored(self, observed: Observed) -> Touchpoint:
        """Attachments in S3 before the ledger points to them; a redelivery finds them there."""
        if not observed.files:
            return observed.touchpoint
        attachments = []
        for position, file in enumerate(observed.files):
            if file.refused is not None:
                attachments.append(file.attachment)
                continue
            # Nobody has looked at it yet: `media_fetching` says what it is.
            key = self._files.keep_as_it_came(
                observed.touchpoint.touchpoint_id, str(position), file.content
            )
            attachments.append(file.attachment.model_copy(update={"object_key": key}))
        content = observed.touchpoint.content.model_copy(update={"attachments": tuple(attachments)})
        return observed.touchpoint.model_copy(update={"content": content})

    # Media

    def record_media(
        self, touchpoint_id: TouchpointId, before: Media, media: Media, event: Event
    ) -> bool:
        unchanged = "#media = :before" if before else "attribute_not_exists(#media)"
        is_recorded = self._update_if(
            f"attribute_exists(#state) AND {unchanged}",
            touchpoint_id,
            set_={"media": media_as_json(media), "event": event.carried()},
            values={"before": media_as_json(before)} if before else None,
        )
        if not is_recorded:
            if "state" in self._item(touchpoint_id):
                raise Contention("what became of its files was recorded meanwhile")
            self._files.discard(touchpoint_id)
        return is_recorded

    # What else is written

    def claim(self, provider: str, proof: OneTimeProof, now: datetime) -> bool:
        # An item of its own, without a state: no touchpoint, and gone when the proof is stale.
        values = {"came_with": proof.content, "expires_at": epoch(now + proof.valid_for)}
        return self._update_if(
            "attribute_not_exists(#came_with) OR #came_with = :came_with",
            TouchpointId(derived_id("one_time_proof", provider, proof.token)),
            set_=values,
        )

    def quarantine(
        self, provider: str, request: WebhookRequest, reason: str, received_at: datetime
    ) -> TouchpointId:
        digest = sha256(request.body).hexdigest()
        path = f"{request.slug}/{request.path}" if request.slug else request.path
        key = TouchpointId(derived_id("quarantine", provider, path, digest))
        values = {
            "state": TouchpointState.QUARANTINED,
            "trouble": TouchpointState.QUARANTINED,
            "provider": provider,
            "received_at": isoformat(received_at),
            "deliveries": 1,
            "reason": reason,
            "expires_at": epoch(received_at + self._retention.quarantined)
            if self._retention
            else None,
            **self._contents.stored("request", key, request_as_json(request)),
        }
        if not self._update_if("attribute_not_exists(#state)", key, set_=values):
            self._update(key, add={"deliveries": 1})
        return key

    def advance_delivery(self, told: Touchpoint, status: DeliveryStatus) -> Delivery:
        message = told.of_message(status.message_id)
        stage, at = f"{status.status}_at", isoformat(told.occurred_at)
        always: dict[str, Any] = {
            "set_once": {
                stage: at,
                **({"price_category": status.price_category} if status.price_category else {}),
                **({"expires_at": expiry(told, self._retention)} if self._retention else {}),
            },
            "add": {"statuses": frozenset({told.touchpoint_id})},
            "remove": ["event"],
        }
        try:
            item = self._updated(
                message,
                set_={
                    "delivery": status.model_dump_json(),
                    "delivery_rank": DELIVERY_RANK[status.status],
                },
                condition="attribute_not_exists(#delivery_rank) OR #delivery_rank < :delivery_rank",
                **always,
            )
        except ClientError as error:
            if not dynamo.condition_failed(error):
                raise
            # It came late, or again. An erasure must find it all the same.
            item = self._updated(message, **always)
        if item[stage] > at:
            # What is told of many messages at once tells a stage of the same one several times.
            with suppress(Contention), dynamo.contention():
                self._update(message, set_={stage: at}, condition=f"#{stage} > :{stage}")
        return Delivery(
            status=DeliveryStatus.model_validate_json(item["delivery"]),
            is_known=holds_touchpoint(item),
            ticket_id=item.get("ticket_id"),
            follow_up_id=item.get("follow_up_id"),
        )

    def send_again(self, touchpoint_id: TouchpointId) -> bool:
        entry = self.read(touchpoint_id)
        if entry is None or entry.state not in {TouchpointState.FAILED, TouchpointState.RECEIVED}:
            return False
        event = received(entry.touchpoint, attempt=entry.attempt + 1)
        return self._update_if(
            f"#state = :before AND {this_round(entry.attempt)}",
            touchpoint_id,
            set_=new_round(event.attempt, event),
            remove=TROUBLE,
            values={"before": entry.state, "round": entry.attempt},
        )

    def override(
        self, before: LedgerEntry, overrides: Sequence[Override], event: Event
    ) -> LedgerEntry:
        attempt = before.attempt + 1
        kept = json.dumps([one.model_dump(mode="json", exclude_none=True) for one in overrides])
        with dynamo.contention():
            self._update(
                before.touchpoint.touchpoint_id,
                set_=new_round(attempt, event) | {"overrides": dynamo.compressed(kept)},
                remove=TROUBLE,
                condition=f"#state = :before AND {this_round(before.attempt)}",
                values={"before": before.state, "round": before.attempt},
            )
        return before.model_copy(
            update={
                "state": TouchpointState.RECEIVED,
                "attempt": attempt,
                "overrides": tuple(overrides),
                "failed_step": None,
                "error": None,
            }
        )

    def release(self, touchpoint_id: TouchpointId) -> None:
        self._update(touchpoint_id, set_={"state": TouchpointState.PROCESSED}, remove=["trouble"])

    def _update(self, key: TouchpointId, **change: Any) -> None:
        self._client.update_item(
            **dynamo.update({"touchpoint_id": key}, table=self._table, **change)
        )

    def _update_if(self, condition: str, key: TouchpointId, **change: Any) -> bool:
        """False where the condition does not hold: then nothing has changed."""
        try:
            self._update(key, condition=condition, **change)
        except ClientError as error:
            if not dynamo.condition_failed(error):
                raise
            return False
        return True

    def _updated(self, key: TouchpointId, **change: Any) -> dict[str, Any]:
        """The whole item as it then is."""
        answer = self._client.update_item(
            **dynamo.update({"touchpoint_id": key}, table=self._table, **change),
            ReturnValues="ALL_NEW",
        )
        return dynamo.plain(answer["Attributes"])

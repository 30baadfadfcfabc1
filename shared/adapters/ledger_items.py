"""What an item of the ledger holds.

A touchpoint and the request it came from are compressed as one. What is too large for the table
lies in the bucket, and the item says where.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from shared.adapters import dynamo
from shared.adapters.objects import put_once, read_object
from shared.domain.media import (
    Media,
    Medium,
    MediumState,
    has_media,
    medium_name,
    sent_media,
    with_media,
)
from shared.domain.model import ProfileId, isoformat
from shared.domain.retention import CLASS_OF_KIND, RetentionPolicy, expires_at
from shared.domain.touchpoint import (
    DELIVERY_RANK,
    Channel,
    DeliveryStatus,
    Direction,
    Touchpoint,
    TouchpointState,
)
from shared.events.catalogue import TouchpointReceived, TouchpointsReceived
from shared.ports.ledger import LedgerEntry

# Whoever reads a touchpoint needs no provider.
if TYPE_CHECKING:
    from shared.events.envelope import Event
    from shared.providers.base import Observed, WebhookRequest

INLINE_LIMIT = 200_000
"""Bytes; what is larger goes to S3. An item may hold 400 KB in all."""
_MAILBOX_CHANNELS = {Channel.WEB_CHAT}
_NEVER_KEPT = {"authorization", "cookie", "x-telegram-bot-api-secret-token", "x-passerelle-secret"}


class Contents:
    """Touchpoints and requests of items, wherever they lie."""

    def __init__(self, s3: Callable[[], Any], bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def kept(self, touchpoint: Touchpoint, raw: bytes) -> dict[str, object]:
        """The touchpoint and its evidence: a line of JSON and the request, compressed as one, since
        each says much of the other. Where that is too large, the request goes its own way.
        """
        line = canonical(touchpoint)
        together = line + b"\n" + raw
        if len(together) <= INLINE_LIMIT:
            return {"touchpoint": dynamo.compressed(together)}
        # By class, so that the bucket deletes a file when the table deletes what leads to it.
        key = f"{CLASS_OF_KIND[touchpoint.content.kind]}/{touchpoint.touchpoint_id}"
        return {**self.stored("touchpoint", key, line), **self.stored("raw", key, raw)}

    def kept_call(self, call: Touchpoint, raws: bytes) -> dict[str, object]:
        """What is known of a call, and all requests that told it, in the order they came.

        They say the same ten times, so it is their compressed size that counts. A file is never
        written again: whoever loses to another part must not have replaced what that one left.
        """
        together = canonical(call) + b"\n" + raws
        packed = dynamo.compressed(together)
        if len(packed) <= INLINE_LIMIT:
            return {"touchpoint": packed}
        version = sha256(together).hexdigest()[:16]
        kept = CLASS_OF_KIND[call.content.kind]
        key = f"touchpoint/{kept}/{call.touchpoint_id}/{version}"
        self._s3().put_object(Bucket=self._bucket, Key=key, Body=together)
        return {"touchpoint_key": key}

    def stored(self, name: str, key: str, content: bytes) -> dict[str, object]:
        """The attribute that holds `content`, compressed, or the one that points to it in S3."""
        if len(content) <= INLINE_LIMIT:
            return {name: dynamo.compressed(content)}
        object_key = f"{name}/{key}"
        put_once(self._s3(), self._bucket, object_key, content)
        return {f"{name}_key": object_key}

    def loaded(self, item: Mapping[str, Any], name: str) -> bytes:
        if name in item:
            return dynamo.decompressed(item[name])
        return read_object(self._s3(), self._bucket, item[f"{name}_key"])

    def touchpoint(self, item: Mapping[str, Any]) -> Touchpoint:
        """As it was received."""
        line, _, _ = self.loaded(item, "touchpoint").partition(b"\n")
        return Touchpoint.model_validate_json(line)

    def entry(self, item: dict[str, Any]) -> LedgerEntry:
        media = {
            name: Medium.model_validate(one)
            for name, one in json.loads(item.get("media", "{}")).items()
        }
        return LedgerEntry(
            touchpoint=with_media(self.touchpoint(item), media),
            media=media,
            state=item["state"],
            deliveries=item.get("deliveries", 1),
            profile_id=item.get("profile_id"),
            outcome=json.loads(item["outcome"]) if "outcome" in item else None,
            delivery=_delivery(item) if "delivery" in item else None,
            delivery_times={
                status: item[f"{status}_at"] for status in DELIVERY_RANK if f"{status}_at" in item
            },
            failed_step=item.get("failed_step"),
            error=item.get("error"),
            attempt=item.get("attempt", 1),
            grown=item.get("grown", 1),
            overrides=json.loads(dynamo.decompressed(item["overrides"]))
            if "overrides" in item
            else (),
        )


def holds_touchpoint(item: Mapping[str, Any]) -> bool:
    return "touchpoint" in item or "touchpoint_key" in item


def canonical(touchpoint: Touchpoint) -> bytes:
    """One line of JSON."""
    dumped = touchpoint.model_dump(mode="json", exclude_defaults=True)
    dumped["content"]["kind"] = touchpoint.content.kind
    return json.dumps(dumped, ensure_ascii=False, separators=(",", ":")).encode()


def count_of_parts(item: Mapping[str, Any]) -> int:
    """Of the parts of a call; of what has only one there is no number in the table."""
    return int(item.get("parts", 1))


def same_parts(item: Mapping[str, Any]) -> str:
    """The condition that no other part of the call came since, and that it was not erased."""
    one = "attribute_not_exists(#parts) OR " if count_of_parts(item) == 1 else ""
    return f"attribute_exists(#state) AND ({one}#parts = :parts_before)"


def received(touchpoint: Touchpoint, *, attempt: int = 1) -> TouchpointReceived:
    return TouchpointReceived(
        touchpoint_id=touchpoint.touchpoint_id,
        provider=touchpoint.provider,
        channel=touchpoint.channel,
        kind=touchpoint.content.kind,
        attempt=attempt,
        has_media=has_media(touchpoint),
    )


def batch_received(touchpoints: Sequence[Touchpoint]) -> TouchpointsReceived:
    return TouchpointsReceived(
        touchpoint_ids=tuple(one.touchpoint_id for one in touchpoints),
        provider=touchpoints[0].provider,
        channels=tuple(sorted({one.channel for one in touchpoints})),
        kinds=tuple(sorted({one.content.kind for one in touchpoints})),
    )


def this_round(attempt: int) -> str:
    """The condition that no other round of its journey began; a first one has no number."""
    first = "attribute_not_exists(#attempt) OR " if attempt == 1 else ""
    return f"({first}#attempt = :round)"


TROUBLE = ("trouble", "failed_step", "error")
"""What an item has while its touchpoint is in trouble, and not in a new round."""


def new_round(attempt: int, event: Event) -> dict[str, object]:
    """With the event that begins it."""
    return {"state": TouchpointState.RECEIVED, "attempt": attempt, "event": event.carried()}


def timeline_key(touchpoint: Touchpoint) -> str:
    """Sorts a profile's touchpoints by the time they happened; the id makes it unique."""
    return f"{isoformat(touchpoint.occurred_at)}#{touchpoint.touchpoint_id}"


def expiry(touchpoint: Touchpoint, retention: RetentionPolicy | None) -> int | None:
    return expires_at(touchpoint, retention) if retention else None


def outbound_values(
    touchpoint: Touchpoint, profile_id: ProfileId, retention: RetentionPolicy | None = None
) -> dict[str, object]:
    """The attributes of a touchpoint we sent: its journey is over when it is written."""
    media = sent_media(touchpoint)
    waits = touchpoint.channel in _MAILBOX_CHANNELS and touchpoint.direction is Direction.OUTBOUND
    return {
        "state": TouchpointState.PROCESSED,
        "received_at": isoformat(touchpoint.received_at),
        "profile_id": profile_id,
        "timeline": timeline_key(touchpoint),
        "mailbox": touchpoint.endpoint.key if waits and touchpoint.endpoint else None,
        "touchpoint": dynamo.compressed(canonical(touchpoint)),
        "media": media_as_json(media) if media else None,
        "expires_at": expiry(touchpoint, retention),
    }


def _delivery(item: Mapping[str, Any]) -> DeliveryStatus:
    """A provider may name the price with one status and not with the next."""
    furthest = DeliveryStatus.model_validate_json(item["delivery"])
    price = furthest.price_category or item.get("price_category")
    return furthest.model_copy(update={"price_category": price})


def media_as_json(media: Media) -> str:
    """The same media as the same text, whatever order they were found in."""
    known = {
        name: one.model_dump(mode="json", exclude_none=True) for name, one in sorted(media.items())
    }
    return json.dumps(known)


def refused_files(observed: Observed) -> dict[str, object]:
    """What became of the files that were not let in."""
    media = {
        medium_name(file.attachment, position): Medium(
            state=MediumState.REFUSED, because=file.refused
        )
        for position, file in enumerate(observed.files)
        if file.refused is not None
    }
    return {"media": media_as_json(media)} if media else {}


def request_as_json(request: WebhookRequest) -> bytes:
    kept = asdict(request) | {
        "headers": {k: v for k, v in request.headers.items() if k not in _NEVER_KEPT},
        "body": b64encode(request.body).decode(),
        "arrived_at": request.arrived_at.isoformat(),
    }
    return json.dumps(kept).encode()


def request_from_json(content: bytes) -> WebhookRequest:
    from shared.providers.base import WebhookRequest

    kept = json.loads(content)
    return WebhookRequest(
        method=kept["method"],
        url=kept["url"],
        path=kept["path"],
        slug=kept.get("slug", ""),
        headers=kept["headers"],
        query=tuple((key, value) for key, value in kept["query"]),
        body=b64decode(kept["body"]),
        arrived_at=datetime.fromisoformat(kept["arrived_at"]),
    )

"""Any system of the company that sends Standard Webhooks: a till, an app, a booking system.

Each is a source of its own with its own secrets, and calls `/webhooks/standard_webhooks/<source>`;
without the name, whose secret signed tells which. What it can say is read by `_standard_webhooks`.
The signature is checked here and not by the official library, which knows no clock but its own and
stumbles over hostile headers; tests compare the two. Read against
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (2026-11)
"""

import hmac
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.identity import Proof
from shared.domain.touchpoint import Channel, Direction, Endpoint, Touchpoint, Unsupported
from shared.providers._reply_line import ReplyLine
from shared.providers._standard_webhooks import TYPES, Data, Event
from shared.providers.base import (
    MEGABYTE,
    Fetch,
    Observed,
    Provider,
    Secret,
    WebhookRequest,
    as_bytes,
    believable,
    read_json,
    read_model,
    same,
)

TOLERANCE = timedelta(minutes=5)
"""Both ways, as the official libraries have it."""
HEADERS = ("webhook", "svix")
"""What the three headers begin with. Svix, whose scheme the standard is, and whoever sends through
it (Clerk, Resend), calls them after itself: https://docs.svix.com/receiving/verifying-payloads/how-manual
"""
SHORTEST_KEY = 24
"""Bytes, by the specification."""

_MAIL = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}")


# The secret


def _is_signing_key(value: str) -> str:
    """Base64, padded or not, after `whsec_` or not."""
    if len(_key(value)) < SHORTEST_KEY:
        raise ValueError("too short")
    return value


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix("whsec_").rstrip("=")
    return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)


class Source(BaseModel):
    """One system of the company. `name` is in its URL and is the account of its touchpoints."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")
    signing_secrets: list[Annotated[str, AfterValidator(_is_signing_key)]] = Field(min_length=1)
    reply_lines: list[ReplyLine] = []


class StandardWebhooksSecret(Secret):
    """`sources`: each with its own `signing_secrets` (`whsec_…`, made by you or that system)."""

    sources: list[Source] = Field(min_length=1)


# The provider


class StandardWebhooks(Provider[StandardWebhooksSecret]):
    name = "standard_webhooks"
    secret_type = StandardWebhooksSecret
    largest_body = MEGABYTE

    def verify(self, request: WebhookRequest, secret: StandardWebhooksSecret, fetch: Fetch) -> None:
        stamp = _header(request, "timestamp")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):
            raise Unauthentic("webhook-timestamp is missing or no number")
        if abs(request.arrived_at.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
            raise Unauthentic("webhook-timestamp is more than five minutes away")
        if _signer(request, secret) is None:
            raise Unauthentic("no webhook-signature fits, or there is no such source")

    def parse(
        self, request: WebhookRequest, secret: StandardWebhooksSecret, received_at: datetime
    ) -> list[Observed]:
        event = read_model(Event, read_json(request.body))
        message_id = _header(request, "id")
        if not 0 < len(message_id) <= 512 or not message_id.isprintable():
            raise MalformedPayload("webhook-id: 1 to 512 characters are expected")
        source = _source(request, secret)
        kind = TYPES.get(event.type)
        data = _read_data(kind, event.data) if kind else None
        if kind and event.timestamp is None:
            raise MalformedPayload("timestamp: a time with its zone is expected")
        occurred_at = believable(event.timestamp or _sent_at(request), received_at)
        touchpoint = Touchpoint(
            provider=self.name,
            account=source.name,
            provider_event_id=data.event_id(message_id) if data else message_id,
            channel=(data.channel or data.usual_channel) if data else Channel.APP,
            direction=data.direction if data else Direction.PASSIVE,
            occurred_at=occurred_at,
            received_at=received_at,
            content=data.content(event.type.partition(".")[2], occurred_at)
            if data
            else Unsupported(what=f"event of type {event.type}"),
            identifiers=data.identifiers if data else (),
            proof=_proof(data) if data else None,
            endpoint=_way_back(data, source) if data else None,
            name=data.customer.name if data else None,
            language=data.customer.language if data else None,
        )
        return [Observed(touchpoint, request.body)]


def _header(request: WebhookRequest, name: str) -> str:
    """All three by one beginning: the first that signed it, so that none is mixed with another."""
    begins = next((one for one in HEADERS if request.header(f"{one}-signature")), HEADERS[0])
    return request.header(f"{begins}-{name}")


def _sent_at(request: WebhookRequest) -> datetime | None:
    """The time that is signed with it: what others call their own stands where they like."""
    stamp = _header(request, "timestamp")
    return datetime.fromtimestamp(int(stamp), UTC) if stamp.isdigit() and len(stamp) < 12 else None


def _proof(data: Data) -> Proof | None:
    return data.proof or (Proof.SCANNED if data.customer.scanned else None)


def _read_data(kind: type[Data], data: JsonValue) -> Data:
    try:
        return read_model(kind, data)
    except MalformedPayload as error:
        raise MalformedPayload(f"data.{error}") from None


def _source(request: WebhookRequest, secret: StandardWebhooksSecret) -> Source:
    """By its name in the path, or by whose secret signed it."""
    named = next((one for one in secret.sources if one.name == request.path), None)
    source = named or _signer(request, secret)
    if source is None:
        raise MalformedPayload("the source is not known, or no longer")
    return source


def _signer(request: WebhookRequest, secret: StandardWebhooksSecret) -> Source | None:
    """The source whose secret signed the request.

    The path is not signed, but where it names a source, then only that source's secrets count.
    """
    told = as_bytes(f"{_header(request, 'id')}.{_header(request, 'timestamp')}.")
    given = [
        signature
        for version, _, signature in (
            one.partition(",") for one in _header(request, "signature").split()
        )
        if version == "v1"  # other versions are another scheme's, or of a day to come
    ]
    for source in secret.sources:
        if request.path not in {"", source.name}:
            continue
        for key in map(_key, source.signing_secrets):
            expected = b64encode(hmac.digest(key, told + request.body, "sha256")).decode()
            if any(same(expected, one) for one in given):
                return source
    return None


def _way_back(data: Data, source: Source) -> Endpoint | None:
    """Where the person asked to be answered: on a line of ours that the source was given."""
    if data.reply_by is None:
        return None
    lines = [line for line in source.reply_lines if line.channel == data.reply_by]
    if not lines:
        raise MalformedPayload(f"data.reply_by: this source has no line for {data.reply_by}")
    line = lines[0]
    addresses = {
        "email": _mail(data),
        "sms": _e164(data.customer.phone),
        "push": data.customer.push_device,
    }
    address = addresses[data.reply_by]
    if address is None:
        raise MalformedPayload(f"data.customer: no address that {data.reply_by} could reach")
    return Endpoint(
        channel=Channel(line.channel), provider=line.provider, account=line.account, address=address
    )


def _mail(data: Data) -> str | None:
    """As it was written, where it can be one."""
    written = (data.customer.email or "").strip()
    return written if _MAIL.fullmatch(written) else None


def _e164(phone: str | None) -> str | None:
    """With its country code, or it cannot be written to."""
    digits = "".join(character for character in phone or "" if character.isdigit())
    return f"+{digits}" if phone and phone.startswith("+") and 7 <= len(digits) <= 15 else None


PROVIDER = StandardWebhooks()

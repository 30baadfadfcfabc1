"""Any system of the company that sends Standard Webhooks: a till, an app, a booking system.

Each is a source of its own with its own secrets, and calls `/webhooks/standard_webhooks/<source>`;
without the name, whose secret signed tells which. What it
can say is in docs/standard-webhooks.md. The signature is checked here and not by the official
library, which knows no clock but its own and stumbles over hostile headers; tests compare the two.
Read against
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (2026-11)
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.identity import (
    LONGEST_VALUE,
    Identifier,
    IdentifierType,
    Proof,
    email_identifier,
)
from shared.domain.model import isoformat
from shared.domain.touchpoint import (
    Appointment,
    Channel,
    ConsentStatement,
    Content,
    Contract,
    DeliveryWatermark,
    Direction,
    Endpoint,
    GoodsReturn,
    Identification,
    Line,
    Message,
    Order,
    Purchase,
    Review,
    Stop,
    SurveyAnswer,
    Touchpoint,
    TrackedEvent,
    Unsupported,
    WarrantyClaim,
)
from shared.providers._reply_line import ReplyLine
from shared.providers.base import (
    MEGABYTE,
    Fetch,
    IfReadable,
    Observed,
    Payload,
    Provider,
    Secret,
    WebhookRequest,
    as_bytes,
    as_text,
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


# What a source can say (docs/standard-webhooks.md)


def _no_text_is_none(value: object) -> object:
    """A till sends "" for what it does not know."""
    return None if value == "" else value


def _as_amount(value: object) -> object:
    """Money is decimal text; a JSON number is taken for what it shows."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return format(Decimal(repr(value)), "f")


def _within_reason(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:
        raise ValueError("out of reason")
    return moment


Number = Annotated[str, BeforeValidator(as_text), Field(min_length=1, max_length=100)]
Amount = Annotated[
    str, BeforeValidator(_as_amount), Field(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$")
]
Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_within_reason)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Text = Annotated[str, BeforeValidator(as_text)]
Short = Annotated[Text, Field(max_length=200)]
Written = Annotated[Text, Field(max_length=LONGEST_VALUE)]
"""A phone or an address as somebody typed it. What is none identifies nobody, and is no reason to
lose what else was told.
"""
Device = Annotated[str, StringConstraints(pattern=rf"^[!-~]{{1,{LONGEST_VALUE}}}$")]
MAIL = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}")


class Customer(Payload):
    """Who it was, as far as the system knows."""

    customer_number: Annotated[Number | None, BeforeValidator(_no_text_is_none)] = None
    phone: Annotated[Written | None, BeforeValidator(_no_text_is_none)] = None
    email: Annotated[Written | None, BeforeValidator(_no_text_is_none)] = None
    loyalty_card: Annotated[Number | None, BeforeValidator(_no_text_is_none)] = None
    order_number: Annotated[Number | None, BeforeValidator(_no_text_is_none)] = None
    push_device: Annotated[Device | None, BeforeValidator(_no_text_is_none)] = None
    """As the line that pushes to it calls it: of push_sns, the ARN of its endpoint."""
    scanned: bool = False
    """Whether a machine read the card; what was typed may be another person's."""
    name: Annotated[Short | None, BeforeValidator(_no_text_is_none)] = None
    language: Annotated[
        Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")] | None,
        BeforeValidator(_no_text_is_none),
    ] = None

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        mail = email_identifier(self.email or "")
        known = (
            (IdentifierType.CUSTOMER_NUMBER, self.customer_number),
            (IdentifierType.PHONE, self.phone),
            (IdentifierType.EMAIL, mail and mail.value),
            (IdentifierType.LOYALTY_CARD, self.loyalty_card),
            (IdentifierType.ORDER_NUMBER, self.order_number),
            (IdentifierType.PUSH_DEVICE, self.push_device),
        )
        return tuple(Identifier(type=kind, value=value) for kind, value in known if value)


class Stated(Payload):
    """What is told of a thing: an empty text says nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty_texts(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value != ""}


class Item(Stated):
    sku: Number
    name: Text | None = None
    quantity: float = Field(default=1, gt=0)
    unit_price: Amount | None = None


class Data(Stated):
    """What all data has in common. `reply_by` asks for a way back, which the source must have."""

    usual_channel: ClassVar[Channel] = Channel.IN_STORE
    direction: ClassVar[Direction] = Direction.PASSIVE
    proof: ClassVar[Proof | None] = None

    customer: Customer = Customer()
    channel: Annotated[Channel, Field(strict=False)] | None = None
    reply_by: Literal["email", "sms", "push"] | None = None

    def content(self, what: str, at: datetime) -> Content:
        """`what` is the type's second half, `at` when it happened."""
        raise NotImplementedError

    def event_id(self, message_id: str) -> str:
        """By what the ledger knows it; the `webhook-id`, where the thing itself has no name."""
        return message_id

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        return self.customer.identifiers


class PurchaseData(Data):
    number: Number
    store: Text | None = None
    total: Amount
    currency: Currency
    lines: list[Item] = Field(default_factory=list)

    def content(self, what: str, at: datetime) -> Content:
        return Purchase(
            number=self.number,
            store=self.store,
            total=self.total,
            currency=self.currency,
            lines=_lines(self.lines),
        )


class OrderData(Data):
    usual_channel = Channel.WEB

    number: Number
    updated_at: Moment | None = None
    total: Amount | None = None
    currency: Currency | None = None
    lines: list[Item] = Field(default_factory=list)

    def content(self, what: str, at: datetime) -> Content:
        return Order.model_validate(
            {
                "number": self.number,
                "status": what,
                "version_at": self.updated_at or at,
                "total": self.total,
                "currency": self.currency,
                "lines": _lines(self.lines),
            }
        )


class AppointmentData(Data):
    number: Number
    updated_at: Moment | None = None
    starts_at: Moment
    place: Text | None = None
    purpose: Text | None = None

    def content(self, what: str, at: datetime) -> Content:
        return Appointment.model_validate(
            {
                "number": self.number,
                "status": what,
                "version_at": self.updated_at or at,
                "starts_at": self.starts_at,
                "place": self.place,
                "purpose": self.purpose,
            }
        )


class ContractData(Data):
    usual_channel = Channel.WEB

    number: Number
    updated_at: Moment | None = None
    product: Short | None = None
    ends_at: Moment | None = None

    def content(self, what: str, at: datetime) -> Content:
        return Contract.model_validate(
            {
                "number": self.number,
                "status": what,
                "version_at": self.updated_at or at,
                "product": self.product,
                "ends_at": self.ends_at,
            }
        )


class ReturnData(Data):
    usual_channel = Channel.WEB

    number: Number
    updated_at: Moment | None = None
    order_number: Number | None = None
    reason: Short | None = None

    def content(self, what: str, at: datetime) -> Content:
        return GoodsReturn.model_validate(
            {
                "number": self.number,
                "status": what,
                "version_at": self.updated_at or at,
                "order_number": self.order_number,
                "reason": self.reason,
            }
        )


class WarrantyClaimData(Data):
    usual_channel = Channel.WEB

    number: Number
    updated_at: Moment | None = None
    product: Short | None = None
    reason: Short | None = None

    def content(self, what: str, at: datetime) -> Content:
        return WarrantyClaim.model_validate(
            {
                "number": self.number,
                "status": what,
                "version_at": self.updated_at or at,
                "product": self.product,
                "reason": self.reason,
            }
        )


class ReviewData(Data):
    usual_channel = Channel.REVIEW
    direction = Direction.INBOUND

    rating: float = Field(ge=0, le=1000)
    best: float = Field(default=5, gt=0, le=1000)
    text: Text = ""
    source: Annotated[str, Field(max_length=60)] | None = None
    review_id: Number | None = None
    updated_at: Moment | None = None
    place: Text | None = None
    version: Annotated[Annotated[str, Field(max_length=60)] | None, BeforeValidator(as_text)] = None
    url: Text | None = None

    def content(self, what: str, at: datetime) -> Content:
        if self.rating > self.best:
            raise MalformedPayload("data.rating: more than data.best")
        return Review(
            rating=self.rating,
            best=self.best,
            text=self.text,
            source=self.source,
            review_id=self.review_id,
            place=self.place,
            version=self.version,
            url=self.url,
        )

    def event_id(self, message_id: str) -> str:
        """Whoever polls a store finds the same review again and again and makes a new event of it
        each time, so a review that is named is known by its name and version.
        """
        if self.review_id is None:
            return message_id
        version = f":{isoformat(self.updated_at)}" if self.updated_at else ""
        return f"review:{self.source or ''}:{self.review_id}{version}"


class SurveyData(Data):
    usual_channel = Channel.WEB
    direction = Direction.INBOUND

    survey: Number
    metric: Literal["csat", "nps", "ces"]
    score: int
    text: Text = ""

    def content(self, what: str, at: datetime) -> Content:
        least, most = SCALES[self.metric]
        if not least <= self.score <= most:
            raise MalformedPayload(f"data.score: {self.metric} goes from {least} to {most}")
        return SurveyAnswer(
            survey=self.survey, metric=self.metric, score=self.score, text=self.text
        )


class ConsentData(Data):
    usual_channel = Channel.WEB

    purpose: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    for_channel: Annotated[Channel, Field(strict=False)] | None = None
    """Which channel it speaks of; without it, every one. `channel` is where it was said."""
    wording: str | None = Field(default=None, max_length=500)
    expires_at: Moment | None = None

    def content(self, what: str, at: datetime) -> Content:
        return ConsentStatement.model_validate(
            {
                "purpose": self.purpose,
                "channel": self.for_channel,
                "state": what,
                "wording": self.wording,
                "expires_at": self.expires_at,
            }
        )


class MessageData(Data):
    usual_channel = Channel.APP
    direction = Direction.INBOUND

    text: Text = Field(min_length=1)
    subject: Text | None = None

    def content(self, what: str, at: datetime) -> Content:
        return Message(text=self.text, subject=self.subject)


class PushData(Data):
    """What an app tells of itself, and of what was pushed to it, on a line that the source has."""

    usual_channel = Channel.PUSH

    reply_by: Literal["push"] = "push"

    def content(self, what: str, at: datetime) -> Content:
        """Who opens it sees the conversation, in which all stands that was sent until then; what
        they put away had arrived.
        """
        if what in PUSH_STATUSES:
            return DeliveryWatermark(status=PUSH_STATUSES[what], until=at)
        is_gone = what == "unregistered"
        return TrackedEvent(
            name=f"push_{what}", stop=GONE if is_gone else None, lifts=None if is_gone else GONE
        )


class Confirmation(Data):
    """The person followed a link, or typed a code, that was sent to this address."""

    usual_channel = Channel.WEB
    proof = Proof.CONFIRMED
    confirmed: ClassVar[IdentifierType]
    unconfirmed: ClassVar[IdentifierType]

    def content(self, what: str, at: datetime) -> Content:
        if all(one.type is not self.confirmed for one in self.identifiers):
            raise MalformedPayload(f"data.customer.{self.confirmed}: missing")
        return Identification()

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """Without the other address: the touchpoint's proof would prove that as well."""
        return tuple(one for one in self.customer.identifiers if one.type is not self.unconfirmed)


class EmailConfirmation(Confirmation):
    confirmed = IdentifierType.EMAIL
    unconfirmed = IdentifierType.PHONE


class PhoneConfirmation(Confirmation):
    confirmed = IdentifierType.PHONE
    unconfirmed = IdentifierType.EMAIL


GONE = Stop(kind="bounce")
"""The app was removed, or forbidden to notify: nothing arrives until it registers again."""
PUSH_STATUSES: Mapping[str, Literal["delivered", "read"]] = {
    "opened": "read",
    "dismissed": "delivered",
}

SCALES = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}

ORDER_STATUSES = ("placed", "paid", "shipped", "delivered", "cancelled", "returned", "refunded")
APPOINTMENT_STATUSES = ("booked", "moved", "cancelled", "kept", "missed")
CONTRACT_STATUSES = ("proposed", "active", "suspended", "ended")
RETURN_STATUSES = ("requested", "approved", "received", "refunded", "refused")
WARRANTY_CLAIM_STATUSES = ("opened", "accepted", "repaired", "replaced", "refused", "closed")

TYPES: Mapping[str, type[Data]] = {
    "purchase.completed": PurchaseData,
    **{f"order.{status}": OrderData for status in ORDER_STATUSES},
    **{f"appointment.{status}": AppointmentData for status in APPOINTMENT_STATUSES},
    **{f"contract.{status}": ContractData for status in CONTRACT_STATUSES},
    **{f"return.{status}": ReturnData for status in RETURN_STATUSES},
    **{f"warranty_claim.{status}": WarrantyClaimData for status in WARRANTY_CLAIM_STATUSES},
    "consent.granted": ConsentData,
    "consent.withdrawn": ConsentData,
    "review.posted": ReviewData,
    "review.changed": ReviewData,
    "survey.answered": SurveyData,
    "message.received": MessageData,
    "email.confirmed": EmailConfirmation,
    "phone.confirmed": PhoneConfirmation,
    "push.registered": PushData,
    "push.unregistered": PushData,
    **{f"push.{what}": PushData for what in PUSH_STATUSES},
}
"""The vocabulary. Any other type is kept as it is."""


class Event(Payload):
    type: str = Field(min_length=1, max_length=100)
    timestamp: IfReadable[Annotated[AwareDatetime, Field(strict=False)]] = None
    data: JsonValue = None


def _lines(items: list[Item]) -> tuple[Line, ...]:
    return tuple(
        Line(sku=one.sku, name=one.name, quantity=one.quantity, unit_price=one.unit_price)
        for one in items
    )


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
    return written if MAIL.fullmatch(written) else None


def _e164(phone: str | None) -> str | None:
    """With its country code, or it cannot be written to."""
    digits = "".join(character for character in phone or "" if character.isdigit())
    return f"+{digits}" if phone and phone.startswith("+") and 7 <= len(digits) <= 15 else None


PROVIDER = StandardWebhooks()

"""What a source of Standard Webhooks can say (docs/standard-webhooks.md)."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from shared.domain.errors import MalformedPayload
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
    GoodsReturn,
    Identification,
    Line,
    Message,
    Order,
    Purchase,
    Review,
    Stop,
    SurveyAnswer,
    TrackedEvent,
    WarrantyClaim,
)
from shared.providers._money import Amount, Currency
from shared.providers.base import IfReadable, Payload, as_text


def _no_text_is_none(value: object) -> object:
    """A till sends "" for what it does not know."""
    return None if value == "" else value


def _within_reason(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:
        raise ValueError("out of reason")
    return moment


Number = Annotated[str, BeforeValidator(as_text), Field(min_length=1, max_length=100)]
Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_within_reason)]
Text = Annotated[str, BeforeValidator(as_text)]
Short = Annotated[Text, Field(max_length=200)]
Written = Annotated[Text, Field(max_length=LONGEST_VALUE)]
"""A phone or an address as somebody typed it. What is none identifies nobody, and is no reason to
lose what else was told.
"""
Device = Annotated[str, StringConstraints(pattern=rf"^[!-~]{{1,{LONGEST_VALUE}}}$")]


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

    @abstractmethod
    def content(self, what: str, at: datetime) -> Content:
        """`what` is the type's second half, `at` when it happened."""

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

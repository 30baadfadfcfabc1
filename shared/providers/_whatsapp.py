"""What a message says on WhatsApp, kind by kind.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from shared.domain.errors import MalformedPayload
from shared.domain.touchpoint import (
    Attachment,
    Basket,
    Choice,
    ContactCard,
    Form,
    Line,
    Message,
    MessageDeletion,
    MessageEdit,
    Place,
    Reaction,
    Referral,
    TrackedEvent,
    Unsupported,
)
from shared.providers._meta import Part, Stamp, compact, only_currency, url_that_fits
from shared.providers.base import ProviderId, read_model

Said = Message | Reaction | MessageEdit | MessageDeletion | TrackedEvent | Unsupported
LONG = 65_536

SOURCES: Mapping[str, Literal["ad", "post"]] = {"ad": "ad", "post": "post"}
"""What a referral comes from; anything else is `other`."""


class ReferredProduct(Part):
    catalog_id: str = Field(default="", max_length=256)
    product_retailer_id: str = Field(default="", max_length=256)


class Context(Part):
    id: str | None = Field(default=None, max_length=256)
    forwarded: bool = False
    frequently_forwarded: bool = False
    referred_product: ReferredProduct | None = None


class Clicked(Part):
    """The advertisement or post that led here."""

    source_type: str = ""
    source_id: str = Field(default="", max_length=512)
    source_url: str = ""
    headline: str = ""
    ctwa_clid: str = Field(default="", max_length=2048)

    def referral(self) -> Referral:
        """`ref` is Meta's name of the click: without it no sale is told back to the ad."""
        return Referral(
            source=SOURCES.get(self.source_type, "other"),
            id=self.source_id,
            url=url_that_fits(self.source_url),
            headline=self.headline[:1024],
            ref=self.ctwa_clid,
        )


class Parties(Part):
    """Who a message or a call is from, and who it is to."""

    sender: str = Field(default="", alias="from", max_length=200)
    from_user_id: str = Field(default="", max_length=200)
    from_parent_user_id: str = Field(default="", max_length=200)
    to: str = Field(default="", max_length=200)
    to_user_id: str = Field(default="", max_length=200)
    to_parent_user_id: str = Field(default="", max_length=200)


class Envelope(Parties):
    """What every message has, whatever it says."""

    id: ProviderId
    timestamp: Stamp = None
    type: str = Field(default="unknown", pattern=r"^[a-z0-9_]{1,60}$")
    group_id: str | None = None
    context: Context = Context()
    referral: Clicked | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_type(cls, value: Any) -> Any:
        """An answer about calls names no type: the part that it has tells it."""
        if not isinstance(value, dict) or value.get("type") is not None:
            return value
        return value | {"type": next((kind for kind in KINDS if kind in value), "unknown")}


class Spoken(Part):
    """The part of a message that holds what it says."""

    def said(self) -> Message | Reaction | TrackedEvent | None:
        """None for a variant that we do not know."""
        raise NotImplementedError


class Text(Spoken):
    body: str = Field(max_length=LONG)

    def said(self) -> Message:
        return Message(text=self.body)


class Button(Spoken):
    """A quick reply under one of our templates."""

    text: str = Field(max_length=1024)
    payload: str = Field(default="", max_length=1024)

    def said(self) -> Message:
        return Message(text=self.text, choice=Choice(id=self.payload, title=self.text))


class Picked(Part):
    id: str = Field(default="", max_length=1024)
    title: str = Field(default="", max_length=1024)


def _as_text(value: object) -> object:
    """Some who pass webhooks on have read it already."""
    return compact(value).decode() if isinstance(value, dict | list) else value


class FormAnswer(Part):
    """A flow, filled in: the answers as JSON text."""

    response_json: Annotated[str, BeforeValidator(_as_text)] = Field(max_length=LONG)


class Permission(Part):
    """Whether we may call them.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-call-permissions
    """

    response: str = Field(default="", max_length=60)
    is_permanent: bool = False

    def event(self) -> TrackedEvent:
        told: dict[str, JsonValue] = {
            "response": self.response,
            "is_permanent": self.is_permanent,
        }
        return TrackedEvent(name="whatsapp_call_permission", properties=told)


class Interactive(Spoken):
    button_reply: Picked | None = None
    list_reply: Picked | None = None
    nfm_reply: FormAnswer | None = None
    call_permission_reply: Permission | None = None

    def said(self) -> Message | TrackedEvent | None:
        if picked := self.button_reply or self.list_reply:
            return Message(text=picked.title, choice=Choice(id=picked.id, title=picked.title))
        if self.call_permission_reply is not None:
            return self.call_permission_reply.event()
        return Message(text=self.nfm_reply.response_json) if self.nfm_reply else None


class Media(Spoken):
    id: ProviderId
    mime_type: str = Field(default="application/octet-stream", max_length=255)
    caption: str = Field(default="", max_length=LONG)
    filename: str = ""
    voice: bool = False

    def said(self) -> Message:
        return Message(text=self.caption, attachments=(self.attachment("file"),))

    def attachment(self, form: Form) -> Attachment:
        return Attachment(
            form="voice" if self.voice else form,
            name=self.filename[:255],
            content_type=self.mime_type,
            provider_reference=self.id,
        )


FORMS: Mapping[str, Form] = {
    "image": "image",
    "document": "file",
    "audio": "audio",
    "voice": "voice",
    "video": "video",
    "sticker": "sticker",
}
"""The message types that are media."""


class Location(Spoken):
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: str = Field(default="", max_length=1024)
    address: str = Field(default="", max_length=1024)

    def said(self) -> Message:
        place = Place(
            latitude=self.latitude, longitude=self.longitude, name=self.name, address=self.address
        )
        return Message(place=place)


class CardName(Part):
    formatted_name: str = Field(default="", max_length=1024)
    first_name: str = ""
    last_name: str = ""

    @property
    def full(self) -> str:
        return self.formatted_name or f"{self.first_name} {self.last_name}".strip()[:1024]


class CardPhone(Part):
    phone: str = Field(default="", max_length=64)
    wa_id: str = Field(default="", max_length=64)


class CardEmail(Part):
    email: str = Field(default="", max_length=320)


class Card(Part):
    name: CardName = CardName()
    phones: list[CardPhone] = []
    emails: list[CardEmail] = []


class Cards(Spoken):
    """Cards of other people; or their own, when we asked for their number (`contact_request`)."""

    contacts: list[Card] = Field(max_length=500)
    origin: str = ""

    @property
    def own_phone(self) -> str:
        """In digits; empty where it is not plainly the sender's own."""
        phones = [one.phone for card in self.contacts for one in card.phones]
        if self.origin != "contact_request" or len(phones) != 1:
            return ""
        return re.sub(r"[^0-9]", "", phones[0])

    def said(self) -> Message:
        cards = (
            ContactCard(
                name=card.name.full,
                phones=tuple(one.phone or one.wa_id for one in card.phones),
                emails=tuple(one.email for one in card.emails),
            )
            for card in self.contacts
        )
        return Message(cards=tuple(cards))


class Sign(Spoken):
    """Without an emoji an earlier reaction is taken back."""

    message_id: ProviderId
    emoji: str = Field(default="", max_length=64)

    def said(self) -> Reaction:
        return Reaction(message_id=self.message_id, emoji=self.emoji)


class Product(Part):
    product_retailer_id: str = Field(max_length=100)
    quantity: int | float | str = 1
    item_price: int | float | str | None = None
    currency: str = Field(default="", max_length=8)

    def line(self) -> Line:
        quantity = _number(self.quantity)
        if quantity is None or quantity <= 0 or not isfinite(float(quantity)):
            raise MalformedPayload("quantity: not a number above nothing")
        price = _number(self.item_price)
        return Line(
            sku=self.product_retailer_id,
            quantity=float(quantity),
            unit_price=None if price is None else f"{price:f}",
        )


class WantedProducts(Spoken):
    """Products of our catalogue that the person wants to have."""

    product_items: list[Product] = Field(max_length=1000)
    text: str = Field(default="", max_length=LONG)

    def said(self) -> Message:
        basket = Basket(
            lines=tuple(one.line() for one in self.product_items),
            currency=only_currency(one.currency for one in self.product_items),
        )
        return Message(text=self.text, basket=basket)


KINDS: Mapping[str, type[Spoken]] = {
    "text": Text,
    "button": Button,
    "interactive": Interactive,
    **dict.fromkeys(FORMS, Media),
    "location": Location,
    "contacts": Cards,
    "reaction": Sign,
    "order": WantedProducts,
}
"""How each message type is read. Any other is kept as Unsupported."""

EVENTS = frozenset({"request_welcome"})
"""What a person does without saying anything: they opened the conversation for the first time."""


class Edited(Part):
    original_message_id: ProviderId
    message: dict[str, Any]


class Revoked(Part):
    original_message_id: ProviderId


class Failure(Part):
    code: str = Field(default="", max_length=40)
    title: str = Field(default="", max_length=1024)


class NotCarried(Part):
    """`unsupported` names the type that the API does not carry, where it does: poll, edit."""

    type: str = Field(default="", max_length=60)


class Reasons(Part):
    unsupported: NotCarried = NotCarried()
    errors: list[Failure] = Field(default=[], max_length=100)


def said(envelope: Envelope, original: Mapping[str, Any]) -> Said:
    """What the message says. Raises MalformedPayload."""
    match envelope.type:
        case "edit":
            return _edit(read_model(Edited, original.get("edit")))
        case "revoke":
            revoked = read_model(Revoked, original.get("revoke"))
            return MessageDeletion(message_id=revoked.original_message_id)
        case kind if kind in EVENTS:
            return TrackedEvent(name=f"whatsapp_{kind}")
        case kind if kind not in KINDS or kind not in original:
            # Of a medium that WhatsApp could not fetch nothing comes but the error, and of what
            # WhatsApp itself could not put into words not even that.
            return _unsupported(kind, original)
    content = _spoken(envelope.type, original)
    if content is None:
        return Unsupported(what=f"message of type {envelope.type}, of an unknown variant")
    if not isinstance(content, Message):
        return content
    return content.model_copy(
        update={
            "in_reply_to": envelope.context.id,
            "forwarded": envelope.context.forwarded or envelope.context.frequently_forwarded,
            "referral": _referral(envelope),
        }
    )


def _spoken(kind: str, original: Mapping[str, Any]) -> Message | Reaction | TrackedEvent | None:
    model = KINDS[kind]
    part = read_model(model, original if model is Cards else original.get(kind))
    if isinstance(part, Media):
        return Message(text=part.caption, attachments=(part.attachment(FORMS[kind]),))
    return part.said()


def _referral(envelope: Envelope) -> Referral | None:
    """An advertisement or a post; else the product they ask about."""
    if envelope.referral is not None:
        return envelope.referral.referral()
    product = envelope.context.referred_product
    return Referral(source="other", id=product.product_retailer_id) if product else None


def _edit(edited: Edited) -> MessageEdit | Unsupported:
    """The message as it now reads, or what became of it is not for us to read."""
    kind = edited.message.get("type")
    content = _spoken(kind, edited.message) if isinstance(kind, str) and kind in KINDS else None
    if not isinstance(content, Message):
        return Unsupported(what="edit of a message of an unknown type")
    return MessageEdit(
        message_id=edited.original_message_id, text=content.text, attachments=content.attachments
    )


def _unsupported(kind: str, original: Mapping[str, Any]) -> Unsupported:
    why = read_model(Reasons, original)
    named = f" ({why.unsupported.type})" if why.unsupported.type else ""
    errors = "".join(f", error {one.code}" for one in why.errors[:3])
    return Unsupported(what=f"message of type {kind}{named}{errors}"[:200])


def _number(value: int | float | str | None) -> Decimal | None:
    """As it is written; None for what is no number, or beyond what anybody pays."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 30 else None

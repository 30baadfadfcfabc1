"""WhatsApp through Meta's Cloud API.

Webhooks: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks
Sending: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages
People without a phone number: .../whatsapp/business-scoped-user-ids
"""

import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from shared.domain.errors import (
    MalformedPayload,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.identity import Identifier, IdentifierType, Proof
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    Content,
    DeliveryStatus,
    Direction,
    Endpoint,
    Message,
    Stop,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers.base import (
    JSON_TYPE,
    Fetch,
    HttpRequest,
    HttpResponse,
    Observed,
    Payload,
    Provider,
    ProviderId,
    Secret,
    WebhookRequest,
    WebhookResponse,
    believable,
    read_json,
    read_model,
    same,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage, TemplateUse

NAME = "whatsapp_cloud"

API = "https://graph.facebook.com/v26.0"
"""The newest version, of 2026-07-29: https://developers.facebook.com/docs/graph-api/changelog"""

LONGEST_TEXT = 4096

TOO_FAST = frozenset({"4", "80007", "130429", "131056"})
"""Application, account, throughput and pair limits: nothing was sent, and waiting helps.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

_PHONE = re.compile(r"[0-9]{4,20}")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,140}")
"""A business-scoped user id: country, dot, up to 128 characters; a parent's has `ENT.` between."""


class WhatsAppCloudSecret(Secret):
    """App dashboard: `app_secrets` under Settings > Basic, `verify_token` is yours to invent.

    `access_token` is that of a system user who may send. `portfolios` says to which business
    portfolio a WhatsApp Business Account (its id) belongs: accounts of one portfolio share their
    user ids.
    """

    app_secrets: list[str] = Field(min_length=1)
    verify_token: str = Field(min_length=8)
    access_token: str = Field(min_length=1)
    portfolios: dict[str, str] = {}


class Profile(Payload):
    name: str = ""


class Contact(Payload):
    wa_id: str = Field(default="", max_length=64)
    user_id: str = Field(default="", max_length=200)
    parent_user_id: str = Field(default="", max_length=200)
    profile: Profile = Profile()


class Metadata(Payload):
    phone_number_id: ProviderId


class Change(Payload):
    field: str
    value: dict[str, Any]


class Entry(Payload):
    id: ProviderId = Field(max_length=200)
    """Scopes the user ids, hence no longer than a scope may be."""
    changes: list[Change]


class Body(Payload):
    object: Literal["whatsapp_business_account"]
    entry: list[Entry]


class MessagesValue(Payload):
    """The value of the fields `messages` and `smb_message_echoes`."""

    metadata: Metadata
    contacts: list[Contact] = []
    messages: list[dict[str, Any]] = []
    message_echoes: list[dict[str, Any]] = []
    statuses: list[dict[str, Any]] = []


class Context(Payload):
    id: str | None = Field(default=None, max_length=256)


class Envelope(Payload):
    """What every message has, whatever it says."""

    id: ProviderId
    timestamp: str = Field(pattern=r"^[0-9]{1,12}$")
    type: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    sender: str = Field(default="", alias="from", max_length=200)
    from_user_id: str = Field(default="", max_length=200)
    to: str = Field(default="", max_length=200)
    to_user_id: str = Field(default="", max_length=200)
    group_id: str | None = None
    context: Context = Context()


class Said(NamedTuple):
    """What a message says, in our words."""

    text: str = ""
    attachment: Attachment | None = None
    in_reply_to: str | None = None


class Spoken(Payload):
    """The part of a message that holds what it says."""

    def said(self) -> Said | None:
        """None for a variant that we do not know."""
        raise NotImplementedError


class Text(Spoken):
    body: str = Field(max_length=65_536)

    def said(self) -> Said:
        return Said(self.body)


class Button(Spoken):
    """A quick reply under one of our templates."""

    text: str = Field(max_length=65_536)

    def said(self) -> Said:
        return Said(self.text)


class Choice(Payload):
    title: str = Field(max_length=1024)


class FormAnswer(Payload):
    """A flow, filled in: the answers as JSON text."""

    response_json: str = Field(max_length=65_536)


class Interactive(Spoken):
    button_reply: Choice | None = None
    list_reply: Choice | None = None
    nfm_reply: FormAnswer | None = None

    def said(self) -> Said | None:
        if chosen := self.button_reply or self.list_reply:
            return Said(chosen.title)
        return Said(self.nfm_reply.response_json) if self.nfm_reply else None


class Media(Spoken):
    id: ProviderId
    mime_type: str = Field(default="application/octet-stream", max_length=255)
    caption: str = Field(default="", max_length=65_536)
    filename: str = ""

    def said(self) -> Said:
        attachment = Attachment(
            name=self.filename[:255], content_type=self.mime_type, provider_reference=self.id
        )
        return Said(self.caption, attachment)


class Location(Spoken):
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: str = Field(default="", max_length=1024)
    address: str = Field(default="", max_length=1024)

    def said(self) -> Said:
        """Name and address where given, then a geo URI (RFC 5870)."""
        lines = (self.name, self.address, f"geo:{self.latitude:g},{self.longitude:g}")
        return Said("\n".join(line for line in lines if line))


class CardName(Payload):
    formatted_name: str = Field(default="", max_length=1024)


class CardPhone(Payload):
    phone: str = Field(default="", max_length=64)


class Card(Payload):
    name: CardName = CardName()
    phones: list[CardPhone] = []


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

    def said(self) -> Said:
        """One line a person: the name, then the numbers."""
        lines = (
            " ".join((card.name.formatted_name, *(one.phone for one in card.phones)))
            for card in self.contacts
        )
        return Said("\n".join(line.strip() for line in lines))


class Reaction(Spoken):
    """Without an emoji an earlier reaction is taken back."""

    message_id: ProviderId
    emoji: str = Field(default="", max_length=64)

    def said(self) -> Said:
        return Said(self.emoji, in_reply_to=self.message_id)


class Product(Payload):
    product_retailer_id: str = Field(max_length=256)
    quantity: int | float | str
    item_price: int | float | str = ""
    currency: str = Field(default="", max_length=8)


class Basket(Spoken):
    """Products of our catalogue that the person wants to have: a wish, not yet an order."""

    product_items: list[Product] = Field(max_length=1000)
    text: str = Field(default="", max_length=65_536)

    def said(self) -> Said:
        lines = (
            f"{item.quantity} × {item.product_retailer_id} {item.item_price} {item.currency}"
            for item in self.product_items
        )
        return Said("\n".join(line.strip() for line in (self.text, *lines) if line.strip()))


KINDS: Mapping[str, type[Spoken]] = {
    "text": Text,
    "button": Button,
    "interactive": Interactive,
    "image": Media,
    "document": Media,
    "audio": Media,
    "voice": Media,
    "video": Media,
    "sticker": Media,
    "location": Location,
    "contacts": Cards,
    "reaction": Reaction,
    "order": Basket,
}
"""How each message type is read. Any other is kept as Unsupported."""


CHANGES = frozenset({"user_changed_number", "customer_changed_number", "user_changed_user_id"})
"""To register a number WhatsApp sends it a code, so both the old and the new one are confirmed; and
user ids are WhatsApp's own.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system
"""


class System(Payload):
    """WhatsApp itself speaks: a number or a user id has changed, an identity has changed.

    With the number the user id changes as well; where we may not see a number, the id is all that
    is told. `customer` and `new_wa_id` are of versions before v12.0, `previous_…` of 2026-08-11 on:
    https://developers.facebook.com/documentation/business-messaging/whatsapp/changelog/
    """

    type: str = Field(default="system", pattern=r"^[a-z0-9_]{1,60}$")
    customer: str = Field(default="", max_length=64)
    wa_id: str = Field(default="", max_length=64)
    new_wa_id: str = Field(default="", max_length=64)
    user_id: str = Field(default="", max_length=200)
    parent_user_id: str = Field(default="", max_length=200)
    previous_user_id: str = Field(default="", max_length=200)
    previous_parent_user_id: str = Field(default="", max_length=200)


class Failure(Payload):
    code: int
    title: str = Field(default="", max_length=1024)


class Status(Payload):
    id: ProviderId
    status: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    timestamp: str = Field(pattern=r"^[0-9]{1,12}$")
    recipient_id: str = Field(default="", max_length=200)
    recipient_user_id: str = Field(default="", max_length=200)
    errors: list[Failure] = []


STATUSES: Mapping[str, Literal["sent", "delivered", "read", "failed"]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}

STOPS: Mapping[str, Stop] = {
    "131050": Stop(kind="opt_out", classes="marketing"),  # they want no marketing of ours
    "131026": Stop(kind="bounce"),  # not on WhatsApp, or their WhatsApp cannot take it
}
"""https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
(2026-11)
"""


class Sent(Payload):
    id: ProviderId


class Answer(Payload):
    """What the API answers when it takes a message."""

    messages: list[Sent] = Field(min_length=1)


class Person(NamedTuple):
    """Who a message is from or to: a phone, a business-scoped user id, or both."""

    phone: str
    user_id: str
    parent_user_id: str = ""

    @property
    def address(self) -> str:
        """Where they are reached. A phone survives where a user id may not, so it comes first."""
        return self.phone or self.user_id

    def identifiers(self, scope: str) -> tuple[Identifier, ...]:
        found = (
            (IdentifierType.PHONE, "", f"+{self.phone}" if self.phone else ""),
            (IdentifierType.WHATSAPP_USER, scope, self.user_id),
            (IdentifierType.WHATSAPP_USER, "", self.parent_user_id),
        )
        return tuple(
            Identifier(type=kind, scope=where, value=value) for kind, where, value in found if value
        )


class Line(NamedTuple):
    """Where in the request a message stood, and whose user ids these are."""

    account: str
    scope: str
    contacts: tuple[Contact, ...]
    received_at: datetime

    def person(self, *names: str, parent_user_id: str = "") -> Person:
        """The person called so in the message; what it leaves out, the contacts may tell."""
        known = next(
            (one for one in self.contacts if {one.wa_id, one.user_id} & {*names} - {""}), None
        )
        names = (*names, known.wa_id, known.user_id) if known else names
        parent = parent_user_id or (known.parent_user_id if known else "")
        return Person(
            phone=next((name for name in names if _PHONE.fullmatch(name)), ""),
            user_id=next((name for name in names if _USER_ID.fullmatch(name)), ""),
            parent_user_id=parent if _USER_ID.fullmatch(parent) else "",
        )

    def name(self, person: Person) -> str | None:
        """An only contact counts even if its wa_id is written otherwise (Brazil, Mexico)."""
        if len(self.contacts) == 1:
            return self.contacts[0].profile.name[:200] or None
        names = (
            contact.profile.name[:200]
            for contact in self.contacts
            if {contact.wa_id, contact.user_id} & {person.phone, person.user_id} - {""}
        )
        return next(names, None) or None

    def touchpoint(
        self,
        event_id: str,
        occurred_at: datetime,
        content: Content,
        direction: Direction,
        person: Person,
        *,
        automation: Automation | None = None,
        answerable: bool = True,
    ) -> Touchpoint:
        endpoint = None
        if answerable and person.address:
            endpoint = Endpoint(
                channel=Channel.WHATSAPP,
                provider=NAME,
                account=self.account,
                address=person.address,
            )
        return Touchpoint(
            provider=NAME,
            account=self.account,
            provider_event_id=event_id,
            channel=Channel.WHATSAPP,
            direction=direction,
            occurred_at=occurred_at,
            received_at=self.received_at,
            content=content,
            identifiers=person.identifiers(self.scope),
            endpoint=endpoint,
            name=self.name(person),
            automation=automation,
        )


class WhatsAppCloud(Provider[WhatsAppCloudSecret]):
    name = NAME
    secret_type = WhatsAppCloudSecret
    stops = STOPS
    largest_body = 3_000_000
    """Meta: payloads are up to 3 MB."""
    longest_text = LONGEST_TEXT

    def challenge(
        self, request: WebhookRequest, secret: WhatsAppCloudSecret
    ) -> WebhookResponse | None:
        """Meta asks once, by GET, whether we know the token set in its dashboard."""
        if request.method != "GET":
            return None
        known = same(request.parameter("hub.verify_token"), secret.verify_token)
        if not known or request.parameter("hub.mode") != "subscribe":
            return WebhookResponse(status=403)
        return WebhookResponse(body=request.parameter("hub.challenge"))

    def verify(self, request: WebhookRequest, secret: WhatsAppCloudSecret, fetch: Fetch) -> None:
        given = request.header("x-hub-signature-256")
        valid = [
            "sha256=" + hmac.new(key.encode(), request.body, sha256).hexdigest()
            for key in secret.app_secrets
        ]
        if not any(same(given, one) for one in valid):
            raise Unauthentic("X-Hub-Signature-256 is missing or wrong")

    def parse(
        self, request: WebhookRequest, secret: WhatsAppCloudSecret, received_at: datetime
    ) -> list[Observed]:
        if request.content_type != JSON_TYPE:
            raise MalformedPayload("the body is not declared as JSON")
        body = read_model(Body, read_json(request.body))
        return [
            observed
            for entry in body.entry
            for change in entry.changes
            for observed in _observe(
                entry.id, secret.portfolios.get(entry.id, entry.id), change, received_at
            )
        ]

    def prepare(self, message: "OutboundMessage", secret: WhatsAppCloudSecret) -> HttpRequest:
        address = message.endpoint.address
        recipient = {"recipient": address} if _USER_ID.fullmatch(address) else {"to": address}
        if message.template is not None:
            content: dict[str, Any] = {"type": "template", "template": _template(message.template)}
        elif 0 < len(message.text) <= LONGEST_TEXT:
            content = {"type": "text", "text": {"body": message.text}}
        else:
            raise SendRefused(
                f"a text has 1 to {LONGEST_TEXT} characters on WhatsApp", code="text_length"
            )
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **recipient,
            **({"context": {"message_id": message.in_reply_to}} if message.in_reply_to else {}),
            **content,
            "biz_opaque_callback_data": message.send_key,
        }
        return HttpRequest(
            method="POST",
            url=f"{API}/{message.endpoint.account}/messages",
            headers={
                "authorization": f"Bearer {secret.access_token}",
                "content-type": JSON_TYPE,
            },
            body=_compact(body),
        )

    def receipt(self, response: HttpResponse) -> str:
        if response.status == 200:
            return _message_id(response.body)
        code = _error_code(response.body)
        if response.status in {429, 503} or (400 <= response.status < 500 and code in TOO_FAST):
            raise SendDelayed(f"WhatsApp took nothing: HTTP {response.status}, code {code}")
        if 400 <= response.status < 500:
            raise SendRefused(f"WhatsApp refused: code {code}", code=code)
        raise SendUnconfirmed(f"WhatsApp answered HTTP {response.status}, code {code}")


def _observe(waba: str, scope: str, change: Change, received_at: datetime) -> list[Observed]:
    """What one change holds; one of a field we do not read is a touchpoint keyed by its content."""
    if change.field not in {"messages", "smb_message_echoes"}:
        return [_unknown(waba, change, received_at)]
    value = read_model(MessagesValue, change.value)
    line = Line(value.metadata.phone_number_id, scope, tuple(value.contacts), received_at)
    observed = [
        *((_inbound(line, one), "messages", one) for one in value.messages),
        *((_echo(line, one), "message_echoes", one) for one in value.message_echoes),
        *((_status(line, one), "statuses", one) for one in value.statuses),
    ]
    if not observed:
        return [_unknown(waba, change, received_at)]
    return [
        Observed(touchpoint, _raw(waba, change, part, original))
        for touchpoint, part, original in observed
    ]


def _inbound(line: Line, original: dict[str, Any]) -> Touchpoint:
    envelope = read_model(Envelope, original)
    if envelope.type == "system":
        return _system(line, envelope, original)
    shown = read_model(Cards, original).own_phone if envelope.type == "contacts" else ""
    person = line.person(envelope.sender, envelope.from_user_id, shown)
    if not person.address:
        raise MalformedPayload("from: neither a phone nor a user id")
    # A reaction asks for nothing. A group is not one person: recorded, and nobody is answered.
    passive = envelope.type == "reaction" or envelope.group_id is not None
    return line.touchpoint(
        envelope.id,
        _moment(envelope.timestamp, line.received_at),
        _content(envelope, original),
        Direction.PASSIVE if passive else Direction.INBOUND,
        person,
        answerable=envelope.group_id is None,
    )


def _echo(line: Line, original: dict[str, Any]) -> Touchpoint:
    """What a colleague wrote in the WhatsApp Business app on the same number."""
    envelope = read_model(Envelope, original)
    return line.touchpoint(
        envelope.id,
        _moment(envelope.timestamp, line.received_at),
        _content(envelope, original),
        Direction.OUTBOUND,
        line.person(envelope.to, envelope.to_user_id),
        automation=Automation.ECHO,
        answerable=envelope.group_id is None,
    )


def _system(line: Line, envelope: Envelope, original: dict[str, Any]) -> Touchpoint:
    """Old and new names of a person on one touchpoint: Meta vouches that they are the same."""
    system = read_model(System, original.get("system"))
    old = line.person(
        envelope.sender,
        system.customer,
        system.previous_user_id,
        envelope.from_user_id,
        parent_user_id=system.previous_parent_user_id,
    )
    new = line.person(
        system.wa_id,
        system.new_wa_id,
        system.user_id,
        envelope.from_user_id,
        parent_user_id=system.parent_user_id,
    )
    touchpoint = line.touchpoint(
        envelope.id,
        _moment(envelope.timestamp, line.received_at),
        TrackedEvent(name=f"whatsapp_{system.type}"),
        Direction.PASSIVE,
        new if new.address else old,
    )
    both = (*old.identifiers(line.scope), *new.identifiers(line.scope))
    return touchpoint.model_copy(
        update={
            "identifiers": tuple(dict.fromkeys(both)),
            "proof": Proof.CONFIRMED if system.type in CHANGES else None,
        }
    )


def _status(line: Line, original: dict[str, Any]) -> Touchpoint:
    status = read_model(Status, original)
    content: Content
    if known := STATUSES.get(status.status):
        reason = "; ".join(f"{one.code} {one.title}".strip() for one in status.errors[:5])
        stops = (STOPS.get(str(one.code)) for one in status.errors)
        stop = next((one for one in stops if one is not None), None)
        content = DeliveryStatus(
            status=known,
            message_id=status.id,
            reason=reason or None,
            stop=stop if known == "failed" else None,
        )
    else:
        content = Unsupported(what=f"status {status.status}")
    return line.touchpoint(
        f"{status.id}:{status.status}",
        _moment(status.timestamp, line.received_at),
        content,
        Direction.PASSIVE,
        line.person(status.recipient_id, status.recipient_user_id),
    )


def _content(envelope: Envelope, original: dict[str, Any]) -> Message | Unsupported:
    kind = KINDS.get(envelope.type)
    if kind is None:
        return Unsupported(what=f"message of type {envelope.type}")
    part = original if kind is Cards else original.get(envelope.type)
    said = read_model(kind, part).said()
    if said is None:
        return Unsupported(what=f"message of type {envelope.type}, of an unknown variant")
    return Message(
        text=said.text,
        attachments=(said.attachment,) if said.attachment else (),
        in_reply_to=said.in_reply_to or envelope.context.id,
    )


def _unknown(waba: str, change: Change, received_at: datetime) -> Observed:
    raw = _compact({"id": waba, "changes": [{"field": change.field, "value": change.value}]})
    metadata = change.value.get("metadata")
    number = metadata.get("phone_number_id") if isinstance(metadata, dict) else None
    account = number if isinstance(number, str) and _PHONE.fullmatch(number) else waba
    touchpoint = Touchpoint(
        provider=NAME,
        account=account,
        provider_event_id=sha256(raw).hexdigest(),
        channel=Channel.WHATSAPP,
        direction=Direction.PASSIVE,
        occurred_at=received_at,
        received_at=received_at,
        content=Unsupported(what=f"change of {change.field}"[:200]),
    )
    return Observed(touchpoint, raw)


def _raw(waba: str, change: Change, part: str, original: dict[str, Any]) -> bytes:
    """The request as if it had held this one message only; the contacts stay, being few."""
    shared = ("metadata", "contacts")
    value: dict[str, Any] = {key: change.value[key] for key in shared if key in change.value}
    value[part] = [original]
    return _compact({"id": waba, "changes": [{"field": change.field, "value": value}]})


def _moment(seconds: str, received_at: datetime) -> datetime:
    try:
        return believable(datetime.fromtimestamp(int(seconds), UTC), received_at)
    except (ValueError, OverflowError, OSError):
        raise MalformedPayload("timestamp: not a time") from None


def _template(use: "TemplateUse") -> dict[str, Any]:
    """Line breaks and runs of spaces, refused in a parameter (error 132018), are folded."""
    parameters = [{"type": "text", "text": " ".join(one.split())} for one in use.parameters]
    body = [{"type": "body", "parameters": parameters}] if parameters else []
    return {
        "name": use.name,
        "language": {"code": use.language},
        **({"components": body} if body else {}),
    }


def _message_id(body: bytes) -> str:
    try:
        return read_model(Answer, read_json(body)).messages[0].id
    except MalformedPayload:
        raise SendUnconfirmed("WhatsApp took the message and gave no id") from None


def _error_code(body: bytes) -> str:
    """Meta's own code, or `unknown`."""
    try:
        answer = read_json(body)
    except MalformedPayload:
        return "unknown"
    error = answer.get("error") if isinstance(answer, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return str(code) if isinstance(code, int) else "unknown"


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


PROVIDER = WhatsAppCloud()

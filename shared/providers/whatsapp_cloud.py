"""WhatsApp through Meta's Cloud API.

Webhooks: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks
Sending: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages
People without a phone number: .../whatsapp/business-scoped-user-ids
Numbers also used in the WhatsApp Business app: .../onboarding-business-app-users
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, JsonValue

from shared.domain.errors import MalformedPayload, RefusalReason
from shared.domain.identity import Identifier, IdentifierType, Proof
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    ConsentStatement,
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
from shared.providers._meta import (
    API,
    MetaProvider,
    MetaSecret,
    Part,
    Piece,
    Stamp,
    compact,
    content_key,
    lies_at,
    moment,
)
from shared.providers._whatsapp import Cards, Envelope, Failure, said
from shared.providers._whatsapp_sending import LONGEST_TEXT, outgoing
from shared.providers.base import (
    JSON_TYPE,
    HttpRequest,
    HttpResponse,
    ProviderId,
    read_json,
    read_model,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

NAME = "whatsapp_cloud"

TOO_FAST = frozenset({"4", "80007", "130429", "131056", "131057", "133016"})
"""Application, account, throughput and pair limits, an account in maintenance: nothing was sent,
and waiting helps.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

REFUSALS: Mapping[str, RefusalReason] = {
    "131021": "invalid_recipient",  # it is our own number
    "131030": "invalid_recipient",  # a test number writes to listed recipients only
    "131026": "unreachable",
    "131050": "opted_out",
    "130497": "blocked",  # no business of this kind may write to that country
    "130472": "blocked",  # they are in an experiment of Meta's
    "131049": "limit",  # what Meta lets one person get of offers
    "131048": "limit",  # too much of what this number sent was reported
    "131064": "limit",
    "132069": "limit",
    "131047": "window_closed",
    "131009": "content",
    "131008": "content",
    "100": "content",
    "131052": "content",
    "131053": "content",
    "132068": "content",
    "131051": "not_supported",
    "131062": "not_supported",  # not to somebody without a phone number
    "131063": "template",
    "133010": "unauthorized",  # the number is not registered
    **dict.fromkeys(
        ("132000", "132001", "132005", "132007", "132008", "132012", "132015", "132016", "132018"),
        "template",
    ),
    **dict.fromkeys(
        ("0", "3", "10", "190", "200", "368", "131005", "131031", "131037", "131042", "131045"),
        "unauthorized",
    ),
}
"""https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"""

PREFERENCES: Mapping[str, Literal["granted", "withdrawn"]] = {
    "stop": "withdrawn",
    "resume": "granted",
    "signup": "granted",
}
"""What a person sets in WhatsApp itself about the offers of one business.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences
"""
OFFERS = "marketing"
"""The purpose that these preferences speak of, as consents name it."""

_PHONE = re.compile(r"[0-9]{4,20}")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,140}")
"""A business-scoped user id: country, dot, up to 128 characters; a parent's has `ENT.` between."""


class WhatsAppCloudSecret(MetaSecret):
    """`access_token` is that of a system user who may send. `portfolios` says to which business
    portfolio a WhatsApp Business Account (its id) belongs: accounts of one portfolio share their
    user ids.
    """

    access_token: str = Field(min_length=1)
    portfolios: dict[str, str] = {}


class Profile(Part):
    name: str = ""


class Contact(Part):
    wa_id: str = Field(default="", max_length=64)
    user_id: str = Field(default="", max_length=200)
    parent_user_id: str = Field(default="", max_length=200)
    profile: Profile = Profile()


class Metadata(Part):
    phone_number_id: ProviderId
    display_phone_number: str = Field(default="", max_length=64)


class Change(Part):
    field: str
    value: dict[str, Any]


class Entry(Part):
    id: ProviderId = Field(max_length=200)
    """Scopes the user ids, hence no longer than a scope may be."""
    time: Stamp = None
    changes: list[Change] = []


class Body(Part):
    object: Literal["whatsapp_business_account"]
    entry: list[Entry]


class Thread(Part):
    """An exchange of the past with one person, whose phone `id` is."""

    id: str = Field(default="", max_length=200)
    messages: list[dict[str, Any]] = []


class History(Part):
    threads: list[Thread] = []


class Said(Part):
    messages: list[dict[str, Any]] = []
    message_echoes: list[dict[str, Any]] = []
    statuses: list[dict[str, Any]] = []


class Value(Said):
    """What a change holds, of the fields that we read. In `standby` is what is said while Meta's
    own agent holds the conversation:
    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/standby/
    """

    metadata: Metadata
    contacts: list[Contact] = []
    standby: Said = Said()
    user_preferences: list[dict[str, Any]] = []
    user_id_update: list[dict[str, Any]] = []
    history: list[History] = []


class Preference(Part):
    """`timestamp` is when the webhook was sent."""

    wa_id: str = Field(default="", max_length=64)
    user_id: str = Field(default="", max_length=200)
    category: str = ""
    value: str = ""
    detail: str = Field(default="", max_length=500)
    timestamp: Stamp = None


CHANGES = frozenset({"user_changed_number", "customer_changed_number", "user_changed_user_id"})
"""To register a number WhatsApp sends it a code, so both the old and the new one are confirmed; and
user ids are WhatsApp's own.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system
"""


class System(Part):
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


class Renamed(Part):
    previous: str = Field(default="", max_length=200)
    current: str = Field(default="", max_length=200)


class UserIdUpdate(Part):
    """As it was documented until 2026-08-11; since then it is a system message."""

    wa_id: str = Field(default="", max_length=64)
    user_id: Renamed = Renamed()
    parent_user_id: Renamed = Renamed()
    timestamp: Stamp = None


class Pricing(Part):
    category: str = Field(default="", max_length=60)
    billable: bool | None = None


class Origin(Part):
    type: str = Field(default="", max_length=60)


class Conversation(Part):
    """How it was charged until 2025-07: by conversation."""

    origin: Origin = Origin()


class Status(Part):
    id: ProviderId
    status: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    timestamp: Stamp = None
    recipient_id: str = Field(default="", max_length=200)
    recipient_user_id: str = Field(default="", max_length=200)
    recipient_type: str = ""
    recipient_participant_id: str = Field(default="", max_length=64)
    recipient_participant_user_id: str = Field(default="", max_length=200)
    """In a group: who of them."""
    pricing: Pricing = Pricing()
    conversation: Conversation = Conversation()
    send_key: str = Field(default="", alias="biz_opaque_callback_data", max_length=512)
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


class Sent(Part):
    id: ProviderId


class Answer(Part):
    """What the API answers when it takes a message."""

    messages: list[Sent] = Field(min_length=1)


class Medium(Part):
    """Where a medium lies, for five minutes."""

    id: str
    url: str = Field(max_length=2048)


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


class OurNumber(NamedTuple):
    """The number of ours that a message came to, and what the request tells around it.

    `scope` says whose user ids these are, `display` is the number as people read it.
    """

    account: str
    scope: str
    contacts: tuple[Contact, ...]
    received_at: datetime
    display: str = ""

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


class WhatsAppCloud(MetaProvider[WhatsAppCloudSecret]):
    name = NAME
    secret_type = WhatsAppCloudSecret
    title = "WhatsApp"
    too_fast = TOO_FAST
    refusals = REFUSALS
    stops = STOPS
    longest_text = LONGEST_TEXT
    media_hosts = ("graph.facebook.com", "lookaside.fbsbx.com")

    def pieces(
        self, body: JsonValue, secret: WhatsAppCloudSecret, received_at: datetime
    ) -> Iterator[Piece]:
        for entry in read_model(Body, body).entry:
            scope = secret.portfolios.get(entry.id, entry.id)
            for change in entry.changes:
                yield from _pieces(entry, scope, change, received_at)

    def prepare(self, message: "OutboundMessage", secret: WhatsAppCloudSecret) -> HttpRequest:
        address = message.endpoint.address
        recipient = {"recipient": address} if _USER_ID.fullmatch(address) else {"to": address}
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **recipient,
            **({"context": {"message_id": message.in_reply_to}} if message.in_reply_to else {}),
            **outgoing(message),
            "biz_opaque_callback_data": message.send_key,
        }
        return HttpRequest(
            method="POST",
            url=f"{API}/{message.endpoint.account}/messages",
            headers=_headers(secret) | {"content-type": JSON_TYPE},
            body=compact(body),
        )

    def message_id(self, answer: JsonValue) -> str:
        return read_model(Answer, answer).messages[0].id

    def media(self, attachment: Attachment, secret: WhatsAppCloudSecret) -> HttpRequest | None:
        """First where it lies, by its id.

        https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
        """
        known = attachment.provider_reference
        if not known or not known.isascii() or not known.isalnum():
            return None
        return HttpRequest(method="GET", url=f"{API}/{known}", headers=_headers(secret), body=b"")

    def media_location(
        self, attachment: Attachment, response: HttpResponse, secret: WhatsAppCloudSecret
    ) -> HttpRequest | None:
        """Only Meta's answer names the medium by its id; anything else is the file."""
        if not _names(attachment.provider_reference, response):
            return None
        medium = read_model(Medium, read_json(response.body))
        if not lies_at(medium.url, self.media_hosts):
            raise MalformedPayload("url: the medium lies at a host that is not WhatsApp's")
        return HttpRequest(method="GET", url=medium.url, headers=_headers(secret), body=b"")


def _pieces(entry: Entry, scope: str, change: Change, received_at: datetime) -> Iterator[Piece]:
    """What one change holds; one of a field we do not read is a touchpoint keyed by its content."""
    waba, unknown = entry.id, _unknown(entry, change, received_at)
    if change.field not in FIELDS:
        yield unknown
        return
    try:
        value = read_model(Value, change.value)
    except MalformedPayload as error:
        yield Piece(unknown.raw, _raiser(error))
        return
    number = OurNumber(
        value.metadata.phone_number_id,
        scope,
        tuple(value.contacts),
        received_at,
        value.metadata.display_phone_number,
    )
    is_old = change.field == "history"
    parts: list[tuple[str, list[dict[str, Any]], Reader]] = [
        ("messages", value.messages, _past if is_old else _inbound),
        ("message_echoes", value.message_echoes, _echo),
        ("statuses", value.statuses, _status),
        ("user_preferences", value.user_preferences, _preference),
        ("user_id_update", value.user_id_update, _user_id_update),
    ]
    found = [
        Piece(
            _raw(waba, change, {name: [one]}),
            partial(_read, read, number, one),
        )
        for name, originals, read in parts
        for one in originals
    ]
    overheard: list[tuple[str, list[dict[str, Any]], Reader]] = [
        ("messages", value.standby.messages, _past),
        ("message_echoes", value.standby.message_echoes, _echo),
        ("statuses", value.standby.statuses, _status),
    ]
    found += [
        Piece(_raw(waba, change, {"standby": {name: [one]}}), partial(_read, read, number, one))
        for name, originals, read in overheard
        for one in originals
    ]
    found += [
        Piece(
            _raw(waba, change, {"history": [{"threads": [{"id": thread.id, "messages": [one]}]}]}),
            partial(_read, partial(_past, with_whom=thread.id), number, one),
        )
        for history in value.history
        for thread in history.threads
        for one in thread.messages
    ]
    yield from found or [unknown]


FIELDS = frozenset(
    {"messages", "smb_message_echoes", "user_preferences", "user_id_update", "history", "standby"}
)
"""The rest is about our account and its templates, or, as `smb_app_state_sync`, a private address
book.
"""

Reader = Callable[[OurNumber, dict[str, Any]], Touchpoint]


def _read(read: Reader, number: OurNumber, original: dict[str, Any]) -> list[Touchpoint]:
    return [read(number, original)]


def _inbound(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    envelope = read_model(Envelope, original)
    if envelope.type == "system":
        return _system(number, envelope, original)
    shown = read_model(Cards, original).own_phone if envelope.type == "contacts" else ""
    names = (envelope.sender, envelope.from_user_id)
    if not any(names) and len(number.contacts) == 1:
        # Where the message itself does not say so, the only contact is its sender.
        names = (number.contacts[0].wa_id, number.contacts[0].user_id)
    person = number.person(*names, shown)
    if not person.address:
        raise MalformedPayload("from: neither a phone nor a user id")
    content = said(envelope, original)
    # Only what is said asks for an answer. A group is not one person: recorded, and nobody is
    # answered.
    asks = isinstance(content, Message | Unsupported) and envelope.group_id is None
    return number.touchpoint(
        _event_id(envelope, content),
        moment(envelope.timestamp, number.received_at),
        content,
        Direction.INBOUND if asks else Direction.PASSIVE,
        person,
        answerable=envelope.group_id is None,
    )


def _echo(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """What a colleague wrote in the WhatsApp Business app on the same number."""
    envelope = read_model(Envelope, original)
    return _ours(number, envelope, original, number.person(envelope.to, envelope.to_user_id))


def _past(number: OurNumber, original: dict[str, Any], with_whom: str = "") -> Touchpoint:
    """What was said before the number came to us, or is said to Meta's own agent: it belongs to the
    person's history, and nobody waits for an answer of ours.

    Of a medium there is a placeholder first; the medium itself comes later under the same id.
    """
    envelope = read_model(Envelope, original)
    is_ours = envelope.to != "" or (
        number.display != "" and _digits(envelope.sender) == _digits(number.display)
    )
    if is_ours:
        person = number.person(envelope.to or with_whom, envelope.to_user_id)
        touchpoint = _ours(number, envelope, original, person)
    else:
        touchpoint = number.touchpoint(
            envelope.id,
            moment(envelope.timestamp, number.received_at),
            said(envelope, original),
            Direction.PASSIVE,
            number.person(envelope.sender or with_whom, envelope.from_user_id),
        )
    if envelope.type != "media_placeholder":
        return touchpoint
    return touchpoint.model_copy(update={"provider_event_id": f"{envelope.id}:placeholder"})


def _ours(
    number: OurNumber, envelope: Envelope, original: dict[str, Any], person: "Person"
) -> Touchpoint:
    content = said(envelope, original)
    says = isinstance(content, Message | Unsupported)
    return number.touchpoint(
        _event_id(envelope, content),
        moment(envelope.timestamp, number.received_at),
        content,
        Direction.OUTBOUND if says else Direction.PASSIVE,
        person,
        automation=Automation.ECHO,
        answerable=envelope.group_id is None,
    )


def _event_id(envelope: Envelope, content: Content) -> str:
    """An edit or a deletion that comes under the id of the message itself gets one of its own."""
    if getattr(content, "message_id", None) != envelope.id:
        return envelope.id
    return f"{envelope.id}:{envelope.type}:{envelope.timestamp}"


def _system(number: OurNumber, envelope: Envelope, original: dict[str, Any]) -> Touchpoint:
    """Old and new names of a person on one touchpoint: Meta vouches that they are the same."""
    system = read_model(System, original.get("system"))
    old = number.person(
        envelope.sender,
        system.customer,
        system.previous_user_id,
        envelope.from_user_id,
        parent_user_id=system.previous_parent_user_id,
    )
    new = number.person(
        system.wa_id,
        system.new_wa_id,
        system.user_id,
        envelope.from_user_id,
        parent_user_id=system.parent_user_id,
    )
    touchpoint = number.touchpoint(
        envelope.id,
        moment(envelope.timestamp, number.received_at),
        TrackedEvent(name=f"whatsapp_{system.type}"),
        Direction.PASSIVE,
        new if new.address else old,
    )
    both = (*old.identifiers(number.scope), *new.identifiers(number.scope))
    return touchpoint.model_copy(
        update={
            "identifiers": tuple(dict.fromkeys(both)),
            "proof": Proof.CONFIRMED if system.type in CHANGES else None,
        }
    )


def _user_id_update(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """Both user ids on one touchpoint: Meta vouches that they are of one person."""
    update = read_model(UserIdUpdate, original)
    old = number.person(
        update.wa_id, update.user_id.previous, parent_user_id=update.parent_user_id.previous
    )
    new = number.person(
        update.wa_id, update.user_id.current, parent_user_id=update.parent_user_id.current
    )
    touchpoint = number.touchpoint(
        content_key(compact(original)),
        moment(update.timestamp, number.received_at),
        TrackedEvent(name="whatsapp_user_id_update"),
        Direction.PASSIVE,
        new if new.address else old,
    )
    both = (*old.identifiers(number.scope), *new.identifiers(number.scope))
    return touchpoint.model_copy(
        update={"identifiers": tuple(dict.fromkeys(both)), "proof": Proof.CONFIRMED}
    )


def _status(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """In a group each of them has a status of their own."""
    status = read_model(Status, original)
    is_group = status.recipient_type == "group"
    content: Content
    if known := STATUSES.get(status.status):
        reason = "; ".join(f"{one.code} {one.title}".strip() for one in status.errors[:5])
        stops = (STOPS.get(str(one.code)) for one in status.errors)
        stop = next((one for one in stops if one is not None), None)
        content = DeliveryStatus(
            status=known,
            message_id=status.id,
            send_key=status.send_key[:64] or None,
            reason=reason or None,
            stop=stop if known == "failed" else None,
            price_category=status.pricing.category or status.conversation.origin.type or None,
            billable=status.pricing.billable,
        )
    else:
        content = Unsupported(what=f"status {status.status}")
    member = status.recipient_participant_id or status.recipient_participant_user_id
    of_whom = f".{content_key(member.encode())[:16]}" if is_group else ""
    return number.touchpoint(
        f"{status.id}:{status.status}{of_whom}",
        moment(status.timestamp, number.received_at),
        content,
        Direction.PASSIVE,
        number.person(status.recipient_participant_id, status.recipient_participant_user_id)
        if is_group
        else number.person(status.recipient_id, status.recipient_user_id),
        answerable=not is_group,
    )


def _preference(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """Stopping withdraws the consent to offers; what we owe them may still be sent."""
    preference = read_model(Preference, original)
    state = PREFERENCES.get(preference.value)
    content: Content
    if preference.category == "marketing_messages" and state is not None:
        content = ConsentStatement(
            purpose=OFFERS,
            channel=Channel.WHATSAPP,
            state=state,
            wording=preference.detail or None,
        )
    else:
        content = Unsupported(what="a preference of an unknown kind")
    return number.touchpoint(
        content_key(compact(original)),
        moment(preference.timestamp, number.received_at),
        content,
        Direction.PASSIVE,
        number.person(preference.wa_id, preference.user_id),
    )


def _unknown(entry: Entry, change: Change, received_at: datetime) -> Piece:
    """Of which number of ours it tells says its metadata, or whom it is for (a handover)."""
    raw = compact({"id": entry.id, "changes": [{"field": change.field, "value": change.value}]})
    about = change.value.get("metadata") or change.value.get("recipient")
    number = about.get("phone_number_id") if isinstance(about, dict) else None
    account = number if isinstance(number, str) and _PHONE.fullmatch(number) else entry.id
    stated = change.value.get("timestamp")
    try:
        at = moment(stated if isinstance(stated, str | int) else entry.time, received_at)
    except MalformedPayload:
        at = received_at
    touchpoint = Touchpoint(
        provider=NAME,
        account=account,
        provider_event_id=content_key(raw),
        channel=Channel.WHATSAPP,
        direction=Direction.PASSIVE,
        occurred_at=at,
        received_at=received_at,
        content=Unsupported(what=f"change of {change.field}"[:200]),
    )
    return Piece(raw, lambda: [touchpoint])


def _raiser(error: MalformedPayload) -> Callable[[], list[Touchpoint]]:
    def read() -> list[Touchpoint]:
        raise error

    return read


def _raw(waba: str, change: Change, part: Mapping[str, Any]) -> bytes:
    """The request as if it had held this part only; the contacts stay, being few."""
    shared = ("metadata", "contacts")
    value = {key: change.value[key] for key in shared if key in change.value} | dict(part)
    return compact({"id": waba, "changes": [{"field": change.field, "value": value}]})


def _digits(number: str) -> str:
    return re.sub(r"[^0-9]", "", number)


def _names(media_id: str | None, response: HttpResponse) -> bool:
    """Whether this is Meta's word about that medium, and not a file that happens to be JSON."""
    try:
        answer = read_json(response.body)
    except MalformedPayload:
        return False
    return isinstance(answer, dict) and answer.get("id") == media_id and "url" in answer


def _headers(secret: WhatsAppCloudSecret) -> dict[str, str]:
    return {"authorization": f"Bearer {secret.access_token}"}


PROVIDER = WhatsAppCloud()

PROVIDER = WhatsAppCloud()

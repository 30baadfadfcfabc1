"""The webhook of WhatsApp: what a change holds, part by part.

Webhooks: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks
Numbers also used in the WhatsApp Business app: .../whatsapp/onboarding-business-app-users
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal

from pydantic import Field

from shared.domain.errors import MalformedPayload
from shared.domain.touchpoint import (
    Automation,
    Channel,
    Content,
    Direction,
    Message,
    Touchpoint,
    Unsupported,
)
from shared.providers._meta import Part, Piece, Stamp, compact, content_key, moment
from shared.providers._whatsapp import Cards, Envelope, said
from shared.providers._whatsapp_calls import call_of, call_status_of
from shared.providers._whatsapp_people import (
    NAME,
    PHONE,
    Contact,
    Contacts,
    OurNumber,
    Person,
    changed_names,
    updated_user_id,
)
from shared.providers._whatsapp_statuses import preference_of, status_of
from shared.providers.base import Observed, ProviderId, read_model


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


class Exchanged(Part):
    """What both sides sent each other, and how far it came."""

    messages: list[dict[str, Any]] = []
    message_echoes: list[dict[str, Any]] = []
    statuses: list[dict[str, Any]] = []


class Value(Exchanged):
    """What a change holds, of the fields that we read. In `standby` is what is said while Meta's
    own agent holds the conversation:
    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/standby/
    """

    metadata: Metadata
    contacts: list[Contact] = []
    standby: Exchanged = Exchanged()
    user_preferences: list[dict[str, Any]] = []
    user_id_update: list[dict[str, Any]] = Field(default=[], max_length=1_000)
    history: list[History] = []
    calls: list[dict[str, Any]] = []


def pieces_of(entry: Entry, scope: str, change: Change, received_at: datetime) -> Iterator[Piece]:
    """What one change holds; one of a field we do not read is a touchpoint keyed by its content."""
    unknown = partial(_unknown, entry, change, received_at)
    if change.field not in FIELDS:
        yield unknown()
        return
    try:
        value = read_model(Value, change.value)
    except MalformedPayload as error:
        yield _raiser(error)
        return
    number = OurNumber(
        account=value.metadata.phone_number_id,
        scope=scope,
        contacts=Contacts(value.contacts, change.value.get("contacts") or []),
        received_at=received_at,
        display=value.metadata.display_phone_number,
    )
    parts = _parts_of(entry, change, value, number)
    first = next(parts, None)
    yield unknown() if first is None else first
    yield from parts


def _parts_of(entry: Entry, change: Change, value: Value, number: OurNumber) -> Iterator[Piece]:
    def piece(read: Reader, one: dict[str, Any], part: dict[str, Any]) -> Piece:
        return partial(_read, read, number, one, entry, change, part)

    for name, read in {**PARTS, **ELSEWHERE.get(change.field, {})}.items():
        for one in getattr(value, name):
            yield piece(read, one, {name: [one]})
    for name, read in OVERHEARD.items():
        for one in getattr(value.standby, name):
            yield piece(read, one, {"standby": {name: [one]}})
    for history in value.history:
        for thread in history.threads:
            past = partial(_past, with_whom=thread.id)
            for one in thread.messages:
                exchange = {"id": thread.id, "messages": [one]}
                yield piece(past, one, {"history": [{"threads": [exchange]}]})


FIELDS = frozenset(
    {
        "messages",
        "message_echoes",
        "smb_message_echoes",
        "user_preferences",
        "user_id_update",
        "history",
        "standby",
        "calls",
    }
)
"""The rest is about our account and its templates, or, as `smb_app_state_sync`, a private address
book.
"""

Reader = Callable[[OurNumber, dict[str, Any]], Touchpoint]


def _read(
    read: Reader,
    number: OurNumber,
    one: dict[str, Any],
    entry: Entry,
    change: Change,
    part: Mapping[str, Any],
) -> list[Observed]:
    touchpoint = read(number, one)
    shared = ("metadata", "contacts")
    value = {key: change.value[key] for key in shared if key in change.value}
    if "contacts" in value:
        value["contacts"] = number.contacts.about(touchpoint)
    return [Observed(touchpoint, _raw(entry, change, {**value, **part}))]


def _inbound(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    envelope = read_model(Envelope, original)
    if envelope.type == "system":
        return changed_names(number, envelope, original)
    shown = read_model(Cards, original).own_phone if envelope.type == "contacts" else ""
    names = (envelope.sender, envelope.from_user_id)
    if not any(names) and (only := number.contacts.only):
        # Where the message itself does not say so, the only contact is its sender.
        names = (only.wa_id, only.user_id)
    person = number.person(*names, shown, parent_user_id=envelope.from_parent_user_id)
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
    person = number.person(
        envelope.to, envelope.to_user_id, parent_user_id=envelope.to_parent_user_id
    )
    return _ours(number, envelope, original, person)


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
    number: OurNumber, envelope: Envelope, original: dict[str, Any], person: Person
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


PARTS: Mapping[str, Reader] = {
    "messages": _inbound,
    "message_echoes": _echo,
    "statuses": status_of,
    "user_preferences": preference_of,
    "user_id_update": updated_user_id,
    "calls": call_of,
}
"""How each part of a value is read."""
ELSEWHERE: Mapping[str, Mapping[str, Reader]] = {
    "history": {"messages": _past},
    "smb_message_echoes": {"messages": _echo},
    "calls": {"statuses": call_status_of},
}
"""How it is read in a change of another field."""
OVERHEARD: Mapping[str, Reader] = {
    "messages": _past,
    "message_echoes": _echo,
    "statuses": status_of,
}
"""How it is read while Meta's own agent holds the conversation."""


def _unknown(entry: Entry, change: Change, received_at: datetime) -> Piece:
    """Of which number of ours it tells says its metadata, or whom it is for (a handover)."""
    raw = _raw(entry, change, change.value)
    about = change.value.get("metadata") or change.value.get("recipient")
    number = about.get("phone_number_id") if isinstance(about, dict) else None
    account = number if isinstance(number, str) and PHONE.fullmatch(number) else entry.id
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
    return lambda: [Observed(touchpoint, raw)]


def _raiser(error: MalformedPayload) -> Piece:
    def read() -> list[Observed]:
        raise error

    return read


def _raw(entry: Entry, change: Change, value: Mapping[str, Any]) -> bytes:
    """The request as if it had held this value only."""
    return compact({"id": entry.id, "changes": [{"field": change.field, "value": value}]})


def _digits(number: str) -> str:
    return re.sub(r"[^0-9]", "", number)

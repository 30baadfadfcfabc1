"""Who a message on WhatsApp is from or to, and when they change their number or their id.

People without a phone number: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import Field

from shared.domain.identity import Identifier, IdentifierType, Proof
from shared.domain.touchpoint import (
    Automation,
    Channel,
    Content,
    Direction,
    Endpoint,
    Touchpoint,
    TrackedEvent,
)
from shared.providers._meta import Part, Stamp, compact, content_key, moment
from shared.providers._whatsapp import Envelope
from shared.providers.base import read_model

NAME = "whatsapp_cloud"
"""Of the provider, in the touchpoints it tells of."""

PHONE = re.compile(r"[0-9]{4,20}")
USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,140}")
"""A business-scoped user id: country, dot, up to 128 characters; a parent's has `ENT.` between."""


class Profile(Part):
    """Who has a username may have no name that we are told."""

    name: str = ""
    username: str = ""

    @property
    def shown(self) -> str | None:
        return (self.name or self.username)[:200] or None


class Contact(Part):
    wa_id: str = Field(default="", max_length=64)
    user_id: str = Field(default="", max_length=200)
    parent_user_id: str = Field(default="", max_length=200)
    profile: Profile = Profile()


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


class Contacts:
    """Whom a request names beside its parts; `told` is what it says of each, as it came."""

    def __init__(self, contacts: Sequence[Contact], told: Sequence[dict[str, Any]]) -> None:
        self.only = contacts[0] if len(contacts) == 1 else None
        self._contacts = contacts
        self._told = told
        self._places: dict[str, int] = {}
        for place, one in enumerate(contacts):
            for name in (one.wa_id, one.user_id, _end(one.wa_id)):
                if name:
                    self._places.setdefault(name, place)

    def of(self, *names: str) -> Contact | None:
        """The first that is called so."""
        places = (self._places[name] for name in names if name in self._places)
        return next((self._contacts[place] for place in places), None)

    def about(self, touchpoint: Touchpoint) -> list[dict[str, Any]]:
        """What is told of the person of a part; the others are none of its business."""
        if self.only:
            return [*self._told]
        names = [one.value.removeprefix("+") for one in touchpoint.identifiers]
        names = [name for name in names if name in self._places] or [_end(name) for name in names]
        places = [self._places[name] for name in names if name in self._places]
        return [self._told[place] for place in dict.fromkeys(places)]


def _end(phone: str) -> str:
    """For phones that are written in two ways, as in Brazil, Mexico and Argentina; no name of
    anybody. Empty for what is no phone.
    """
    return f"...{phone[-8:]}" if PHONE.fullmatch(phone) else ""


class OurNumber(NamedTuple):
    """The number of ours that a message came to, and what the request tells around it.

    `scope` says whose user ids these are, `display` is the number as people read it.
    """

    account: str
    scope: str
    contacts: Contacts
    received_at: datetime
    display: str = ""

    def person(self, *names: str, parent_user_id: str = "") -> Person:
        """The person called so in the message; what it leaves out, the contacts may tell."""
        known = self.contacts.of(*names)
        names = (*names, known.wa_id, known.user_id) if known else names
        parent = parent_user_id or (known.parent_user_id if known else "")
        return Person(
            phone=next((name for name in names if PHONE.fullmatch(name)), ""),
            user_id=next((name for name in names if USER_ID.fullmatch(name)), ""),
            parent_user_id=parent if USER_ID.fullmatch(parent) else "",
        )

    def name(self, person: Person) -> str | None:
        """An only contact counts even if its wa_id is written otherwise (Brazil, Mexico)."""
        names = (person.phone, person.user_id, _end(person.phone))
        known = self.contacts.only or self.contacts.of(*names)
        return known.profile.shown if known else None

    def touchpoint(
        self,
        event_id: str,
        occurred_at: datetime,
        content: Content,
        direction: Direction,
        person: Person,
        *,
        once: Person | None = None,
        proof: Proof | None = None,
        automation: Automation | None = None,
        answerable: bool = True,
    ) -> Touchpoint:
        """Of `person`, who was `once` called otherwise."""
        endpoint = None
        if answerable and person.address:
            endpoint = Endpoint(
                channel=Channel.WHATSAPP,
                provider=NAME,
                account=self.account,
                address=person.address,
            )
        names = person.identifiers(self.scope)
        if once:
            names = (*once.identifiers(self.scope), *names)
        return Touchpoint(
            provider=NAME,
            account=self.account,
            provider_event_id=event_id,
            channel=Channel.WHATSAPP,
            direction=direction,
            occurred_at=occurred_at,
            received_at=self.received_at,
            content=content,
            identifiers=tuple(dict.fromkeys(names)),
            proof=proof,
            endpoint=endpoint,
            name=self.name(person),
            automation=automation,
        )


class Recipient(Part):
    """Whom a status tells of."""

    recipient_id: str = Field(default="", max_length=200)
    recipient_user_id: str = Field(default="", max_length=200)
    recipient_parent_user_id: str = Field(default="", max_length=200)

    def person(self, number: OurNumber) -> Person:
        return number.person(
            self.recipient_id,
            self.recipient_user_id,
            parent_user_id=self.recipient_parent_user_id,
        )


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


def changed_names(number: OurNumber, envelope: Envelope, original: dict[str, Any]) -> Touchpoint:
    """Old and new names of a person on one touchpoint: Meta vouches that they are the same."""
    system = read_model(System, original.get("system"))
    old = number.person(
        envelope.sender,
        system.customer,
        system.previous_user_id,
        envelope.from_user_id,
        parent_user_id=system.previous_parent_user_id or envelope.from_parent_user_id,
    )
    new = number.person(
        system.wa_id,
        system.new_wa_id,
        system.user_id,
        envelope.from_user_id,
        parent_user_id=system.parent_user_id,
    )
    return number.touchpoint(
        envelope.id,
        moment(envelope.timestamp, number.received_at),
        TrackedEvent(name=f"whatsapp_{system.type}"),
        Direction.PASSIVE,
        new if new.address else old,
        once=old,
        proof=Proof.CONFIRMED if system.type in CHANGES else None,
    )


def updated_user_id(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """Both user ids on one touchpoint: Meta vouches that they are of one person."""
    update = read_model(UserIdUpdate, original)
    old = number.person(
        update.wa_id, update.user_id.previous, parent_user_id=update.parent_user_id.previous
    )
    new = number.person(
        update.wa_id, update.user_id.current, parent_user_id=update.parent_user_id.current
    )
    return number.touchpoint(
        content_key(compact(original)),
        moment(update.timestamp, number.received_at),
        TrackedEvent(name="whatsapp_user_id_update"),
        Direction.PASSIVE,
        new if new.address else old,
        once=old,
        proof=Proof.CONFIRMED,
    )

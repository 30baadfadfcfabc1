"""What all bodies of Shopify's webhooks have in common: of whom they are, and when it was.

Read against https://shopify.dev/docs/api/webhooks (2026-11), and every example of its versions from
2023-07 on. What they are about stands in `_shopify_orders` and `_shopify_customers`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, AwareDatetime, BeforeValidator, Field, JsonValue

from shared.domain.identity import Identifier, IdentifierType, Proof, email_identifier
from shared.domain.touchpoint import Channel, Content, TrackedEvent, Unsupported
from shared.providers.base import IfReadable, Payload, as_text

CHANNELS: Mapping[str | None, Channel] = {"pos": Channel.IN_STORE}
"""Where an order was made, if not on the web."""


def _within_reason(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:
        raise ValueError("out of reason")
    return moment.astimezone(UTC)


_ID = re.compile(r"(?:gid://shopify/[A-Za-z]{1,60}/)?([0-9]{1,20})")


def as_number(value: object) -> object:
    """An id is a number, or text, or what it is called in GraphQL."""
    found = _ID.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else value


Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_within_reason)]
Number = Annotated[int, BeforeValidator(as_number), Field(gt=0, lt=10**20)]
Text = Annotated[str, BeforeValidator(as_text)]
Written = Annotated[Text, Field(max_length=320)]


class Customer(Payload):
    """Or whose address it is: then with a `name`."""

    id: IfReadable[Number] = None
    email: IfReadable[Written] = None
    phone: IfReadable[Written] = None
    first_name: IfReadable[Written] = None
    last_name: IfReadable[Written] = None
    name: IfReadable[Written] = None

    @property
    def full_name(self) -> str | None:
        parts = " ".join(one for one in (self.first_name, self.last_name) if one)
        return " ".join((parts or self.name or "").split())[:200] or None


class Told(Payload):
    """What a body may say of the person and the time, whatever it is about. The mail address and
    the phone of some bodies are the shop's: those of the person are read where they are theirs.
    """

    customer: IfReadable[Customer] = None
    customer_id: Annotated[
        IfReadable[Number],
        Field(
            validation_alias=AliasChoices(
                "customer_id",
                "customerId",
                "admin_graphql_api_customer_id",
                "customer_admin_graphql_api_id",
            )
        ),
    ] = None
    order_id: Annotated[
        IfReadable[Number],
        Field(validation_alias=AliasChoices("order_id", "admin_graphql_api_order_id")),
    ] = None
    happened_at: Annotated[
        IfReadable[Moment],
        Field(validation_alias=AliasChoices("happened_at", "occurredAt", "initiated_at")),
    ] = None
    created_at: IfReadable[Moment] = None
    updated_at: IfReadable[Moment] = None
    processed_at: IfReadable[Moment] = None

    @property
    def order(self) -> int | None:
        """The id of the order it is about."""
        return self.order_id

    @property
    def at(self) -> datetime | None:
        return self.happened_at or self.updated_at or self.created_at or self.processed_at

    @property
    def channel(self) -> Channel:
        return Channel.WEB

    @property
    def proof(self) -> Proof | None:
        return None

    def content(self, topic: str, at: datetime) -> Content:
        """`at` is when it happened."""
        return Unsupported(what=f"topic {topic}")

    def beside(self, at: datetime) -> Mapping[str, Content]:
        """What else the body tells, by an id of its own: other topics may tell the same."""
        return {}

    @property
    def person(self) -> Customer:
        return self.customer or Customer(id=self.customer_id)

    @property
    def full_name(self) -> str | None:
        return self.person.full_name

    @property
    def language(self) -> str | None:
        return None

    @property
    def mails(self) -> tuple[str | None, ...]:
        return (self.person.email,)

    @property
    def phones(self) -> tuple[str | None, ...]:
        return (self.person.phone,)

    def identifiers(self, shop: str) -> tuple[Identifier, ...]:
        """As stated; only the shop's own numbers are proven, by whose shop it is.

        An order's id names somebody only where nothing else does: a loyal customer has many.
        """
        phone = next(filter(None, self.phones), "")
        found = [
            identifier(IdentifierType.SHOP_CUSTOMER, self.person.id, shop),
            email_identifier(next(filter(None, self.mails), "")),
            identifier(IdentifierType.PHONE, phone.strip()),
        ]
        known = tuple(one for one in found if one is not None)
        order = identifier(IdentifierType.ORDER_NUMBER, self.order, shop)
        return known or ((order,) if order else ())


class UnknownBody(Told):
    """When such a thing was made says nothing of when it was told of."""

    @property
    def at(self) -> datetime | None:
        return self.happened_at


class Addressed(Told):
    """Where the body's own mail address and phone are the person's."""

    email: IfReadable[Written] = None
    contact_email: IfReadable[Written] = None
    phone: IfReadable[Written] = None
    billing_address: IfReadable[Customer] = None
    customer_locale: IfReadable[Annotated[Text, Field(max_length=35)]] = None
    source_name: IfReadable[Annotated[Text, Field(max_length=60)]] = None

    @property
    def channel(self) -> Channel:
        return CHANNELS.get(self.source_name, Channel.WEB)

    @property
    def full_name(self) -> str | None:
        """A guest has no record, but somebody pays."""
        payer = self.billing_address.full_name if self.billing_address else None
        return self.person.full_name or payer

    @property
    def language(self) -> str | None:
        return self.customer_locale

    @property
    def mails(self) -> tuple[str | None, ...]:
        return self.email, self.contact_email, self.person.email

    @property
    def phones(self) -> tuple[str | None, ...]:
        return self.phone, self.person.phone


def identifier(kind: IdentifierType, value: str | int | None, scope: str = "") -> Identifier | None:
    return Identifier(type=kind, scope=scope, value=str(value)) if value else None


def event(name: str, facts: Mapping[str, JsonValue]) -> TrackedEvent:
    stated = {key: value for key, value in facts.items() if value not in (None, "")}
    return TrackedEvent(name=name, properties=stated)

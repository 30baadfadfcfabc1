"""Identifiers: what points to a person, within which scope, how strongly, and when it is proven.

Each identifier has a profile of its own, whose id derives from it: two first contacts agree on it,
and no index is needed to find it. What makes several of them one person is told in
`identity_graph`.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Self

from pydantic import Field, model_validator

from shared.domain.model import Model, ProfileId, derived_id


class IdentifierType(StrEnum):
    CUSTOMER_NUMBER = "customer_number"
    WEB_USER = "web_user"
    WHATSAPP_USER = "whatsapp_user"
    MESSENGER_USER = "messenger_user"
    INSTAGRAM_USER = "instagram_user"
    TELEGRAM_USER = "telegram_user"
    SLACK_USER = "slack_user"
    PHONE = "phone"
    EMAIL = "email"
    LOYALTY_CARD = "loyalty_card"
    SHOP_CUSTOMER = "shop_customer"
    """A shop system's own number of a customer, within the shop."""
    PAYER = "payer"
    """A payment provider's own number of a customer, within the account."""
    ORDER_NUMBER = "order_number"
    WEB_ANONYMOUS = "web_anonymous"
    PUSH_DEVICE = "push_device"
    WEB_CHAT_SESSION = "web_chat_session"


SHORTEST_FILLER = 4
"""Characters, all the same. A customer may well have the number 7, or 77."""
LONGEST_SCOPE = 200
LONGEST_VALUE = 320
"""Characters of an identifier's scope and value."""


class Identifier(Model):
    """(type, scope, value).

    A value is unique within its scope: a WhatsApp user id within a business, a phone anywhere.
    """

    type: IdentifierType
    scope: str = Field(default="", max_length=LONGEST_SCOPE)
    value: str = Field(min_length=1, max_length=LONGEST_VALUE)

    @property
    def key(self) -> str:
        """One line of text, unique to this identifier: `type#scope#value`, each part escaped."""
        return "#".join(
            part.replace("%", "%25").replace("#", "%23")
            for part in (self.type, self.scope, self.value)
        )

    @classmethod
    def from_key(cls, key: str) -> "Identifier":
        type_, scope, value = (
            part.replace("%23", "#").replace("%25", "%") for part in key.split("#")
        )
        return cls(type=IdentifierType(type_), scope=scope, value=value)

    @property
    def profile_id(self) -> ProfileId:
        return profile_id_from(self)


def email_identifier(address: str) -> Identifier | None:
    """A mail address in small letters; None where that is too long to be one.

    A few capitals are two letters when small (İ), so an address may grow.
    """
    value = address.strip().lower()
    if not 0 < len(value) <= LONGEST_VALUE:
        return None
    return Identifier(type=IdentifierType.EMAIL, value=value)


def profile_id_from(identifier: Identifier) -> ProfileId:
    """The id of this identifier's own profile."""
    return ProfileId(derived_id("profile", identifier.key))


class Proof(StrEnum):
    """How a touchpoint's sender proved more than that the provider delivered it."""

    DMARC = "dmarc"
    """The mail's From passed DMARC: its domain vouches for it."""
    SIGNED_USER = "signed_user"
    """The company's own server signed who sits at the browser."""
    TRUSTED_KEY = "trusted_key"
    """The company's own server spoke, with a key that no browser has."""
    CONFIRMED = "confirmed"
    """The person followed a link or typed a code sent to this address."""
    SCANNED = "scanned"
    """A machine read the card; nobody typed its number."""
    ATTESTED = "attested"
    """The caller's operator signed that the number is theirs (STIR/SHAKEN, attestation A)."""


class Source(Model):
    """Touchpoints of one origin; what is not said may be anything."""

    type: IdentifierType | None = None
    provider: str | None = None
    account: str | None = None
    channel: str | None = None
    direction: str | None = None
    proof: Proof | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("a row that names nothing would hold for everything")
        return self


class IdentityPolicy(Model):
    """What identifies, and how strongly (`policies/identity.yaml`)."""

    default_region: str = Field(pattern=r"^[A-Z]{2}$")
    """ISO 3166 country in which a phone number without a country code is read, where its account
    has none.
    """
    priority: tuple[IdentifierType, ...] = tuple(IdentifierType)
    """Strongest first: whose a touchpoint is, and by which profile a person is known."""
    verified_by: tuple[Source, ...] = ()
    """Touchpoints that prove an identifier. Two that one touchpoint proves are one person's."""
    at_most: dict[IdentifierType, int] = {}
    """Values of a type, within a scope, that one person may hold before it is no longer certain
    that they are one.
    """
    changes_hands: dict[IdentifierType, timedelta] = {}
    """How long after a proof a value of this type may have been given to somebody else."""
    blocked: dict[IdentifierType, tuple[str, ...]] = {}
    """Values that never identify, with `*` for anything: noreply@*, the company's own addresses."""
    shared: dict[IdentifierType, tuple[str, ...]] = {}
    """Values behind which several people stand (support@*): a profile of their own, which nothing
    joins.
    """

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = sorted(set(IdentifierType) - set(self.priority))
        if missing or len(self.priority) != len(IdentifierType):
            raise ValueError(f"priority must name each type once; missing: {missing}")
        return self

    def strength(self, identifier: Identifier) -> tuple[int, str]:
        """Sorts strongest first, in a stable order."""
        return self.priority.index(identifier.type), identifier.key

    def is_blocked(self, identifier: Identifier) -> bool:
        return _matches(identifier, self.blocked) or _is_filler(identifier.value)

    def is_shared(self, identifier: Identifier) -> bool:
        return _matches(identifier, self.shared)


def _matches(identifier: Identifier, values: Mapping[IdentifierType, tuple[str, ...]]) -> bool:
    value = identifier.value.casefold()
    return any(fnmatchcase(value, one.casefold()) for one in values.get(identifier.type, ()))


def _is_filler(value: str) -> bool:
    """0000000, 9999, xxxx, ----: what is typed where a system wants something."""
    return len(value) >= SHORTEST_FILLER and len(set(value.casefold())) == 1

"""Identifiers: what points to a person, within which scope, and how strongly."""

from enum import StrEnum

from pydantic import Field

from shared.domain.model import Model, ProfileId, derived_id


class IdentifierType(StrEnum):
    """In order of strength: the first one a touchpoint carries decides whose it is."""

    CUSTOMER_NUMBER = "customer_number"
    PHONE = "phone"
    EMAIL = "email"
    LOYALTY_CARD = "loyalty_card"
    WHATSAPP_USER = "whatsapp_user"
    WEB_USER = "web_user"
    WEB_CHAT_SESSION = "web_chat_session"
    WEB_ANONYMOUS = "web_anonymous"


_STRENGTH = {kind: rank for rank, kind in enumerate(IdentifierType)}


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


def email_identifier(address: str) -> Identifier | None:
    """A mail address in small letters; None where that is too long to be one.

    A few capitals are two letters when small (İ), so an address may grow.
    """
    value = address.strip().lower()
    if not 0 < len(value) <= LONGEST_VALUE:
        return None
    return Identifier(type=IdentifierType.EMAIL, value=value)


def strongest_first(identifiers: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    """Without doubles, strongest type first; a stable order whatever order they came in."""
    return tuple(sorted(set(identifiers), key=lambda one: (_STRENGTH[one.type], one.key)))


def profile_id_from(identifier: Identifier) -> ProfileId:
    """The id of the profile that this identifier creates: two concurrent first contacts agree on
    it.
    """
    return ProfileId(derived_id("profile", identifier.key))


class IdentityPolicy(Model):
    """How identifiers are read (`policies/identity.yaml`)."""

    default_region: str = Field(pattern=r"^[A-Z]{2}$")
    """ISO 3166 country in which a phone number without a country code is read."""
    regions: dict[str, str] = {}
    """The same for single accounts: account to country."""

    def region_of(self, account: str) -> str:
        return self.regions.get(account, self.default_region)

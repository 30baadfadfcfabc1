"""The one form of each kind of identifier, so that however it was written it is one.

The scope is part of an identifier: a phone, a mail address and a Telegram id are the same
everywhere and have none; a user id that Meta gives out means nothing without whom it was given to.
"""

import re
import unicodedata
from typing import NamedTuple

from shared.domain.identity import LONGEST_SCOPE, LONGEST_VALUE, Identifier, IdentifierType
from shared.ports.profiles import MailAddresses, PhoneNumbers


class Shape(NamedTuple):
    """What values of a type look like."""

    pattern: re.Pattern[str]
    is_scoped: bool
    """Whether they are only unique within a scope, which must then be there."""


SHAPES = {
    # The country, then letters and digits. One with `ENT.` is the same in all portfolios of an
    # enterprise, hence needs no scope.
    # https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
    IdentifierType.WHATSAPP_USER: (
        Shape(re.compile(r"[A-Z]{2}\.ENT\.[A-Za-z0-9]{1,128}"), is_scoped=False),
        Shape(re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{1,128}"), is_scoped=True),
    ),
    # By page, by Instagram account.
    # https://developers.facebook.com/docs/messenger-platform/instagram/features/webhook
    IdentifierType.MESSENGER_USER: (Shape(re.compile(r"[0-9]{1,32}"), is_scoped=True),),
    IdentifierType.INSTAGRAM_USER: (Shape(re.compile(r"[0-9]{1,32}"), is_scoped=True),),
    # At most 52 bits, and the same for every bot. https://core.telegram.org/bots/api#user
    IdentifierType.TELEGRAM_USER: (Shape(re.compile(r"[1-9][0-9]{0,15}"), is_scoped=False),),
    # By workspace. https://docs.slack.dev/reference/objects/user-object
    IdentifierType.SLACK_USER: (Shape(re.compile(r"[UW][A-Z0-9]{1,30}"), is_scoped=True),),
    # By shop, by account.
    IdentifierType.SHOP_CUSTOMER: (Shape(re.compile(r"[!-~]{1,100}"), is_scoped=True),),
    IdentifierType.PAYER: (Shape(re.compile(r"[!-~]{1,100}"), is_scoped=True),),
}
"""By type; a value has one of these, or is none. A type that is not here takes any value."""

UNSCOPED = frozenset({IdentifierType.PHONE, IdentifierType.EMAIL, IdentifierType.TELEGRAM_USER})
"""The same person everywhere, whatever scope was stated."""

WRITTEN_BY_HAND = frozenset(
    {IdentifierType.CUSTOMER_NUMBER, IdentifierType.LOYALTY_CARD, IdentifierType.ORDER_NUMBER}
)
"""People copy these, so spaces in a row are one. Capitals stay: `a1` and `A1` may be two."""


class IdentifierForms:
    def __init__(self, phone_numbers: PhoneNumbers, mail_addresses: MailAddresses) -> None:
        self._phone_numbers = phone_numbers
        self._mail_addresses = mail_addresses

    def normal(self, identifier: Identifier, region: str) -> Identifier | None:
        type_ = identifier.type
        scope = "" if type_ in UNSCOPED else _plain(identifier.scope)
        value = _plain(identifier.value)
        if scope is None or not value:
            return None
        found: str | None = value
        if type_ is IdentifierType.PHONE:
            found = self._phone_numbers.e164(value, region)
        elif type_ is IdentifierType.EMAIL:
            found = self._mail_addresses.normal(value)
        elif type_ in WRITTEN_BY_HAND:
            found = _copied(value, type_)
        elif type_ in SHAPES and not _fits(value, scope, SHAPES[type_]):
            found = None
        # A letter may be two in its normal form, so that what fitted no longer does.
        if not found or len(found) > LONGEST_VALUE or len(scope) > LONGEST_SCOPE:
            return None
        return Identifier(type=type_, scope=scope, value=found)

    def time_zone(self, identifier: Identifier) -> str | None:
        if identifier.type is not IdentifierType.PHONE:
            return None
        return self._phone_numbers.time_zone(identifier.value)


def _plain(text: str) -> str | None:
    """Trimmed, and each letter in its one form; None where it holds what nobody can type."""
    trimmed = text.strip()
    if any(unicodedata.category(letter) == "Cc" for letter in trimmed):
        return None
    return unicodedata.normalize("NFC", trimmed)


def _copied(value: str, type_: IdentifierType) -> str:
    """A card shows its digits in groups, a scanner reads them without."""
    words = value.split()
    is_grouped = type_ is IdentifierType.LOYALTY_CARD and "".join(words).isdecimal()
    return ("" if is_grouped else " ").join(words)


def _fits(value: str, scope: str, shapes: tuple[Shape, ...]) -> bool:
    return any(one.pattern.fullmatch(value) and (scope or not one.is_scoped) for one in shapes)

"""Mail addresses, by RFC 5321 and IDNA.

What a provider does with dots and plus signs is its own secret and changes: `a.b@` and `ab@` are
two addresses here, so that nobody is ever taken for somebody else.
"""

import re
import unicodedata

from shared.mail.domains import ascii_domain

LONGEST_LOCAL = 64
LONGEST_ADDRESS = 254
"""Octets. RFC 5321, 4.5.3.1, and erratum 1690 of RFC 3696."""

_LOCAL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+")
"""RFC 5322's atoms, and RFC 6531's letters beyond ASCII. Dots stand anywhere: Japan's carriers
gave out addresses with two in a row, or one before the @. Quoted ones, which nobody has, are none.
"""


class Rfc5321MailAddresses:
    def normal(self, value: str) -> str | None:
        """In small letters: two mailboxes that differ in case only do not exist in practice."""
        address = value.strip()
        if address.startswith("<") and address.endswith(">"):
            address = address[1:-1].strip()
        local, at, domain = address.partition("@")
        if not at or "@" in domain:
            return None
        # A few letters compose only once they are small, and the other way round.
        small = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
        known = ascii_domain(domain)
        if known is None or not _is_local(small):
            return None
        normal = f"{small}@{known}"
        return normal if len(normal.encode()) <= LONGEST_ADDRESS else None


def _is_local(local: str) -> bool:
    printable = all(letter.isascii() or letter.isprintable() for letter in local)
    return (
        printable
        and _LOCAL.fullmatch(local) is not None
        and len(local.encode(errors="replace")) <= LONGEST_LOCAL
    )

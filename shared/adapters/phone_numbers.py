"""Phone numbers by Google's libphonenumber."""

import re

import phonenumbers

_OLD_FORMS = (
    # Mexico dropped the 1 of its mobiles; WhatsApp still writes it (chatwoot #14048).
    (re.compile(r"\+521(\d{10})"), r"+52\1"),
    # Brazil's mobiles gained a 9; WhatsApp still knows the older ones without it (chatwoot #12655).
    # Landlines, which begin with 2 to 5, never had one.
    (re.compile(r"\+55(\d\d)([6-9]\d{7})"), r"+55\g<1>9\2"),
)
"""How WhatsApp still writes numbers that a country has renumbered, and what they are now."""


class LibPhoneNumber:
    def e164(self, value: str, region: str | None = None) -> str | None:
        written = _written_out(value, region)
        for old, new in _OLD_FORMS:
            if written is not None and old.fullmatch(written):
                written = old.sub(new, written)
        if written is None or not phonenumbers.is_possible_number(phonenumbers.parse(written)):
            return None
        return written


def _written_out(value: str, region: str | None) -> str | None:
    """With its country code, whether or not it is a possible number."""
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

"""Phone numbers by Google's libphonenumber, and what it leaves to others: numbers that a country
has renumbered since somebody wrote them down, and numbers that are nobody's.
"""

import re
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

# National traps


class Renumbering(NamedTuple):
    """How numbers of one country were written, and what they are now: the same lines."""

    old: re.Pattern[str]
    new: str


def _renumbering(old: str, new: str) -> Renumbering:
    return Renumbering(re.compile(old), new)


_VIETNAM = {
    "120": "70", "121": "79", "122": "77", "126": "76", "128": "78",
    "123": "83", "124": "84", "125": "85", "127": "81", "129": "82",
    "162": "32", "163": "33", "164": "34", "165": "35",
    "166": "36", "167": "37", "168": "38", "169": "39",
    "186": "56", "188": "58", "199": "59",
}  # fmt: skip
"""Since 2018-09-15 mobiles have a digit less: prefix by prefix, the last seven digits stay.

https://mobifone.vn (doi-dau-so) for its own, https://lawnet.vn/en/laws/…-134777.html for all.
"""

RENUMBERED = {
    # Argentina: from abroad a mobile is dialled, and known to WhatsApp, with a 9 that says nothing
    # but that it is one; SMS comes without. Area code and number are one line's either way.
    # https://waha.devlike.pro/docs/apps/phone-numbers-argentina/
    54: [_renumbering(r"\+549(\d{10})", r"+54\1")],
    # Mexico: the 1 and the domestic prefixes are gone since August 2019 (libphonenumber's own note
    # on MX); WhatsApp still writes the 1 (chatwoot #14048).
    52: [_renumbering(r"\+52(?:1|01|044|045)(\d{10})", r"+52\1")],
    # Brazil: mobiles gained a 9; WhatsApp still knows the older ones without it (chatwoot #12655).
    # Landlines, which begin with 2 to 5, never had one.
    55: [_renumbering(r"\+55(\d\d)([6-9]\d{7})", r"+55\g<1>9\2")],
    84: [_renumbering(rf"\+84{old}(\d{{7}})", rf"+84{new}\1") for old, new in _VIETNAM.items()],
    # Ivory Coast, 2021-01-31: two digits in front, by the operator the number was first given by;
    # WhatsApp still knows the old ones. ARTCI by
    # https://newsgeek.ci/2020/07/28/telephonie-la-cote-divoire-bascule-a-10-chiffres-a-partir-du-31-janvier-2021
    # Which mobile was whose: google/libphonenumber, resources/carrier/en/225.txt before the change.
    # Which landline: its metadata since, where Orange's 27 goes with no third digit 0 or 8, and
    # https://github.com/dykoffi/ccu.
    225: [
        _renumbering(r"\+225((?:0[1-3]|[457][0-3])\d{6})", r"+22501\1"),
        _renumbering(r"\+225([04-9][4-6]\d{6})", r"+22505\1"),
        _renumbering(r"\+225((?:[04578][7-9]|[69][78])\d{6})", r"+22507\1"),
        _renumbering(r"\+225(2\d8\d{5})", r"+22521\1"),
        _renumbering(r"\+225([23]\d0\d{5})", r"+22525\1"),
        _renumbering(r"\+225([23]\d[1-79]\d{5})", r"+22527\1"),
    ],
    # Benin, 2024-11-30: 01 in front of every number.
    # https://fr.allafrica.com/stories/202411300249.html
    229: [_renumbering(r"\+229([24-9]\d{7})", r"+22901\1")],
    # Cameroon, 2014-11-21: 6 in front of mobiles, 2 in front of landlines.
    # http://www.cameroon-info.net/article/cameroun-telephone-reformes-pour-numerotation-a-9-chiffres-le-6-est-le-nouveau-prefixe-233154.html
    237: [
        _renumbering(r"\+237((?:66|[79]\d)\d{6})", r"+2376\1"),
        _renumbering(r"\+237((?:22|33)\d{6})", r"+2372\1"),
    ],
    # Gabon, 2019-11-15: the operator's digit takes the place of the 0, which is no longer dialled
    # from abroad: 06 is 66, 07 is 77, the landlines' 01 is 11. http://news.alibreville.com/h/114469.html
    241: [
        _renumbering(r"\+2410?1(\d{6})", r"+24111\1"),
        _renumbering(r"\+2410?([256]\d{6})", r"+2416\1"),
        _renumbering(r"\+2410?([47]\d{6})", r"+2417\1"),
    ],
}
"""By country calling code. None of the new forms is an old form of anything."""

# Nobody's numbers

OF_COMPANIES = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)
"""Whoever states one of these as their own copied a hotline."""
SHORTEST = 7
"""Digits with the country code. The shortest lines there are, on Niue and Tokelau, have seven; a
short code of Germany read as a number of Germany has five.
"""


class LibPhoneNumber:
    def e164(self, value: str, region: str | None = None) -> str | None:
        """None for what cannot be one person's: a word, a short code, a hotline, all zeros, an
        extension behind a switchboard.

        Numbers that libphonenumber holds for possible and not for valid are kept: its data is
        always a little older than the newest range.
        """
        number = _read(value, region)
        if number is None:
            return None
        number = _renumbered(number)
        digits = _national(number)
        if (
            phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE
            or len(str(number.country_code) + digits) < SHORTEST
            or len(set(digits)) == 1
            or phonenumbers.number_type(number) in OF_COMPANIES
        ):
            return None
        written = _written(number)
        # Zeros in a row may be read as a trunk prefix again and again: no such number is dialled.
        return written if _written(phonenumbers.parse(written)) == written else None

    def time_zone(self, e164: str) -> str | None:
        from shared.adapters.time_zones import time_zone_of

        number = _read(e164, None)
        if number is None:
            return None
        region = phonenumbers.region_code_for_number(number)
        return time_zone_of(region) if region else None


_LETTERS = re.compile(r"[^\W\d_]")


def _read(value: str, region: str | None) -> PhoneNumber | None:
    """None for what nobody dials. A vanity number, which has letters, is a company's."""
    dialled = re.sub(r"\A\s*tel:", "", value, flags=re.IGNORECASE)
    if _LETTERS.search(dialled):
        return None
    try:
        number = phonenumbers.parse(dialled, region)
    except phonenumbers.NumberParseException:
        return None
    return None if number.extension else number


def _renumbered(number: PhoneNumber) -> PhoneNumber:
    written = _written(number)
    for old, new in RENUMBERED.get(number.country_code or 0, ()):
        if old.fullmatch(written):
            return phonenumbers.parse(old.sub(new, written))
    return number


def _written(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _national(number: PhoneNumber) -> str:
    return phonenumbers.national_significant_number(number)

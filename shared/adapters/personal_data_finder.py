"""Personal data in a text: where they stand, and the text without them.

By patterns, check digits and the words around, in process and without a model. It errs towards
hiding: what is hidden for nothing costs a reader a look at the message.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from shared.adapters.personal_numbers import (
    LETTERS_AND_DIGITS,
    MANY_DIGITS,
    PASSPORT_WORDS,
    Span,
    bank_accounts,
    cards,
    national_ids,
    phones,
)
from shared.adapters.personal_words import (
    BIRTH_WORDS,
    births,
    mail_addresses,
    names_known,
    names_said,
    network_addresses,
    postal_addresses,
)
from shared.adapters.text_positions import plain_letters
from shared.domain.classification import PersonalDataKind

Kind = PersonalDataKind


class Found(NamedTuple):
    """`start` and `end` are positions in the text that was searched."""

    kind: PersonalDataKind
    start: int
    end: int


MASKS = {
    Kind.NAME: "[name]",
    Kind.PHONE: "[phone]",
    Kind.EMAIL: "[email]",
    Kind.POSTAL_ADDRESS: "[address]",
    Kind.DATE_OF_BIRTH: "[birth date]",
    Kind.PAYMENT_CARD: "[card]",
    Kind.BANK_ACCOUNT: "[bank account]",
    Kind.NATIONAL_ID: "[national id]",
    Kind.IP_ADDRESS: "[ip address]",
}
"""What stands for each kind in a masked text."""

_HIDDEN = "\ufffc"
"""In what is searched, stands for what is found or masked: nothing reaches across it."""
_MASKED = re.compile("|".join(map(re.escape, MASKS.values())))


def _any(_: str) -> bool:
    return True


def _has_digit(text: str) -> bool:
    return _DIGIT.search(text) is not None


def _has_many_digits(text: str) -> bool:
    return _has_digit(text) and MANY_DIGITS.search(text) is not None


def _may_hold_id(text: str) -> bool:
    if not _has_digit(text):
        return False
    if _has_many_digits(text) or LETTERS_AND_DIGITS.search(text):
        return True
    lowered = text.lower()
    return any(word in lowered for word in PASSPORT_WORDS)


def _has_at(text: str) -> bool:
    return "@" in text or "(" in text or "[" in text


def _speaks_of_birth(text: str) -> bool:
    lowered = text.lower()
    return _has_digit(text) and any(word in lowered for word in BIRTH_WORDS)


def _has_colons_or_points(text: str) -> bool:
    return text.count(".") > 2 or text.count(":") > 1


_DIGIT = re.compile(r"\d")

_FINDERS: Sequence[
    tuple[PersonalDataKind, Callable[[str], bool], Callable[[str], Iterator[Span]]]
] = (
    (Kind.EMAIL, _has_at, mail_addresses),
    (Kind.BANK_ACCOUNT, _has_many_digits, bank_accounts),
    (Kind.PAYMENT_CARD, _has_many_digits, cards),
    (Kind.NATIONAL_ID, _may_hold_id, national_ids),
    (Kind.IP_ADDRESS, _has_colons_or_points, network_addresses),
    (Kind.DATE_OF_BIRTH, _speaks_of_birth, births),
    (Kind.PHONE, _has_many_digits, phones),
    (Kind.POSTAL_ADDRESS, _has_digit, postal_addresses),
    (Kind.NAME, _any, names_said),
)
"""Kind, what a text must hold to be worth searching, how it is found. What one finds the next ones
do not see.
"""


class PersonalDataFinder:
    def find(self, text: str, names: Iterable[str] = ()) -> list[Found]:
        """In the order of the text, never overlapping. `names` is what the person is called."""
        seen, found = _as_searched(text), []
        names = tuple(names)
        while new := [one for one in _pass(seen, names) if one.end > one.start]:
            found += new
            for one in new:
                seen = _hide(seen, one.start, one.end)
        return sorted(found, key=lambda one: one.start)

    def mask(self, text: str, names: Iterable[str] = ()) -> str:
        """The text with `[phone]`, `[email]`, … in the place of what was found. In a masked text
        nothing is found any more.
        """
        return masked(text, self.find(text, names))


def masked(text: str, found: Iterable[Found]) -> str:
    """The text without what was `found` in it."""
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], MASKS[one.kind]]
        at = one.end
    return "".join([*parts, text[at:]])


def _pass(seen: str, names: Sequence[str]) -> Iterator[Found]:
    finders = list(_FINDERS)
    if names:
        finders.append((Kind.NAME, _any, lambda text: names_known(text, names)))
    for kind, is_worth, spans in finders:
        if not is_worth(seen):
            continue
        for start, end in list(spans(seen)):
            if _HIDDEN not in seen[start:end]:
                yield Found(kind, start, end)
                seen = _hide(seen, start, end)


def _hide(text: str, start: int, end: int) -> str:
    return f"{text[:start]}{_HIDDEN * (end - start)}{text[end:]}"


def _as_searched(text: str) -> str:
    """As long as the text itself."""
    plain = plain_letters(text)
    if "[" not in plain:
        return plain
    return _MASKED.sub(lambda found: _HIDDEN * len(found[0]), plain)

"""Personal data in a text: where they stand, and the text without them.

By patterns, check digits and the words around, in process and without a model. It errs towards
hiding: what is hidden for nothing costs a reader a look at the message.
"""

import re
from bisect import bisect
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
    SPELLED_AT,
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
"""In what is searched, stands for one thing that is found or masked: nothing reaches across it."""
_MASKED = re.compile("|".join(map(re.escape, MASKS.values())))
MOST_SEARCHES = 6
"""Of one text. What is found may lay bare what stood beside it, and people write few such chains:
a text in which there is still more to find after these was made to have no end of it.
"""
_WITH_DIGITS = re.compile(r"(?<![^\s\ufffc])[^\s\ufffc\d@]*[\d@][^\s\ufffc]*")
_SHOWN = re.compile(r"[^\ufffc]+")


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
    return "@" in text or "(" in text or "[" in text or SPELLED_AT.search(text) is not None


def _speaks_of_birth(text: str) -> bool:
    lowered = text.lower()
    return _has_digit(text) and any(word in lowered for word in BIRTH_WORDS)


def _has_colons_or_points(text: str) -> bool:
    return text.count(".") > 2 or text.count(":") > 1


_DIGIT = re.compile(r"\d")

Finder = tuple[PersonalDataKind, Callable[[str], bool], Callable[[str], Iterator[Span]]]

FINDERS: Sequence[Finder] = (
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
    def __init__(self, finders: Sequence[Finder] = FINDERS) -> None:
        self._finders = finders

    def find(self, text: str, names: Iterable[str] = ()) -> list[Found]:
        """In the order of the text, never overlapping. `names` is what the person is called.

        The work is bounded: after `MOST_SEARCHES` every word with a digit counts as an id, and
        after as many again the whole rest does.
        """
        searched, finders, known = _Searched(text), self._finders, tuple(names)
        if known:
            finders = (*finders, (Kind.NAME, _any, lambda text: names_known(text, known)))
        for searches in range(2 * MOST_SEARCHES):
            if searches == MOST_SEARCHES:
                searched.hide_each(Kind.NATIONAL_ID, _WITH_DIGITS)
            if not searched.search(finders):
                break
        else:
            searched.hide_each(Kind.NATIONAL_ID, _SHOWN)
        return sorted(searched.found, key=lambda one: one.start)

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


class _Searched:
    """A text as it is searched: one `_HIDDEN` for each thing found or masked, however long. So a
    text and the same text masked are searched alike, and in the latter nothing is found.
    """

    def __init__(self, text: str) -> None:
        self._text = plain_letters(text)
        self._places = list(range(len(text)))
        """Where each character stands in the text itself."""
        self.found: list[Found] = []
        if "[" in self._text:
            self._replace([found.span() for found in _MASKED.finditer(self._text)])

    def search(self, finders: Sequence[Finder]) -> bool:
        """Once by each of them; whether anything was found."""
        before = len(self.found)
        for kind, is_worth, spans in finders:
            if is_worth(self._text):
                self._hide(kind, spans(self._text))
        return len(self.found) > before

    def hide_each(self, kind: PersonalDataKind, pattern: re.Pattern[str]) -> None:
        self._hide(kind, (found.span() for found in pattern.finditer(self._text)))

    def _hide(self, kind: PersonalDataKind, spans: Iterable[Span]) -> None:
        """All that one finder found, at once: of two that overlap the earlier found one."""
        taken: list[Span] = []
        for start, end in spans:
            at = bisect(taken, (start, end))
            overlaps = (at > 0 and taken[at - 1][1] > start) or (
                at < len(taken) and taken[at][0] < end
            )
            if end > start and not overlaps and _HIDDEN not in self._text[start:end]:
                taken.insert(at, (start, end))
        for start, end in taken:
            self.found.append(Found(kind, self._places[start], self._places[end - 1] + 1))
        self._replace(taken)

    def _replace(self, spans: Sequence[Span]) -> None:
        if not spans:
            return
        texts, places, at = [], [], 0
        for start, end in spans:
            texts += [self._text[at:start], _HIDDEN]
            places += self._places[at : start + 1]
            at = end
        self._text = "".join([*texts, self._text[at:]])
        self._places = places + self._places[at:]

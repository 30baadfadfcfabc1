"""What a message names: orders, amounts, dates, places, products. By the company's own words and
lists, and never what is personal.
"""

import re
from bisect import bisect
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import NamedTuple

from shared.adapters.entity_dates import find_dates
from shared.adapters.personal_data_finder import Found
from shared.adapters.text_positions import folded_letters, plain_letters
from shared.domain.classification import Entity, EntityKind
from shared.domain.understanding import EntityPolicy

MOST = 8
LONGEST = 80
_CAPITALISED = re.compile(r"[ -](?=[^\W\d_a-zà-öø-ÿ])[^\W\d_][\w'-]{1,30}")


class _Seen(NamedTuple):
    kind: EntityKind
    start: int
    end: int
    value: str | None


class EntityFinder:
    def __init__(self, policy: EntityPolicy) -> None:
        self._policy = policy

    def find(
        self,
        text: str,
        *,
        language: str,
        at: datetime | None = None,
        personal: Iterable[Found] = (),
    ) -> tuple[Entity, ...]:
        """In the order of the text, each once, `MOST` of them. `personal` is what must not be
        named; relative dates are counted from `at`.
        """
        taken = sorted((one.start, one.end) for one in personal)
        found: list[_Seen] = []
        for one in self._candidates(text, language, at.date() if at else None):
            place = bisect(taken, (one.start, one.end))
            is_free = (place == 0 or taken[place - 1][1] <= one.start) and (
                place == len(taken) or one.end <= taken[place][0]
            )
            if is_free and one.end - one.start <= LONGEST:
                taken.insert(place, (one.start, one.end))
                found.append(one)
        entities: dict[tuple[str, str], Entity] = {}
        for one in sorted(found, key=lambda one: one.start):
            written = text[one.start : one.end]
            entity = Entity(kind=one.kind, text=written, value=one.value)
            entities.setdefault((one.kind, one.value or folded_letters(written)), entity)
        return tuple(entities.values())[:MOST]

    def _candidates(self, text: str, language: str, today: date | None) -> Iterator[_Seen]:
        """Of two that overlap the earlier one is kept."""
        plain, folded = plain_letters(text), folded_letters(text)
        yield from self._products(folded)
        if any(character.isdigit() for character in plain):
            yield from self._amounts(folded)
            yield from self._orders(plain, folded)
        for one in find_dates(folded, language, today):
            value = one.value.isoformat() if one.value else None
            yield _Seen(EntityKind.DATE, one.start, one.end, value)
        yield from self._places(plain, folded)

    # Orders

    @cached_property
    def _order_word(self) -> re.Pattern[str]:
        words = "|".join(re.escape(folded_letters(one)) for one in self._policy.order_words)
        return re.compile(
            rf"(?<!\w)(?:{words or '(?!)'})s?"
            r"(?: (?:numero|number|nummer|no|nr|num|n|id|with|is|est|e|es|ist))?"
            r"(?: (?:numero|number|nummer|no|nr|is|est|e|es|ist))?[.°º:]{0,2} ?[#:]? ?"
            r"(?P<number>(?=[a-z0-9/_-]{0,20}\d[a-z0-9/_-]{0,20}\d)[a-z0-9][a-z0-9/_-]{2,30}[a-z0-9])"
            r"(?![\w/]|[.,]\d)"
        )

    @cached_property
    def _order_shape(self) -> re.Pattern[str]:
        shapes = "|".join(f"(?:{one})" for one in self._policy.order_patterns)
        return re.compile(rf"(?<![\w#/-])(?:{shapes or '(?!)'})(?![\w-])")

    def _orders(self, plain: str, folded: str) -> Iterator[_Seen]:
        for found in self._order_word.finditer(folded):
            yield _order(plain, *found.span("number"))
        for found in self._order_shape.finditer(plain):
            yield _order(plain, *found.span())

    # Amounts

    @cached_property
    def _amount(self) -> re.Pattern[str]:
        written = sorted(map(folded_letters, self._policy.currencies), key=len, reverse=True)
        unit = "|".join(map(re.escape, written)) or "(?!)"
        number = r"\d{1,3}(?:[ .,'_]\d{3}){1,4}(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?"
        return re.compile(
            rf"(?<!\w)(?P<before>{unit})\.? ?(?P<after_it>{number})(?![\w]|[.,]\d)"
            rf"|(?<![\w.,#/-])(?P<before_it>{number}) ?(?P<after>{unit})(?!\w)"
        )

    @cached_property
    def _codes(self) -> dict[str, str]:
        return {folded_letters(one): code for one, code in self._policy.currencies.items()}

    def _amounts(self, folded: str) -> Iterator[_Seen]:
        for found in self._amount.finditer(folded):
            code = self._codes[found["before"] or found["after"]]
            number = _number(found["after_it"] or found["before_it"])
            value = f"{number:.2f} {code}" if number is not None else None
            yield _Seen(EntityKind.AMOUNT, *found.span(), value)

    # Places and products

    @cached_property
    def _place(self) -> re.Pattern[str]:
        words = "|".join(re.escape(folded_letters(one)) for one in self._policy.place_words)
        return re.compile(rf"(?<!\w)(?:{words or '(?!)'}) (?P<name>[^\W\d_][\w'-]{{1,30}})")

    def _places(self, plain: str, folded: str) -> Iterator[_Seen]:
        yield from _named(EntityKind.PLACE, {one: (one,) for one in self._policy.places}, folded)
        for found in self._place.finditer(folded):
            start, end = found.span("name")
            while more := _CAPITALISED.match(plain, end):
                end = more.end()
            if plain[start].isupper():
                yield _Seen(EntityKind.PLACE, start, end, None)

    def _products(self, folded: str) -> Iterator[_Seen]:
        yield from _named(EntityKind.PRODUCT, self._policy.products, folded)


def _order(plain: str, start: int, end: int) -> _Seen:
    return _Seen(EntityKind.ORDER_NUMBER, start, end, plain[start:end].lstrip("#").upper())


def _number(written: str) -> Decimal | None:
    """A point or comma before three digits parts thousands, before one or two it parts cents."""
    digits = re.sub(r"[ '_]", "", written)
    whole, cents = digits, ""
    if found := re.fullmatch(r"(.*)[.,](\d{1,2})", digits):
        whole, cents = found[1], found[2]
    try:
        return Decimal(f"{re.sub(r'[.,]', '', whole)}.{cents or '0'}")
    except InvalidOperation:
        return None


def _named(kind: EntityKind, names: dict[str, tuple[str, ...]], folded: str) -> Iterator[_Seen]:
    for name, others in names.items():
        for one in sorted({name, *others}, key=lambda one: (-len(one), one)):
            said = folded_letters(one)
            if said not in folded:
                continue
            for found in re.finditer(rf"(?<!\w){re.escape(said)}(?!\w)", folded):
                yield _Seen(kind, *found.span(), name)

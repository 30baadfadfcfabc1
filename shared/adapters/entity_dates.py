"""Dates as people write them, absolute and relative, in six languages.

A library would weigh more than it gives: dateparser brings regex, pytz and tzlocal and reads a
whole string as one date; dateutil, which botocore brings, reads English alone and guesses what is
missing. Here a date has a value only where there is one reading.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple


class FoundDate(NamedTuple):
    start: int
    end: int
    value: date | None


class _Words(NamedTuple):
    """Of one language, without accents, in lower case. Regular expressions."""

    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    """From Monday."""
    days: dict[str, int]
    """Words for a day to its distance from today."""
    next_before: str
    next_after: str
    last_before: str
    last_after: str
    day: str
    week: str
    ahead: str
    """`{n}` stands for the number and the unit."""
    ago: str
    on: str
    """What stands before a bare day of the month."""


_LANGUAGES = {
    "en": _Words(
        ("jan(?:uary)?", "feb(?:ruary)?", "mar(?:ch)?", "apr(?:il)?", "may", "june?", "july?",
         "aug(?:ust)?", "sept?(?:ember)?", "oct(?:ober)?", "nov(?:ember)?", "dec(?:ember)?"),
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        {"the day after tomorrow": 2, "the day before yesterday": -2, "today": 0, "tonight": 0,
         "tomorrow": 1, "yesterday": -1},
        "next|coming|this coming", "", "last|past", "", "days?", "weeks?", "in {n}", "{n} ago",
        "the",
    ),
    "fr": _Words(
        ("janv?(?:ier)?", "fevr?(?:ier)?", "mars", "avr(?:il)?", "mai", "juin", "juil(?:let)?",
         "aout", "sept?(?:embre)?", "oct(?:obre)?", "nov(?:embre)?", "dec(?:embre)?"),
        ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        {"apres[- ]demain": 2, "avant[- ]hier": -2, "aujourd'hui": 0, "ce soir": 0, "demain": 1,
         "hier": -1},
        "", "prochain", "", "dernier|passe", "jours?", "semaines?", "dans {n}", "il y a {n}", "le",
    ),
    "it": _Words(
        ("genn?(?:aio)?", "febb?(?:raio)?", "mar(?:zo)?", "apr(?:ile)?", "mag(?:gio)?",
         "giu(?:gno)?", "lug(?:lio)?", "ago(?:sto)?", "sett?(?:embre)?", "ott(?:obre)?",
         "nov(?:embre)?", "dic(?:embre)?"),
        ("lunedi", "martedi", "mercoledi", "giovedi", "venerdi", "sabato", "domenica"),
        {"dopodomani": 2, "l'altro ieri": -2, "oggi": 0, "stasera": 0, "domani": 1, "ieri": -1},
        "prossim[oa]", "prossim[oa]", "scors[oa]", "scors[oa]", "giorn[oi]", "settiman[ae]",
        "(?:tra|fra) {n}", "{n} fa", "il",
    ),
    "es": _Words(
        ("ene(?:ro)?", "feb(?:rero)?", "mar(?:zo)?", "abr(?:il)?", "mayo?", "jun(?:io)?",
         "jul(?:io)?", "ago(?:sto)?", "sept?(?:iembre)?", "oct(?:ubre)?", "nov(?:iembre)?",
         "dic(?:iembre)?"),
        ("lunes", "martes", "miercoles", "jueves", "viernes", "sabado", "domingo"),
        {"pasado manana": 2, "anteayer": -2, "hoy": 0, "esta noche": 0,
         "(?<!la )(?<!esta )(?<!las )manana": 1, "ayer": -1},
        "proximo", "proximo|que viene", "pasado", "pasado", "dias?", "semanas?",
        "(?:en|dentro de) {n}", "hace {n}", "el(?: dia)?",
    ),
    "pt": _Words(
        ("jan(?:eiro)?", "fev(?:ereiro)?", "marco", "abr(?:il)?", "maio?", "jun(?:ho)?",
         "jul(?:ho)?", "ago(?:sto)?", "set(?:embro)?", "out(?:ubro)?", "nov(?:embro)?",
         "dez(?:embro)?"),
        ("segunda(?:-feira)?(?! vez)", "terca(?:-feira)?(?! vez)", "quarta(?:-feira)?(?! vez)",
         "quinta(?:-feira)?(?! vez)", "sexta(?:-feira)?(?! vez)", "sabado", "domingo"),
        {"depois de amanha": 2, "anteontem": -2, "hoje": 0, "amanha": 1, "ontem": -1},
        "proxim[oa]", "que vem|proxim[oa]", "ultim[oa]", "passad[oa]", "dias?", "semanas?",
        "(?:em|dentro de|daqui a) {n}", "(?:ha {n}|{n} atras)", "(?:no )?dia",
    ),
    "de": _Words(
        ("jan(?:uar)?|janner", "feb(?:ruar)?", "marz", "apr(?:il)?", "mai", "juni?", "juli?",
         "aug(?:ust)?", "sept?(?:ember)?", "okt(?:ober)?", "nov(?:ember)?", "dez(?:ember)?"),
        ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag|sonnabend",
         "sonntag"),
        {"ubermorgen": 2, "vorgestern": -2, "heute": 0, "(?<!guten )(?<!am )morgen": 1,
         "gestern": -1},
        "nachste[nr]?|kommende[nr]?", "", "letzte[nr]?|vergangene[nr]?", "", "tage?n?",
        "wochen?", "in {n}", "vor {n}", "am",
    ),
}  # fmt: skip

_ISO = re.compile(r"(?<![\w/.-])((?:19|20)\d\d)[-/](\d\d)[-/](\d\d)(?![\w/-])")
_NUMERIC = re.compile(r"(?<![\w/.-])(\d{1,2})([./-])(\d{1,2})\2((?:19|20)?\d\d)(?![\w/-]|\.\d)")
_ENDS = (
    r"(?= ?(?:[,.;:!?)\n]|$)| (?:et|and|e|y|und|ou|o|or|oder|a|at|alle|um|as|mais|but|ma|pero|mas|"
    r"aber|je|i|io|ich|vers)(?!\w))"
)
"""What may follow a bare day of the month, which "the 12 boxes" is not."""

_UNITS = {"day": 1, "week": 7}


def find_dates(folded: str, language: str, today: date | None) -> Iterator[FoundDate]:
    """`folded` as by `folded_letters`. Without `today` what is relative has no value."""
    for found in _ISO.finditer(folded):
        yield FoundDate(*found.span(), _date(int(found[1]), int(found[2]), int(found[3])))
    for found in _NUMERIC.finditer(folded):
        yield FoundDate(*found.span(), _numeric(found, language))
    if language not in _LANGUAGES or not _signs(language).search(folded):
        return
    for pattern, read in _patterns(language):
        for found in pattern.finditer(folded):
            yield FoundDate(*found.span(), read(found, today))


def _numeric(found: re.Match[str], language: str) -> date | None:
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    year += 2000 if year < 100 else 0
    if language == "en" and first <= 12 and second <= 12 and first != second:
        return None  # the British write the day first, Americans the month
    if second > 12:
        first, second = second, first
    return _date(year, second, first)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _near(today: date, month: int, day: int) -> date | None:
    """Of the years around, the one that brings it closest."""
    possible = [_date(today.year + years, month, day) for years in (-1, 0, 1)]
    return min((one for one in possible if one), key=lambda one: abs(one - today), default=None)


class _Reader(NamedTuple):
    """How a match of one pattern becomes a day. One of the fields is set."""

    months: tuple[re.Pattern[str], ...] = ()
    weekdays: tuple[re.Pattern[str], ...] = ()
    distance: int | None = None
    direction: int = 0
    unit: int = 0

    def __call__(self, found: re.Match[str], today: date | None) -> date | None:
        if self.months:
            return self._written(found, today)
        if today is None:
            return None
        try:
            if self.distance is not None:
                return today + timedelta(days=self.distance)
            if self.unit:
                return today + timedelta(days=int(found["n"]) * self.unit * self.direction)
        except OverflowError:
            return None
        if self.weekdays:
            return self._weekday(found["weekday"], today)
        return self._day_of_month(int(found["day"]), today)

    def _written(self, found: re.Match[str], today: date | None) -> date | None:
        month = next(at for at, one in enumerate(self.months, 1) if one.fullmatch(found["month"]))
        day, year = int(found["day"]), found["year"]
        if year:
            return _date(int(year), month, day)
        return _near(today, month, day) if today else None

    def _weekday(self, name: str, today: date) -> date | None:
        if not self.direction:
            return None  # "on Friday" may be the last or the next
        wanted = next(at for at, one in enumerate(self.weekdays) if one.fullmatch(name))
        if self.direction > 0:
            return today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1)
        return today - timedelta(days=(today.weekday() - wanted - 1) % 7 + 1)

    def _day_of_month(self, day: int, today: date) -> date | None:
        """The closest one, before or after; of two as close the one to come."""
        around = (today + timedelta(days=distance) for distance in range(-15, 17))
        days = [one for one in around if one.day == day]
        return min(days, key=lambda one: (abs(one - today), one < today), default=None)


@cache
def _signs(language: str) -> re.Pattern[str]:
    """One look that most texts without a date pass over."""
    words = _LANGUAGES[language]
    said = [*words.days, *words.weekdays]
    said += [rf"{words.on} \d", rf"\d{{1,3}} (?:{words.day}|{words.week})"]
    said += [rf"\d[^\W\d_.º°]{{0,2}}[.º°]? (?:de |of )?(?:{'|'.join(words.months)})"]
    if language == "en":
        said += [rf"(?:{'|'.join(words.months)})\.? \d"]
    return re.compile(rf"(?<![^\W\d])(?:{'|'.join(said)})")


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], _Reader], ...]:
    words = _LANGUAGES[language]
    months = tuple(re.compile(one) for one in words.months)
    weekdays = tuple(re.compile(one) for one in words.weekdays)
    month = f"(?P<month>{'|'.join(words.months)})"
    weekday = f"(?P<weekday>{'|'.join(words.weekdays)})"
    lead = f"(?:(?:{'|'.join(words.weekdays)}),? )?"
    day = r"(?P<day>0?[1-9]|[12]\d|3[01])"
    year = r"(?:,? (?:de |del )?(?P<year>(?:19|20)\d\d))?"
    ordinal = r"(?:st|nd|rd|th|er|\.|º|°)?"
    found: list[tuple[str, _Reader]] = [
        (rf"{lead}{day}{ordinal} (?:de |of )?{month}\.?{year}", _Reader(months=months)),
    ]
    if language == "en":
        found.append((rf"{lead}{month}\.? {day}{ordinal}{year}", _Reader(months=months)))
    for name, distance in words.days.items():
        found.append((name, _Reader(distance=distance)))
    for unit, length in _UNITS.items():
        number = rf"(?P<n>\d{{1,3}}) {getattr(words, unit)}"
        for form, direction in ((words.ahead, 1), (words.ago, -1)):
            for each in _alternatives(form):
                reader = _Reader(direction=direction, unit=length)
                found.append((each.replace("{n}", number), reader))
    for before, after, direction in (
        (words.next_before, words.next_after, 1),
        (words.last_before, words.last_after, -1),
    ):
        if before:
            found.append((f"(?:{before}) {weekday}", _Reader((), weekdays, direction=direction)))
        if after:
            found.append((f"{weekday} (?:{after})", _Reader((), weekdays, direction=direction)))
    found.append((weekday, _Reader(weekdays=weekdays)))
    bare = rf"{words.on} {day}(?:th|st|nd|rd){_ENDS}" if language == "en" else None
    found.append((bare or rf"{words.on} {day}(?:er|\.|º)?{_ENDS}", _Reader()))
    return tuple(
        (re.compile(rf"(?<![\w-])(?:{pattern})(?![\w])"), reader) for pattern, reader in found
    )


def _alternatives(form: str) -> list[str]:
    """A group may name its number once only, so each alternative with one is a form of its own."""
    if form.count("{n}") < 2:
        return [form]
    return form.removeprefix("(?:").removesuffix(")").split("|")

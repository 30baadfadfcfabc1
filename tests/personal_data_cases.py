"""Labelled texts with and without personal data, read from tests/fixtures/understanding, and how
well they are found.

`python -m tests.personal_data_cases` prints precision and recall by kind, and what went wrong with
`--misses`.
"""

import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from shared.adapters.personal_data_finder import Found, PersonalDataFinder
from shared.domain.classification import PersonalDataKind

FILE = Path(__file__).parent / "fixtures" / "understanding" / "personal_data.tsv"
_MARK = re.compile(r"\{(?P<kind>[a-z_]+)\|(?P<said>[^}]*)\}")


class Case(NamedTuple):
    language: str
    text: str
    held: tuple[Found, ...]
    """What the text holds, in its order."""
    names: tuple[str, ...] = ()
    """What the touchpoint calls the person."""


@cache
def cases() -> tuple[Case, ...]:
    """One a line: language, text with `{kind|what}`, and a name where the touchpoint tells one."""
    return tuple(map(_case, FILE.read_text(encoding="utf-8").splitlines()))


def _case(line: str) -> Case:
    language, marked, *names = line.split("\t")
    marked = marked.replace(r"\n", "\n")
    text, held, at = "", [], 0
    for mark in _MARK.finditer(marked):
        text += marked[at : mark.start()]
        kind = PersonalDataKind(mark["kind"])
        held.append(Found(kind, len(text), len(text) + len(mark["said"])))
        text += mark["said"]
        at = mark.end()
    return Case(language, text + marked[at:], tuple(held), tuple(names))


class Score(NamedTuple):
    """By kind. Found is what overlaps with the truth and has its kind."""

    held: Counter[PersonalDataKind]
    found: Counter[PersonalDataKind]
    right: Counter[PersonalDataKind]
    whole: Counter[PersonalDataKind]
    """Found to the letter."""
    misses: tuple[str, ...]

    def precision(self, kind: PersonalDataKind) -> float:
        return self.right[kind] / self.found[kind] if self.found[kind] else 1.0

    def recall(self, kind: PersonalDataKind) -> float:
        return self.right[kind] / self.held[kind] if self.held[kind] else 1.0


@cache
def score() -> Score:
    finder = PersonalDataFinder()
    held: Counter[PersonalDataKind] = Counter()
    found: Counter[PersonalDataKind] = Counter()
    right: Counter[PersonalDataKind] = Counter()
    whole: Counter[PersonalDataKind] = Counter()
    misses = []
    for case in cases():
        answered = finder.find(case.text, case.names)
        held.update(one.kind for one in case.held)
        found.update(one.kind for one in answered)
        hits = [one for one in answered if any(_overlap(one, other) for other in case.held)]
        right.update(one.kind for one in hits)
        whole.update(one.kind for one in set(answered) & set(case.held))
        if set(answered) != set(case.held):
            shown = [f"{one.kind} {case.text[one.start : one.end]!r}" for one in answered]
            misses.append(f"{case.language}  {case.text!r}: {', '.join(shown) or 'nothing'}")
    return Score(held, found, right, whole, tuple(misses))


def _overlap(one: Found, other: Found) -> bool:
    return one.kind is other.kind and one.start < other.end and other.start < one.end


def table() -> str:
    scored = score()
    empty = [case for case in cases() if not case.held]
    rows = [f"{'kind':<16}{'held':>6}{'precision':>11}{'recall':>8}{'to the letter':>15}"]
    for kind in PersonalDataKind:
        whole = scored.whole[kind] / scored.held[kind]
        rows.append(
            f"{kind:<16}{scored.held[kind]:>6}{scored.precision(kind):>11.1%}"
            f"{scored.recall(kind):>8.1%}{whole:>15.1%}"
        )
    held, found, right = (sum(each.values()) for each in scored[:3])
    rows.append(f"{'all':<16}{held:>6}{right / found:>11.1%}{right / held:>8.1%}")
    rows.append(f"{len(cases())} texts in {len({one.language for one in cases()})} languages, ")
    rows[-1] += f"{len(empty)} of them without personal data"
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
    if "--misses" in sys.argv:
        print(*score().misses, sep="\n")

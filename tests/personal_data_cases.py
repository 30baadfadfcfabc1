"""Labelled texts with and without personal data, read from tests/fixtures/understanding, and how
well they are found.

The first set is as people write; the later one was written once the finders stood, to be hard.
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

FOLDER = Path(__file__).parent / "fixtures" / "understanding"
SETS = ("personal_data", "personal_data_later")
_MARK = re.compile(r"\{(?P<kind>[a-z_]+)\|(?P<said>[^}]*)\}")


class Case(NamedTuple):
    language: str
    text: str
    held: tuple[Found, ...]
    """What the text holds, in its order."""
    names: tuple[str, ...] = ()
    """What the touchpoint calls the person."""


@cache
def cases(name: str = SETS[0]) -> tuple[Case, ...]:
    """One a line: language, text with `{kind|what}`, and a name where the touchpoint tells one."""
    text = (FOLDER / f"{name}.tsv").read_text(encoding="utf-8")
    return tuple(map(_case, text.splitlines()))


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
def score(name: str = SETS[0]) -> Score:
    finder = PersonalDataFinder()
    held: Counter[PersonalDataKind] = Counter()
    found: Counter[PersonalDataKind] = Counter()
    right: Counter[PersonalDataKind] = Counter()
    whole: Counter[PersonalDataKind] = Counter()
    misses = []
    for case in cases(name):
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


def table(name: str = SETS[0]) -> str:
    scored = score(name)
    empty = [case for case in cases(name) if not case.held]
    rows = [f"{'kind':<16}{'held':>6}{'precision':>11}{'recall':>8}{'to the letter':>15}"]
    for kind in PersonalDataKind:
        if held := scored.held[kind]:
            rows.append(
                f"{kind:<16}{held:>6}{scored.precision(kind):>11.1%}{scored.recall(kind):>8.1%}"
                f"{scored.whole[kind] / held:>15.1%}"
            )
    held, found, right, whole = (sum(each.values()) for each in scored[:4])
    rows.append(
        f"{'all':<16}{held:>6}{right / found:>11.1%}{right / held:>8.1%}{whole / held:>15.1%}"
    )
    languages = {one.language for one in cases(name)}
    rows.append(
        f"{name}: {len(cases(name))} texts in {len(languages)} languages, {len(empty)} of them "
        "without personal data"
    )
    return "\n".join(rows)


if __name__ == "__main__":
    for each in SETS:
        print(table(each))
        if "--misses" in sys.argv:
            print(*score(each).misses, sep="\n")

"""Labelled texts that are dissatisfied and polite, and as many that are not, and how well the
policy's phrases tell them apart. The first set was written before the phrases, in the turns that
people use; the later one afterwards, in turns of its own, which no list foresees.

`python -m tests.weak_signal_cases` prints precision and recall by language, and what went wrong
with `--misses`.
"""

import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from shared.adapters.weak_signals import find_weak_signals
from shared.policies.reader import read_policies

FOLDER = Path(__file__).parent / "fixtures" / "understanding"
SETS = ("weak_signals", "weak_signals_later")


class Case(NamedTuple):
    language: str
    signal: str | None
    text: str


class Score(NamedTuple):
    texts: int
    precision: float
    recall: float
    named: float
    """Of those found, the share whose own signal is among the names."""


@cache
def cases(name: str = SETS[0]) -> tuple[Case, ...]:
    """One a line: language, signal or `-`, text."""
    text = (FOLDER / f"{name}.tsv").read_text(encoding="utf-8")
    lines = (line.split("\t") for line in text.splitlines())
    return tuple(Case(one, None if name == "-" else name, text) for one, name, text in lines)


def found_in(case: Case) -> list[str]:
    policy = read_policies().understanding.weak_signals
    return [str(one.reason) for one in find_weak_signals(case.text, policy, language=case.language)]


def score(given: Iterable[Case]) -> Score:
    judged = [(case, found_in(case)) for case in given]
    held = [one for one in judged if one[0].signal]
    found = [one for one in judged if one[1]]
    right = [(case, names) for case, names in found if case.signal]
    named = [case for case, names in right if case.signal in names]
    return Score(
        len(judged),
        len(right) / len(found) if found else 1.0,
        len(right) / len(held) if held else 1.0,
        len(named) / len(right) if right else 1.0,
    )


def table() -> str:
    rows = [f"{'set':<20}{'language':<10}{'texts':>6}{'precision':>11}{'recall':>8}{'named':>8}"]
    for name in SETS:
        given = cases(name)
        for language in (*dict.fromkeys(one.language for one in given), "all"):
            one = score(case for case in given if language in {case.language, "all"})
            rows.append(
                f"{name:<20}{language:<10}{one.texts:>6}{one.precision:>11.1%}{one.recall:>8.1%}"
                f"{one.named:>8.1%}"
            )
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
    if "--misses" in sys.argv:
        for case in (one for name in SETS for one in cases(name)):
            names = found_in(case)
            if bool(names) != bool(case.signal) or (case.signal and case.signal not in names):
                print(case.language, case.signal, names, case.text, sep="  ")

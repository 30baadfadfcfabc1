"""A linear classifier over hashed words and pieces of words: what it looks at, its file, its
arithmetic.

Each feature adds one row of small integers; a class's score is the sum of its column. So what a
single word
contributed is known exactly, without asking the model again. No numpy: sums run over bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest
from math import exp, sqrt
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from shared.adapters.message_words import Word

MAGIC = b"passerelle linear model 1\n"
SHORTEST_PIECE, LONGEST_PIECE = 3, 5
LONGEST_WORD = 24
REACH_OF_NEGATION = 3
MOST_EXPLAINED = 12
"""Words that are taken away one by one to see what the answer would be without them."""
# fmt: off
NEGATIONS = frozenset(
    {
        "aint", "arent", "aucun", "aucune", "cannot", "cant", "couldnt", "didnt", "doesnt",
        "dont", "hadnt", "hasnt", "havent", "isnt", "jamais", "kein", "keine", "keinen", "mai",
        "n", "nada", "nao", "ne", "nem", "nenhum", "nenhuma", "nessun", "nessuna", "never",
        "nicht", "nichts", "nie", "niente", "ningun", "ninguna", "no", "non", "not", "nothing",
        "nunca", "ohne", "pas", "plus", "rien", "sans", "sem", "senza", "shouldnt", "sin",
        "tampoco", "wasnt", "without", "wont", "wouldnt"
    }
)
# fmt: on
"""Part of what a model is trained on: changing them means training again."""


class Pair(NamedTuple):
    """A row that two words share: it would not be there without either."""

    row: int
    words: tuple[int, int]
    """By their positions."""


class Head(NamedTuple):
    """One question the model answers: its classes, where their columns begin, and how scores
    become probabilities.
    """

    classes: tuple[str, ...]
    first_column: int
    scale: float
    bias: tuple[float, ...]
    temperature: float


class Reading(NamedTuple):
    """One head's answer: probability per class, and how much of the best's each word carried."""

    probabilities: dict[str, float]
    moved: tuple[float, ...]

    def ranked(self) -> list[tuple[str, float]]:
        return sorted(self.probabilities.items(), key=lambda one: (-one[1], one[0]))


def pairs_of(words: Sequence[Word], rows: int) -> list[Pair]:
    """Neighbours, neighbours over a gap, and words under a negation."""
    pairs = []
    negated_by, negated_until = -1, -1
    for at, word in enumerate(words):
        form = word.form
        for gap in (1, 2):
            if at >= gap:
                name = f"{gap} {words[at - gap].form} {form}"
                pairs.append(Pair(_row(name, rows), (at - gap, at)))
        if form in NEGATIONS:
            negated_by, negated_until = at, at + REACH_OF_NEGATION
        elif at <= negated_until:
            pairs.append(Pair(_row(f"not {form}", rows), (negated_by, at)))
    return pairs


def rows_of(form: str, rows: int) -> list[int]:
    """Of a word by itself: the word, and its pieces."""
    names = [f"w {form}"]
    if len(form) > SHORTEST_PIECE and form.isalpha():
        framed = f"<{form[:LONGEST_WORD]}>"
        names += [
            framed[start : start + size]
            for size in range(SHORTEST_PIECE, LONGEST_PIECE + 1)
            for start in range(len(framed) - size + 1)
        ]
    return [_row(name, rows) for name in names]


def _row(name: str, rows: int) -> int:
    return crc32(name.encode("utf-8", "replace")) % rows


class LinearModel:
    """Read from one file: a line of JSON about it, then its rows as signed bytes."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        if not content.startswith(MAGIC):
            raise ValueError(f"{path.name} is not a linear model")
        end = content.index(b"\n", len(MAGIC))
        about = json.loads(content[len(MAGIC) : end])
        self.version: str = about["version"]
        self.corpus_hash: str = about["corpus_hash"]
        self.scores: dict[str, dict[str, float]] = about["scores"]
        """Of each language, on texts it was not trained on."""
        self.rows: int = about["rows"]
        self.heads = {
            name: Head(
                classes=tuple(head["classes"]),
                first_column=head["first_column"],
                scale=head["scale"],
                bias=tuple(head["bias"]),
                temperature=head["temperature"],
            )
            for name, head in about["heads"].items()
        }
        self._columns = sum(len(head.classes) for head in self.heads.values())
        self._table = memoryview(content)[end + 1 :].cast("b")
        self._own = lru_cache(maxsize=20_000)(self._sum_of_word)
        if len(self._table) != self.rows * self._columns:
            raise ValueError(f"{path.name} is cut short")

    def read(self, words: Sequence[Word], *, explain: int = MOST_EXPLAINED) -> dict[str, Reading]:
        """Each head's answer, and what the `explain` words that spoke most for it carried."""
        own = [self._own(word.form) for word in words]
        pairs = pairs_of(words, self.rows)
        shared = [self._row(pair.row) for pair in pairs]
        totals = [
            sum(column) for column in zip(*(one.sums for one in own), *shared, strict=True)
        ] or [0] * self._columns
        number = sum(one.rows for one in own) + len(pairs)
        touching: list[_Touching] = []
        if explain:
            touching = [_Touching(one.rows, [one.sums]) for one in own]
            for pair, row in zip(pairs, shared, strict=True):
                for at in pair.words:
                    touching[at].rows += 1
                    touching[at].sums.append(row)
        return {
            name: self._reading(head, totals, number, touching, explain)
            for name, head in self.heads.items()
        }

    def _row(self, row: int) -> Sequence[int]:
        return self._table[row * self._columns : (row + 1) * self._columns]

    def _sum_of_word(self, form: str) -> "_Own":
        rows = rows_of(form, self.rows)
        return _Own(len(rows), tuple(map(sum, zip(*map(self._row, rows), strict=True))))

    def _reading(
        self,
        head: Head,
        totals: Sequence[int],
        number: int,
        touching: list["_Touching"],
        explain: int,
    ) -> Reading:
        columns = slice(head.first_column, head.first_column + len(head.classes))
        found = _probabilities(head, totals[columns], number)
        moved = [0.0] * len(touching)
        if touching:
            best, second = _leaders(found)
            for at in _tried(touching, columns.start + best, columns.start + second, explain):
                word = touching[at]
                gone = map(sum, zip(*(sums[columns] for sums in word.sums), strict=True))
                left = [total - part for total, part in zip(totals[columns], gone, strict=True)]
                # What it would be if the word were not there.
                without = _probabilities(head, left, number - word.rows)
                moved[at] = found[best] - without[best]
        return Reading(dict(zip(head.classes, found, strict=True)), tuple(moved))


class _Own(NamedTuple):
    """What a word adds by itself, whatever stands around it."""

    rows: int
    sums: tuple[int, ...]
    """Of its rows, column by column."""


@dataclass
class _Touching:
    """All that would be gone with a word."""

    rows: int
    sums: list[Sequence[int]]


def _tried(touching: Sequence[_Touching], best: int, second: int, most: int) -> Sequence[int]:
    """The words that speak most for the best and against the second: only those can have carried
    the answer.
    """
    if len(touching) <= most:
        return range(len(touching))
    speaks = [sum(one[best] - one[second] for one in word.sums) for word in touching]
    return nlargest(most, range(len(speaks)), key=speaks.__getitem__)


def _leaders(found: Sequence[float]) -> tuple[int, int]:
    """Which are the highest and the second; one class alone is both."""
    ranked = sorted(range(len(found)), key=lambda at: -found[at])
    return ranked[0], ranked[min(1, len(ranked) - 1)]


def _probabilities(head: Head, totals: Sequence[int], number: int) -> list[float]:
    """Softmax; dividing by the root of the number of features keeps long and short messages
    comparable.
    """
    size = head.scale / sqrt(number or 1)
    scores = [
        (total * size + bias) / head.temperature
        for total, bias in zip(totals, head.bias, strict=True)
    ]
    highest = max(scores)
    powers = [exp(score - highest) for score in scores]
    whole = sum(powers)
    return [power / whole for power in powers]

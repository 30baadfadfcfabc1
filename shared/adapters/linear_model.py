"""A linear classifier over hashed words and pieces of words: what it looks at, its file, its
arithmetic.

Each feature adds one row of small integers; a class's score is the sum of its column. So what a
single word
contributed is known exactly, without asking the model again. No numpy: sums run over bytes.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from math import exp, sqrt
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from shared.adapters.message_words import Word

MAGIC = b"passerelle linear model 1\n"
SHORTEST_PIECE, LONGEST_PIECE = 3, 5
LONGEST_WORD = 24
REACH_OF_NEGATION = 3
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


class Feature(NamedTuple):
    """A row of the table, and the words (by position) without which it would not be there."""

    row: int
    words: tuple[int, ...]


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


def features_of(words: Sequence[Word], rows: int) -> list[Feature]:
    """Words, pieces of words, pairs, pairs over a gap, and words under a negation."""
    features = []
    negated_by, negated_until = -1, -1
    for at, word in enumerate(words):
        form = word.form
        features += [Feature(row, (at,)) for row in _rows_of_word(form, rows)]
        for gap in (1, 2):
            if at >= gap:
                name = f"{gap} {words[at - gap].form} {form}"
                features.append(Feature(_row(name, rows), (at - gap, at)))
        if form in NEGATIONS:
            negated_by, negated_until = at, at + REACH_OF_NEGATION
        elif at <= negated_until:
            features.append(Feature(_row(f"not {form}", rows), (negated_by, at)))
    return features


@lru_cache(maxsize=20_000)
def _rows_of_word(form: str, rows: int) -> tuple[int, ...]:
    names = [f"w {form}"]
    if len(form) > SHORTEST_PIECE and form.isalpha():
        framed = f"<{form[:LONGEST_WORD]}>"
        names += [
            framed[start : start + size]
            for size in range(SHORTEST_PIECE, LONGEST_PIECE + 1)
            for start in range(len(framed) - size + 1)
        ]
    return tuple(_row(name, rows) for name in names)


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
        if len(self._table) != self.rows * self._columns:
            raise ValueError(f"{path.name} is cut short")

    def read(self, words: Sequence[Word], *, explain: bool = True) -> dict[str, Reading]:
        """Each head's answer. `explain` also works out what each word carried."""
        features = features_of(words, self.rows)
        table, width = self._table, self._columns
        taken = [table[one.row * width : one.row * width + width] for one in features]
        totals = [sum(column) for column in zip(*taken, strict=True)] or [0] * width
        readings = {
            name: self._probabilities(head, totals, len(features))
            for name, head in self.heads.items()
        }
        if not explain:
            return {name: Reading(found, ()) for name, found in readings.items()}
        without = self._without_each_word(features, taken, totals, len(words))
        return {
            name: Reading(found, self._moved(self.heads[name], found, without))
            for name, found in readings.items()
        }

    def _without_each_word(
        self,
        features: list[Feature],
        taken: list[memoryview],
        totals: list[int],
        number_of_words: int,
    ) -> list[tuple[list[int], int]]:
        """For each word, the totals and the number of features there would be without it."""
        touching: list[list[memoryview]] = [[] for _ in range(number_of_words)]
        for feature, row in zip(features, taken, strict=True):
            for at in feature.words:
                touching[at].append(row)
        return [
            (
                [
                    total - gone
                    for total, gone in zip(totals, map(sum, zip(*rows, strict=True)), strict=True)
                ],
                len(features) - len(rows),
            )
            for rows in touching
        ]

    def _moved(
        self, head: Head, found: dict[str, float], without: list[tuple[list[int], int]]
    ) -> tuple[float, ...]:
        best = max(found, key=lambda name: (found[name], name))
        return tuple(
            found[best] - self._probabilities(head, totals, number)[best]
            for totals, number in without
        )

    def _probabilities(self, head: Head, totals: list[int], number: int) -> dict[str, float]:
        """Softmax; dividing by the root of the number of features keeps long and short messages
        comparable.
        """
        size = head.scale / sqrt(number or 1)
        columns = totals[head.first_column : head.first_column + len(head.classes)]
        scores = [
            (total * size + bias) / head.temperature
            for total, bias in zip(columns, head.bias, strict=True)
        ]
        highest = max(scores)
        powers = [exp(score - highest) for score in scores]
        whole = sum(powers)
        return {name: power / whole for name, power in zip(head.classes, powers, strict=True)}

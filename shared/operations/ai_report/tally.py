"""Counts of a period. Whole numbers only, so that neither the order of the ledger nor where it is
cut in two can change a sum.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.domain.ai_use import AiUseName, Unavailable
from shared.domain.override import Aspect

DECILES = 10
SCALE = 10_000
"""Confidences are summed in ten-thousandths."""


class Slice(NamedTuple):
    """Who decided, on messages of which language and channel."""

    decider: str
    language: str
    channel: str


class Correction(NamedTuple):
    """What the machine said, and what a person says instead."""

    aspect: Aspect
    machine: str
    person: str


@dataclass
class Tally:
    """Of the machine's answers on some messages."""

    n: int = 0
    confidence: int = 0
    """The sum over the intents, in ten-thousandths."""
    squares: int = 0
    deciles: list[int] = field(default_factory=lambda: [0] * DECILES)
    """How many confidences lie in [0, 0.1), [0.1, 0.2), … [0.9, 1]."""
    below: int = 0
    """Less sure than the threshold."""
    fallback: int = 0
    """Of the intent that says nothing better could be said."""
    negative: int = 0
    changed: int = 0
    """Of these a person changed an aspect at least."""

    def add(
        self, confidence: float, *, below: bool, fallback: bool, negative: bool, changed: bool
    ) -> None:
        scaled = round(confidence * SCALE)
        self.n += 1
        self.confidence += scaled
        self.squares += scaled * scaled
        self.deciles[min(scaled * DECILES // SCALE, DECILES - 1)] += 1
        self.below += below
        self.fallback += fallback
        self.negative += negative
        self.changed += changed

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            n=self.n + other.n,
            confidence=self.confidence + other.confidence,
            squares=self.squares + other.squares,
            deciles=[one + two for one, two in zip(self.deciles, other.deciles, strict=True)],
            below=self.below + other.below,
            fallback=self.fallback + other.fallback,
            negative=self.negative + other.negative,
            changed=self.changed + other.changed,
        )


def total(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


@dataclass
class Counts:
    """As large as the closed lists are long, however long the ledger."""

    looked_at: int = 0
    understood: int = 0
    waiting: int = 0
    """Somebody spoke, and nothing has understood it yet: in flight, or failed."""
    person: int = 0
    """What a person said of it counts now, in one aspect at least."""
    confirmed: int = 0
    """Of these, all that a person said the machine had said too."""
    tallies: dict[Slice, Tally] = field(default_factory=dict)
    fell_back: Counter[tuple[AiUseName, Unavailable]] = field(default_factory=Counter)
    """By the use that was wanted, and why it could not be had."""
    changed: Counter[tuple[str, Aspect]] = field(default_factory=Counter)
    """By who had decided, and the aspect that a person changed."""
    corrections: Counter[Correction] = field(default_factory=Counter)
    values: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By aspect, what the machine said."""
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By decider."""
    written: Counter[str] = field(default_factory=Counter)
    """Messages that left, by who wrote them."""
    disclosed: int = 0
    """Of those a machine wrote, those that begin by saying so."""

    def tally(self, slice_: Slice) -> Tally:
        return self.tallies.setdefault(slice_, Tally())

    def of(self, deciders: Iterable[str]) -> Tally:
        """All that these decided."""
        wanted = set(deciders)
        return total(tally for slice_, tally in self.tallies.items() if slice_.decider in wanted)

    def __add__(self, other: "Counts") -> "Counts":
        names = {**self.tallies, **other.tallies}
        nothing = Tally()
        return Counts(
            looked_at=self.looked_at + other.looked_at,
            understood=self.understood + other.understood,
            waiting=self.waiting + other.waiting,
            person=self.person + other.person,
            confirmed=self.confirmed + other.confirmed,
            tallies={
                name: self.tallies.get(name, nothing) + other.tallies.get(name, nothing)
                for name in names
            },
            fell_back=self.fell_back + other.fell_back,
            changed=self.changed + other.changed,
            corrections=self.corrections + other.corrections,
            values=self.values + other.values,
            versions=self.versions + other.versions,
            written=self.written + other.written,
            disclosed=self.disclosed + other.disclosed,
        )

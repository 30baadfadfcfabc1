"""What changed between a period and the one before, in words, and what did not."""

from collections.abc import Mapping
from typing import Literal

from shared.domain.model import Model
from shared.operations.ai_report.statistics import FEWEST, Distance, distance
from shared.operations.ai_report.tally import DECILES, SCALE, Counts, Tally

DRIFTING = ("intent", "language", "sentiment", "urgency")
MODELS = ("embedded", "bedrock")
"""What a rule decides it is always sure of."""
SMALLEST = 0.05
"""Distances below move nobody's plans, however sure one is of them. 0.05 is about what lies between
20 % and 25 % of the messages.
"""
SMALLEST_MOVE = 0.03
"""Nor does a share that moved by less."""
SHOWN = 12
NAMED = 3

Outcome = Literal["too_few", "alike", "shifted"]


class Part(Model):
    """One value, in how many messages of both periods."""

    name: str
    now: int
    before: int
    share_now: float
    share_before: float

    @property
    def moved(self) -> float:
        return self.share_now - self.share_before


class Drift(Model):
    about: str
    outcome: Outcome
    words: str
    now: int
    """Messages compared."""
    before: int
    distance: Distance | None
    """None where there are too few."""
    parts: tuple[Part, ...]
    """The most frequent, or in order; the rest as one where they are many."""


class Version(Model):
    """Of a model or of the rules, and how many messages it decided in both periods."""

    decider: str
    version: str
    now: int
    before: int
    news: Literal["", "new", "gone"]


def drifts(now: Counts, before: Counts) -> tuple[Drift, ...]:
    found = [_drift(about, _of(about, now), _of(about, before)) for about in DRIFTING]
    return (*found, _confidence(now.of(MODELS), before.of(MODELS)))


def versions(now: Counts, before: Counts) -> tuple[Version, ...]:
    return tuple(
        Version(
            decider=decider,
            version=version,
            now=(ours := now.versions[decider, version]),
            before=(theirs := before.versions[decider, version]),
            news=_news(ours, theirs, before.understood),
        )
        for decider, version in sorted({*now.versions, *before.versions})
    )


def _news(ours: int, theirs: int, understood_before: int) -> Literal["", "new", "gone"]:
    """In a first period nothing is new."""
    if ours and not theirs and understood_before:
        return "new"
    return "gone" if theirs and not ours else ""


def _of(about: str, counts: Counts) -> dict[str, int]:
    return {value: n for (aspect, value), n in counts.values.items() if aspect == about}


def _drift(about: str, now: Mapping[str, int], before: Mapping[str, int]) -> Drift:
    parts = _parts(now, before, sorted({*now, *before}))
    parts.sort(key=lambda one: (-one.now - one.before, one.name))
    apart, outcome = _compared(now, before)
    words = _moves(parts, apart.moved) if outcome == "shifted" and apart else ""
    return _told(about, outcome, words, now, before, apart, _shortened(parts))


def _confidence(now: Tally, before: Tally) -> Drift:
    names = [f"{at / DECILES:.1f} to {(at + 1) / DECILES:.1f}" for at in range(DECILES)]
    ours = dict(zip(names, now.deciles, strict=True))
    theirs = dict(zip(names, before.deciles, strict=True))
    apart, outcome = _compared(ours, theirs)
    words = ""
    if outcome == "shifted":
        means = now.confidence / now.n / SCALE, before.confidence / before.n / SCALE
        way = "less sure" if means[0] < means[1] else "surer"
        words = f"{way}, {means[0]:.2f} on average, was {means[1]:.2f}"
    parts = tuple(_parts(ours, theirs, names))
    return _told("confidence", outcome, words, ours, theirs, apart, parts)


def _compared(now: Mapping[str, int], before: Mapping[str, int]) -> tuple[Distance | None, Outcome]:
    if min(sum(now.values()), sum(before.values())) < FEWEST:
        return None, "too_few"
    apart = distance(now, before)
    parts = {one.name: one for one in _parts(now, before, sorted({*now, *before}))}
    is_apart = apart.value > max(apart.chance, SMALLEST)
    has_moved = any(abs(parts[name].moved) >= SMALLEST_MOVE for name in apart.moved)
    return apart, "shifted" if is_apart or has_moved else "alike"


def _told(
    about: str,
    outcome: Outcome,
    words: str,
    now: Mapping[str, int],
    before: Mapping[str, int],
    apart: Distance | None,
    parts: tuple[Part, ...],
) -> Drift:
    told = {
        "too_few": f"too few to say: {FEWEST} messages are needed in both periods",
        "alike": "like the period before",
        "shifted": f"shifted: {words}",
    }
    return Drift(
        about=about,
        outcome=outcome,
        words=told[outcome],
        now=sum(now.values()),
        before=sum(before.values()),
        distance=apart,
        parts=parts,
    )


def _moves(parts: list[Part], sure: tuple[str, ...]) -> str:
    """Those that moved beyond chance and at least half as far as the one that moved furthest; where
    none did alone, whichever moved furthest.
    """
    far = sorted(parts, key=lambda one: (-abs(one.moved), one.name))
    surely = [one for one in far if one.name in sure] or far[:1]
    named = [one for one in surely[:NAMED] if abs(one.moved) >= abs(surely[0].moved) / 2]
    return ", ".join(
        f"{'more' if one.moved > 0 else 'less'} {one.name} "
        f"({one.share_now:.0%}, was {one.share_before:.0%})"
        for one in named
    )


def _parts(now: Mapping[str, int], before: Mapping[str, int], names: list[str]) -> list[Part]:
    ours, theirs = sum(now.values()) or 1, sum(before.values()) or 1
    return [
        Part(
            name=name,
            now=now.get(name, 0),
            before=before.get(name, 0),
            share_now=now.get(name, 0) / ours,
            share_before=before.get(name, 0) / theirs,
        )
        for name in names
    ]


def _shortened(parts: list[Part]) -> tuple[Part, ...]:
    shown, rest = parts[:SHOWN], parts[SHOWN:]
    if not rest:
        return tuple(shown)
    others = Part(
        name=f"{len(rest)} others",
        now=sum(one.now for one in rest),
        before=sum(one.before for one in rest),
        share_now=sum(one.share_now for one in rest),
        share_before=sum(one.share_before for one in rest),
    )
    return (*shown, others)

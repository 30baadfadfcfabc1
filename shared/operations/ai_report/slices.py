"""Whether the models do as well in each language and on each channel as on the whole."""

from collections import defaultdict
from collections.abc import Callable
from typing import Literal

from shared.domain.model import Model
from shared.operations.ai_report.drift import MODELS
from shared.operations.ai_report.statistics import FEWEST, Mean, Share, mean_confidence, share
from shared.operations.ai_report.tally import Counts, Slice, Tally, total

Measured = Literal["confidence", "fallback", "below", "negative", "overridden"]
SHARES: tuple[Measured, ...] = ("fallback", "below", "negative", "overridden")


class Row(Model):
    """What the models did on some messages."""

    name: str
    n: int
    confidence: Mean
    fallback: Share
    """Could be called nothing better."""
    below: Share
    """Less sure than the threshold."""
    negative: Share
    overridden: Share
    worse: tuple[Measured, ...] = ()
    """Clearly worse than the whole: the two intervals do not meet. Never of fewer than 30."""


class Slices(Model):
    whole: Row
    by_language: tuple[Row, ...]
    by_channel: tuple[Row, ...]
    by_both: tuple[Row, ...]
    """Of at least 30 messages."""


def slices(counts: Counts) -> Slices:
    """Of what a model decided; rules are always sure."""
    held = {name: tally for name, tally in counts.tallies.items() if name.decider in MODELS}
    whole = row("all", total(held.values()))

    def by(named: Callable[[Slice], str], least: int = 1) -> tuple[Row, ...]:
        grouped: defaultdict[str, Tally] = defaultdict(Tally)
        for name, tally in held.items():
            grouped[named(name)] += tally
        rows = [_marked(row(name, one), whole) for name, one in grouped.items() if one.n >= least]
        return tuple(sorted(rows, key=lambda one: (-one.n, one.name)))

    return Slices(
        whole=whole,
        by_language=by(lambda one: one.language),
        by_channel=by(lambda one: one.channel),
        by_both=by(lambda one: f"{one.language}, {one.channel}", FEWEST),
    )


def row(name: str, tally: Tally) -> Row:
    return Row(
        name=name,
        n=tally.n,
        confidence=mean_confidence(tally),
        fallback=share(tally.fallback, tally.n),
        below=share(tally.below, tally.n),
        negative=share(tally.negative, tally.n),
        overridden=share(tally.changed, tally.n),
    )


def _marked(one: Row, whole: Row) -> Row:
    if one.n < FEWEST:
        return one
    worse: list[Measured] = ["confidence"] if _is_less(one.confidence, whole.confidence) else []
    worse += [name for name in SHARES if _is_less(getattr(whole, name), getattr(one, name))]
    return one.model_copy(update={"worse": tuple(worse)})


def _is_less(one: Share | Mean, other: Share | Mean) -> bool:
    assert one.high is not None and other.low is not None
    return one.high < other.low

"""How sure one may be of a share, a mean, a difference. Pure functions of counts."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest, norm

from shared.domain.model import Model
from shared.operations.ai_report.tally import SCALE, Tally

FEWEST = 30
"""Below this number nothing is called good, bad or changed."""
CONFIDENCE = 0.95
SEED = 20_261_122
PERMUTATIONS = 2_000
BY_CHANCE = 0.995
"""What counts is what fewer than one in two hundred shuffles reach: a report asks twice of each of
five distributions, and each answer may cry wolf.
"""


class Share(Model):
    """`count` of `of`, and between what the true share lies, 19 times in 20 (Wilson).

    The three are None where there is nothing to count.
    """

    count: int
    of: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


class Mean(Model):
    """Of confidences; `low` and `high` as of a share, by the normal distribution."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


class Distance(Model):
    """Jensen-Shannon, between 0 (the same) and 1 (nothing in common)."""

    value: float
    chance: float
    """How far apart two random heaps of the same messages are at the most, 199 times in 200."""
    moved: tuple[str, ...] = ()
    """Names whose share differs by more than chance brings about for any of them, the surest first.

    One name among many that moves alone hardly shows in the distance of the whole.
    """


def share(count: int, of: int) -> Share:
    if of == 0:
        return Share(count=0, of=0)
    interval = binomtest(count, of).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return Share(
        count=count, of=of, value=count / of, low=float(interval.low), high=float(interval.high)
    )


def mean_confidence(tally: Tally) -> Mean:
    n = tally.n
    if n == 0:
        return Mean(n=0)
    value = tally.confidence / n
    if n == 1:
        return Mean(n=1, value=value / SCALE)
    variance = max(tally.squares - n * value * value, 0.0) / (n - 1)
    margin = float(norm.ppf((1 + CONFIDENCE) / 2)) * sqrt(variance / n)
    low, high = max(value - margin, 0.0), min(value + margin, float(SCALE))
    return Mean(n=n, value=value / SCALE, low=low / SCALE, high=high / SCALE)


def distance(now: Mapping[str, int], before: Mapping[str, int]) -> Distance:
    """Between two distributions, each of at least one message.

    All messages of both are shuffled again and again into two heaps of these sizes: what comes out
    apart by that is chance. The same counts always give the same answer.
    """
    # Names that never occur would only cost time; the order must not depend on who came first.
    names = [name for name in sorted({*now, *before}) if now.get(name, 0) + before.get(name, 0)]
    ours = np.array([now.get(name, 0) for name in names], dtype=np.int64)
    theirs = np.array([before.get(name, 0) for name in names], dtype=np.int64)
    pooled = ours + theirs
    shuffled = np.random.default_rng(SEED).multivariate_hypergeometric(
        pooled, int(ours.sum()), size=PERMUTATIONS
    )
    value = jensenshannon(ours, theirs, base=2)
    apart = jensenshannon(shuffled, pooled - shuffled, base=2, axis=1)
    here, by_chance = _steps(ours, pooled), _steps(shuffled, pooled)
    # Against the furthest of all names in each shuffle: many names are many chances.
    limit = float(np.quantile(by_chance.max(axis=-1), BY_CHANCE))
    surest = [at for at in np.argsort(-here, kind="stable") if here[at] > limit]
    return Distance(
        value=float(value),
        chance=float(np.quantile(apart, BY_CHANCE)),
        moved=tuple(names[at] for at in surest),
    )


def _steps(ours: Any, pooled: Any) -> Any:
    """How far each share moved, in standard errors of a shuffle; along the last axis."""
    n, m = ours.sum(axis=-1, keepdims=True), (pooled - ours).sum(axis=-1, keepdims=True)
    share = pooled / pooled.sum()
    error = np.sqrt(share * (1 - share) * (1 / n + 1 / m))
    moved = np.abs(ours / n - (pooled - ours) / m)
    return np.divide(moved, error, out=np.zeros_like(moved), where=error > 0)

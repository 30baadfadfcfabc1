"""Make probabilities mean what they say: one temperature and one offset per class, fitted on texts
the model was not trained on.

Vector scaling: Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

HOLD = 4.0
"""How strongly the offsets are held at zero: a few hundred texts must not say too much."""


class Calibration(NamedTuple):
    temperature: float
    offsets: dict[str, float]
    """Class to what is added to its score, before the temperature."""


def fit(guesses: Sequence[tuple[dict[str, float], str]]) -> Calibration:
    """`guesses` are the probabilities of all classes, uncalibrated, and the right class."""
    classes = sorted(guesses[0][0])
    scores = np.log([[found[name] for name in classes] for found, _ in guesses])
    right = np.array([classes.index(label) for _, label in guesses])

    def loss(parameters: np.ndarray) -> float:
        scaled = (scores + parameters[1:]) / np.exp(parameters[0])
        scaled -= scaled.max(axis=1, keepdims=True)
        likelihood = scaled[np.arange(len(right)), right] - np.log(np.exp(scaled).sum(axis=1))
        return float(-likelihood.sum() + HOLD * (parameters[1:] ** 2).sum())

    found = minimize(loss, np.zeros(len(classes) + 1), method="L-BFGS-B").x
    return Calibration(
        round(float(np.exp(found[0])), 3),
        {name: round(float(offset), 3) for name, offset in zip(classes, found[1:], strict=True)},
    )

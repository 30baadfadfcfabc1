"""Fit the linear model: multinomial logistic regression per head, AdaGrad, single thread, fixed
seed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from infra.training.grammar import SEED, Example
from shared.adapters.linear_model import MAGIC, features_of
from shared.adapters.message_words import plain, words_of

ROWS = 2**17
EPOCHS = 8
RATE = 0.35
DECAY = 2e-6
SMOOTHING = 0.06
DROPPED = 0.3
"""Share of the features hidden at each step, so that no single word is relied on."""
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """`table` has one row per feature, the columns of all heads side by side; `bias` one entry per
    column.
    """

    heads: dict[str, tuple[str, ...]]
    table: Array
    bias: Array

    def columns(self, head: str) -> slice:
        names = list(self.heads)
        first = sum(len(self.heads[name]) for name in names[: names.index(head)])
        return slice(first, first + len(self.heads[head]))


def train(examples: Sequence[Example], heads: dict[str, tuple[str, ...]]) -> Trained:
    draw = np.random.default_rng(SEED)
    width = sum(map(len, heads.values()))
    table, bias = np.zeros((ROWS, width)), np.zeros(width)
    spent, spent_bias = np.full((ROWS, width), 1e-6), np.full(width, 1e-6)
    model = Trained(heads, table, bias)
    prepared = [(rows_of(example.text), _targets(model, example)) for example in examples]
    for epoch in range(EPOCHS):
        rate = RATE * (1 - epoch / EPOCHS)
        for at in draw.permutation(len(prepared)):
            (rows, counts), targets = prepared[at]
            kept = draw.random(len(rows)) >= DROPPED
            if not kept.any():
                continue
            rows, weights = rows[kept], counts[kept]
            weights = weights / np.sqrt(weights.sum())
            scores = weights @ table[rows] + bias
            for columns, target in targets:
                powers = np.exp(scores[columns] - scores[columns].max())
                error = powers / powers.sum() - target
                slope = weights[:, None] * error + DECAY * table[rows, columns]
                spent[rows, columns] += slope * slope
                table[rows, columns] -= rate * slope / np.sqrt(spent[rows, columns])
                spent_bias[columns] += error * error
                bias[columns] -= rate * 0.1 * error / np.sqrt(spent_bias[columns])
    return model


def rows_of(text: str) -> tuple[npt.NDArray[np.int64], Array]:
    """The distinct rows of a text and how often each occurs."""
    rows = [feature.row for feature in features_of(words_of(plain(text)), ROWS)]
    distinct, counts = np.unique(np.array(rows, dtype=np.int64), return_counts=True)
    return distinct, counts.astype(np.float64)


def _targets(model: Trained, example: Example) -> list[tuple[slice, Array]]:
    targets = []
    for head, label in (("intent", example.intent), ("sentiment", example.sentiment)):
        if label is None:
            continue
        classes = model.heads[head]
        target = np.full(len(classes), SMOOTHING / len(classes))
        target[classes.index(label)] += 1 - SMOOTHING
        targets.append((model.columns(head), target))
    return targets


def write(model: Trained, path: Path, *, version: str, corpus_hash: str) -> None:
    """Weights as signed bytes, one scale per head; numbers rounded, so that the last bit of a
    processor leaves no trace.
    """
    quantised = np.zeros(model.table.shape, dtype=np.int8)
    about = {}
    for head, classes in model.heads.items():
        columns = model.columns(head)
        # The few largest weights are clipped: the others keep a finer grid.
        step = (
            float(
                np.quantile(np.abs(model.table[:, columns])[model.table[:, columns] != 0], 0.9995)
            )
            / 127
        )
        quantised[:, columns] = np.clip(np.rint(model.table[:, columns] / step), -127, 127)
        about[head] = {
            "classes": classes,
            "first_column": columns.start,
            "scale": round(step, 8),
            "bias": [round(float(one), 5) for one in model.bias[columns]],
            "temperature": 1.0,
        }
    header = {"version": version, "corpus_hash": corpus_hash, "rows": ROWS, "heads": about}
    path.write_bytes(MAGIC + json.dumps(header).encode() + b"\n" + quantised.tobytes())

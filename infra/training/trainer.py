"""Fit a linear model: for each head a support vector machine over the features the function will
see, by scikit-learn.

Single thread, fixed seed: the same texts give the same weights.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.svm import LinearSVC

from infra.training.calibration import Calibration
from infra.training.grammar import SEED, Example
from shared.adapters.linear_model import MAGIC, pairs_of, rows_of
from shared.adapters.message_words import plain, words_of

ROWS = 2**18
COST = 0.7
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


def train(
    examples: Sequence[Example], heads: Sequence[str], rows: int = ROWS, *, cost: float = COST
) -> Trained:
    """Each head learns from the examples that bear its label, all classes alike.

    `cost` is what an example on the wrong side costs: the higher, the closer to the texts.
    """
    features = _matrix([example.text for example in examples], rows)
    # What stands in few texts tells more; the weight stands in the table, the function adds rows.
    telling = _inverse_frequencies(features)
    features = (features @ sparse.diags(telling)).tocsr()
    fitted = {}
    for head in heads:
        taught = [at for at, example in enumerate(examples) if head in example.labels]
        labels = [examples[at].labels[head] for at in taught]
        machine = LinearSVC(C=cost, random_state=SEED, class_weight="balanced")
        fitted[head] = machine.fit(features[taught], labels)
    return Trained(
        {head: tuple(map(str, machine.classes_)) for head, machine in fitted.items()},
        np.hstack([machine.coef_.T * telling[:, None] for machine in fitted.values()]),
        np.hstack([machine.intercept_ for machine in fitted.values()]),
    )


def _matrix(texts: Sequence[str], rows: int) -> sparse.csr_matrix:
    """A text's features, each with its count, over the root of how many there are."""
    counts: list[float] = []
    columns: list[int] = []
    ends = [0]
    own_rows = cache(partial(rows_of, rows=rows))
    for text in texts:
        words = words_of(plain(text))
        found = [pair.row for pair in pairs_of(words, rows)]
        found += [row for word in words for row in own_rows(word.form)]
        distinct, times = np.unique(np.array(found, dtype=np.int64), return_counts=True)
        columns.extend(distinct)
        counts.extend(times / np.sqrt(len(found) or 1))
        ends.append(len(columns))
    return sparse.csr_matrix((counts, columns, ends), shape=(len(texts), rows))


def _inverse_frequencies(features: sparse.csr_matrix) -> Array:
    """Smoothed, and one on average over the features that occur."""
    texts, rows = features.shape
    occurs = np.bincount(features.indices, minlength=rows)
    weights = np.log((1 + texts) / (1 + occurs)) + 1
    return np.asarray(weights / weights[occurs > 0].mean())


class Written(NamedTuple):
    """What the file says of itself beside its weights."""

    version: str
    corpus_hash: str
    scores: dict[str, Any]
    """On the held-out texts."""


def write(
    model: Trained, path: Path, about: Written, calibrations: Mapping[str, Calibration]
) -> None:
    """Weights as signed bytes, one scale per head; numbers rounded, so that the last bit of a
    processor leaves no trace.
    """
    quantised = np.zeros(model.table.shape, dtype=np.int8)
    heads = {}
    for head, classes in model.heads.items():
        columns = model.columns(head)
        weights = model.table[:, columns]
        # The few largest weights are clipped: the others keep a finer grid.
        step = float(np.quantile(np.abs(weights[weights != 0]), 0.9995)) / 127
        quantised[:, columns] = np.clip(np.rint(weights / step), -127, 127)
        calibration = calibrations.get(head, Calibration(1.0, {}))
        heads[head] = {
            "classes": classes,
            "first_column": columns.start,
            "scale": round(step, 8),
            "bias": [
                round(float(bias) + calibration.offsets.get(name, 0.0), 5)
                for name, bias in zip(classes, model.bias[columns], strict=True)
            ],
            "temperature": calibration.temperature,
        }
    header = {**about._asdict(), "rows": len(model.table), "heads": heads}
    path.write_bytes(MAGIC + json.dumps(header).encode() + b"\n" + quantised.tobytes())

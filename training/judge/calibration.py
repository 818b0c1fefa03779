"""Measures whether a model's scores mean what they say: ranking by label, squared error, and calibration.

Columns of probabilities are in the order of the evaluation's labels, which are names; nothing here knows a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.judge.evaluate import Evaluation
from training.judge.metrics import codes

BINS = 10
ROWS_OF_A_BIN = 20
"""Fewer bins are made where there are fewer rows: a share of five rows is luck."""

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The expected calibration error over bins of equal mass, and its bias.

    The error is a mean of absolute gaps, so that luck only ever adds to the error. `by_luck` is about what a perfectly
    calibrated model with these confidences would show on as many rows.
    """

    error: float
    by_luck: float
    bins: int


def brier(found: Evaluation) -> float:
    """The mean squared distance from the probabilities to the truth, summed over labels: 0 is best, 2 is worst.

    Brier 1950, in its original form of several classes.
    """
    truth = np.eye(len(found.labels))[codes(found.truth, found.labels)]
    return float(((np.asarray(found.probabilities, dtype=np.float64) - truth) ** 2).sum(axis=1).mean())


def auc(found: Evaluation) -> dict[str, float | None]:
    """Label -> area under the curve of this label against the rest; None where all rows, or none, have the label.

    The share of pairs, one row of the label and one of the rest, that the scores order rightly; a tie counts one half
    (Mann-Whitney).
    """
    truth = np.array(found.truth)
    return {
        label: _area(truth == label, np.asarray(found.probabilities)[:, column])
        for column, label in enumerate(found.labels)
    }


def roc(is_label: Sequence[bool], scores: Floats) -> tuple[Floats, Floats]:
    """The curve of one label against the rest: shares of the rest and of the label that a falling threshold takes."""
    from sklearn.metrics import roc_curve

    taken_of_rest, taken_of_label, _ = roc_curve(np.asarray(is_label, dtype=bool), scores)
    return np.asarray(taken_of_rest), np.asarray(taken_of_label)


def calibration(found: Evaluation) -> Calibration:
    """The expected calibration error of the answers' probabilities, over bins with equally many rows."""
    confidence = np.asarray(found.probabilities, dtype=np.float64).max(axis=1)
    right = np.array(found.predicted) == np.array(found.truth)
    order = np.argsort(confidence, kind="stable")
    bins = max(1, min(BINS, len(order) // ROWS_OF_A_BIN))
    gaps = luck = 0.0
    for rows in np.array_split(order, bins):
        gaps += abs(float(confidence[rows].sum() - right[rows].sum()))
        luck += float(np.sqrt(2 / np.pi * (confidence[rows] * (1 - confidence[rows])).sum()))  # mean of |normal|
    return Calibration(gaps / len(order), luck / len(order), bins)


def _area(is_label: npt.NDArray[np.bool_], scores: Floats) -> float | None:
    from scipy.stats import rankdata

    of_label = int(is_label.sum())
    rest = len(is_label) - of_label
    if of_label == 0 or rest == 0:
        return None
    ranks = float(rankdata(scores)[is_label].sum())
    return (ranks - of_label * (of_label + 1) / 2) / (of_label * rest)

"""Measures how good a model is on some rows, and how two models differ on the same rows, with 95 % intervals.

Macro-F1 is a mean of ratios, one for each label. So its intervals come from influence functions (how much one row
changes the metric), not from a binomial: a test of accuracy promotes wrongly when accuracy rises and macro-F1 does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.errors import BadInput

Codes = npt.NDArray[np.int64]
"""(rows,) positions in the labels of the scheme."""
Interval = tuple[float, float]
CONFIDENCE = 0.95
NORMAL = 1.96
"""Standard errors from the estimate to an end of its interval, where it is normal."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One model on n rows; `confusion[i, j]` counts rows truly labels[i] that were called labels[j].

    A label that is neither true nor predicted anywhere has no F1 and is left out of the mean; one that occurs on only
    one side counts as 0. The recall of a label that is nowhere true is unknown: None.
    """

    labels: tuple[str, ...]
    n: int
    accuracy: float
    macro_f1: float
    recall: dict[str, float | None]
    confusion: tuple[tuple[int, ...], ...]
    accuracy_interval: Interval
    macro_f1_interval: Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """The candidate's macro-F1 minus the champion's on the same rows, and its interval."""

    macro_f1: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """The standard error of a normal distribution with this interval; 0 where the two models never differ."""
        return max(self.high - self.macro_f1, self.macro_f1 - self.low) / NORMAL


def codes(said: Sequence[str], labels: Sequence[str]) -> Codes:
    """Labels as (rows,) positions in `labels`."""
    positions = {label: index for index, label in enumerate(labels)}
    return np.array([positions[label] for label in said], dtype=np.int64)


def score(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> Scores:
    """All the metrics of one model; raises BadInput without rows, or where the two differ in length."""
    return score_codes(codes(truth, labels), codes(predicted, labels), labels)


def score_codes(truth: npt.NDArray[Any], predicted: npt.NDArray[Any], labels: Sequence[str]) -> Scores:
    """The same for positions in `labels`."""
    _check(truth, predicted)
    confusion = _confusion(truth, predicted, len(labels))
    n, right = int(confusion.sum()), int(np.trace(confusion))
    true_counts = confusion.sum(axis=1)
    return Scores(
        labels=tuple(labels),
        n=n,
        accuracy=right / n,
        macro_f1=_macro_f1(confusion),
        recall={
            label: float(confusion[index, index] / true_counts[index]) if true_counts[index] else None
            for index, label in enumerate(labels)
        },
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        accuracy_interval=wilson(right, n),
        macro_f1_interval=macro_f1_interval(confusion),
    )


def wilson(right: int, n: int) -> Interval:
    """The interval of a share (Wilson 1927): within 0 and 1, and with a width at 0 of n and n of n too."""
    from scipy.stats import binomtest

    interval = binomtest(right, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def macro_f1_interval(confusion: Codes) -> Interval:
    """The interval of macro-F1 by the delta method, on the logit scale, which keeps the interval within 0 and 1.

    Student's t has one degree of freedom less than the rarest label has rows, because this label causes most of the
    error. The delta method needs two rows of every label that is true somewhere, and has no width at exactly 0 or 1. In
    these cases the interval is Wilson's for the rows of the rarest label, which is wide on purpose.
    """
    from scipy.special import expit
    from scipy.stats import t

    estimate, n = _macro_f1(confusion), int(confusion.sum())
    present = confusion.sum(axis=1)
    rarest = int(present[present > 0].min())
    if rarest < 2 or not 0 < estimate < 1:
        return wilson(round(estimate * rarest), rarest)
    variance = float((confusion * influence(confusion) ** 2).sum()) / (n - 1)  # of a mean of zero
    error = float(np.sqrt(variance / n))
    half = float(t.ppf(0.5 + CONFIDENCE / 2, rarest - 1)) * error / (estimate * (1 - estimate))
    centre = float(np.log(estimate / (1 - estimate)))
    return float(expit(centre - half)), float(expit(centre + half))


def influence(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(labels, labels) how much a row with this truth and this prediction moves macro-F1; the rows' mean is zero.

    `confusion` (labels, labels) counts rows, or sums their weights.

    Its standard deviation divided by the root of n is the standard error. F_c = 2 tp_c / den_c with den_c = true +
    predicted of c, as shares of the rows, so a row (y, p) adds (2 [y = p] - F_y) / den_y - F_p / den_p, divided by the
    number of labels that occur. (A right row counts twice in den_y, so it loses F_y twice. To subtract F_y only once
    makes every interval far too wide.)
    """
    denominator = (confusion.sum(axis=0) + confusion.sum(axis=1)) / confusion.sum()
    occurs = denominator > 0
    per_label = np.divide(1.0, denominator, out=np.zeros(len(denominator)), where=occurs)
    lost = f1_of_labels(confusion) * per_label
    moved: npt.NDArray[np.float64] = np.diag(2 * per_label) - lost[:, None] - lost[None, :]
    return moved / int(occurs.sum())


def paired_difference(
    truth: Sequence[str], champion: Sequence[str], candidate: Sequence[str], labels: Sequence[str]
) -> Difference:
    """The candidate's macro-F1 minus the champion's on the same rows. Raises BadInput as `score` does.

    Rows on which the two agree hardly count, so Student's t has one degree of freedom less than there are
    disagreements. With one disagreement no error can be estimated, and the interval is -1 to 1. Without any it is 0
    to 0.
    """
    from scipy.stats import t

    y, old, new = codes(truth, labels), codes(champion, labels), codes(candidate, labels)
    _check(y, old)
    _check(y, new)
    before, after = _confusion(y, old, len(labels)), _confusion(y, new, len(labels))
    difference = _macro_f1(after) - _macro_f1(before)
    disagreements = int(np.count_nonzero(old != new))
    if disagreements == 0:
        return Difference(0.0, 0.0, 0.0)
    if disagreements < 2:
        return Difference(difference, -1.0, 1.0)
    moved = np.sort(influence(after)[y, new] - influence(before)[y, old])  # sorted: sums round alike in any order
    error = float(np.sqrt((moved**2).sum() / (len(y) - 1) / len(y)))
    half = float(t.ppf(0.5 + CONFIDENCE / 2, disagreements - 1)) * error
    return Difference(difference, max(-1.0, difference - half), min(1.0, difference + half))


def _check(truth: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> None:
    if len(truth) == 0:
        raise BadInput("there are no rows to score")
    if len(truth) != len(predicted):
        raise BadInput(f"{len(predicted)} predictions for {len(truth)} rows")


def _confusion(truth: npt.NDArray[Any], predicted: npt.NDArray[Any], labels: int) -> Codes:
    counts = np.bincount(truth * labels + predicted, minlength=labels**2)
    return counts.reshape(labels, labels).astype(np.int64)


def f1_of_labels(confusion: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(labels,) F1 from counts of rows or sums of their weights, 0 where a label does not occur."""
    denominator = confusion.sum(axis=0) + confusion.sum(axis=1)
    none = np.zeros(len(denominator))
    f1: npt.NDArray[np.float64] = np.divide(2.0 * np.diag(confusion), denominator, out=none, where=denominator > 0)
    return f1


def _macro_f1(confusion: Codes) -> float:
    occurring = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return float(f1_of_labels(confusion)[occurring].mean())

"""Learning curves: how good a model is by the number of its labels, and what more labels would bring.

One curve of one seed is mostly luck: seeds move macro-F1 by one to three points. So curves are smoothed to never fall,
and every number comes with an interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import BadInput
from storage.models.worth import MORE, Worth
from training.judge.metrics import NORMAL

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""(points,) numbers of labels, ascending, and (points,) scores."""


def monotone(labels: Sequence[float], scores: Sequence[float]) -> Curve:
    """The non-decreasing curve that is nearest to the points by least squares; points with equal labels are averaged.

    Isotonic regression; Barlow et al., Statistical Inference under Order Restrictions, 1972.
    """
    from scipy.optimize import isotonic_regression

    counts, where, repeats = np.unique(np.asarray(labels, dtype=float), return_inverse=True, return_counts=True)
    means = np.bincount(where, weights=np.asarray(scores, dtype=float)) / repeats
    return counts, np.asarray(isotonic_regression(means, weights=repeats).x)


def labels_to_reach(curve: Curve, score: float) -> float | None:
    """The fewest labels at which the curve has this score, None where the curve ends below.

    Between two points the score grows evenly with the logarithm of the labels, as learning curves nearly do.
    """
    labels, scores = curve
    reached = np.flatnonzero(scores >= score)
    if not len(reached):
        return None
    at = int(reached[0])
    if at == 0:
        return float(labels[0])
    share = (score - scores[at - 1]) / (scores[at] - scores[at - 1])
    low, high = np.log1p(labels[at - 1]), np.log1p(labels[at])
    return float(np.expm1(low + share * (high - low)))


def area(curve: Curve) -> float:
    """The mean score over the curve's range, along the logarithm of the labels; a curve of one point is its score."""
    labels, scores = curve
    if len(labels) == 1:
        return float(scores[0])
    places = np.log1p(labels)
    return float(np.trapezoid(scores, places) / (places[-1] - places[0]))


@dataclass(frozen=True, slots=True)
class Gain:
    """A model with this many labels: its macro-F1 less the first model's on the same rows, and the standard error."""

    labels: int
    gain: float
    error: float


@dataclass(frozen=True, slots=True)
class Growth:
    """gain(n) = beta * log(1 + n / 100), with the standard error of beta."""

    beta: float
    error: float


def grown(first: float, last: float) -> float:
    """How far a learning curve goes on from `first` to `last` labels: the difference of log(1 + n / 100)."""
    return float(np.log1p(last / 100) - np.log1p(first / 100))


def growth(gains: Sequence[Gain], start: int = 0) -> Growth | None:
    """The growth of a curve whose first model has `start` labels, by weighted least squares through that model.

    Learning curves grow about with the logarithm of the labels; the hundred keeps the first labels from counting for
    everything. One curve is mostly luck, and all its points share the rows and the first model. So beta's error grows
    with the scatter of the points around the curve (Birge 1932), and is never below what the newest point alone would
    give. None where no model has more labels than the first. Raises BadInput for an error that is not above zero.
    """
    known = [one for one in gains if one.labels > start]
    if any(one.error <= 0 for one in known):
        raise BadInput("a gain needs a standard error above zero")
    if not known:
        return None
    x = np.array([grown(start, one.labels) for one in known])
    y, weights = np.array([one.gain for one in known]), np.array([one.error for one in known]) ** -2.0
    information = float((weights * x**2).sum())
    beta = float((weights * x * y).sum()) / information
    scatter = float((weights * (y - beta * x) ** 2).sum()) / max(1, len(known) - 1)
    return Growth(beta, float(max(np.sqrt(max(1.0, scatter) / information), known[-1].error / x[-1])))


def worth_of_more(gains: Sequence[Gain], start: int = 0, more: int = MORE) -> Worth | None:
    """What `more` labels would bring on top of the newest model's, which is the last of the gains; None as `growth`."""
    found = growth(gains, start)
    if found is None:
        return None
    ahead = 100 * grown(gains[-1].labels, gains[-1].labels + more)
    half = NORMAL * found.error
    return Worth(points=ahead * found.beta, low=ahead * (found.beta - half), high=ahead * (found.beta + half))

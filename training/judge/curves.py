"""Learning curves: how good a model is by the number of its labels, and what more labels would bring.

One curve of one seed is mostly luck: seeds move macro-F1 by one to three points. So curves are smoothed to never fall,
and every number comes with an interval.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

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

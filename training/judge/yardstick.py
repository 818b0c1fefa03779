"""How many random labels a gain would have cost, by a model that trained on a random share of the labels alone."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import BadInput
from training.judge.evaluate import Evaluation
from training.judge.metrics import codes

Counts = npt.NDArray[np.int64]
DRAWS, SEED = 2000, 0


@dataclass(frozen=True, slots=True)
class Cost:
    """A number of random labels and its 95 % interval; infinity where the random labels brought nothing."""

    labels: float
    low: float
    high: float


def cost_at_random(first: Evaluation, chosen: Evaluation, random: Evaluation, random_labels: int) -> Cost:
    """How many random labels would have brought `chosen` its gain over `first`, as `random` had so many.

    The random model gives beta of gain(n) = beta * log(1 + n / 100) (training/judge/curves.py), and the gain of
    `chosen` is looked up on this curve. The interval is of a bootstrap over the rows, which all three models share.
    Raises BadInput where the rows differ.
    """
    if not first.truth == chosen.truth == random.truth:
        raise BadInput("models are compared on different rows")
    cells, counts = _cells(first, chosen, random)
    scores = [_macro_f1(cells, counts, model, len(first.labels)) for model in range(3)]
    gains, steps = scores[1] - scores[0], (scores[2] - scores[0]) / np.log1p(random_labels / 100)
    costs = np.array([_cost(gain, beta) for gain, beta in zip(gains, steps, strict=True)])
    low, high = np.quantile(costs[1:], [0.025, 0.975], method="inverted_cdf")
    return Cost(float(costs[0]), float(low), float(high))


def _cost(gain: float, beta: float) -> float:
    """Labels on a curve of this beta with this gain: none where there is no gain."""
    if gain <= 0:
        return 0.0
    with np.errstate(over="ignore"):
        return float(100 * np.expm1(gain / beta)) if beta > 0 else float("inf")


def _cells(*evaluations: Evaluation) -> tuple[Counts, Counts]:
    """The distinct rows of (truth, what each model said), and how often each occurs: all rows, then in each draw."""
    labels = evaluations[0].labels
    columns = [codes(evaluations[0].truth, labels), *(codes(one.predicted, labels) for one in evaluations)]
    kinds, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    draws = np.random.default_rng(SEED).multinomial(counts.sum(), counts / counts.sum(), size=DRAWS)
    return kinds, np.concatenate([counts[None, :], draws])


def _macro_f1(cells: Counts, counts: Counts, model: int, labels: int) -> npt.NDArray[np.float64]:
    """(1 + DRAWS,) macro-F1 of a model: on all rows, then on each draw; absent labels are left out as `score` does."""
    names = np.arange(labels)
    true, said = cells[:, :1] == names, cells[:, model + 1, None] == names
    right, total = counts @ (true & said), counts @ true.astype(np.int64) + counts @ said.astype(np.int64)
    f1: npt.NDArray[np.float64] = 2 * right / np.maximum(total, 1)
    return np.asarray(f1.sum(axis=1) / (total > 0).sum(axis=1), dtype=np.float64)

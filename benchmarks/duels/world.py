"""Synthetic pairs of models: the share of texts for each (truth, champion's answer, candidate's answer).

The true difference of macro-F1 is computed from these shares, so that it is known to the last digit.
"""

from dataclasses import dataclass

import numpy as np

from storage.scheme import DEFAULT, find_scheme
from training.judge.difference import Answers, Floats
from training.judge.metrics import Codes, f1_of_labels

LABELS = find_scheme(DEFAULT).names
SHARES = np.array([0.20, 0.65, 0.15])
"""The true labels in the stream, in the scheme's order, about as in the financial tweets."""
HARD = np.array([0.30, 0.45, 0.25])
"""The true labels of texts on which models disagree: the rarer ones are harder."""
RIGHT = np.array([0.72, 0.92, 0.68])
"""How often both models are right, by true label, where they agree."""
NEITHER = 0.18
"""The share of disagreements in which both models are wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """`cells[y, a, b]` is the share of texts that are truly y, and called a by the champion and b by the candidate."""

    cells: Floats

    @property
    def difference(self) -> float:
        """The candidate's macro-F1 less the champion's, among all texts."""
        return _macro_f1(self.cells.sum(axis=1)) - _macro_f1(self.cells.sum(axis=2))

    @property
    def accuracy_difference(self) -> float:
        """The same for accuracy."""
        return float(np.trace(self.cells.sum(axis=1)) - np.trace(self.cells.sum(axis=2)))

    def draw(self, texts: int, generator: np.random.Generator) -> Answers:
        """Texts at random."""
        at = generator.choice(self.cells.size, texts, p=self.cells.ravel())
        return Answers(*np.unravel_index(at, self.cells.shape))

    def follow(self, truth: Codes, champion: Codes, generator: np.random.Generator) -> Codes:
        """(texts,) a new candidate's answers for texts whose truth and champion's answer are given."""
        chances = self.cells[truth, champion]
        upto = np.cumsum(chances / chances.sum(axis=1, keepdims=True), axis=1)
        return np.asarray((generator.random((len(truth), 1)) > upto).sum(axis=1).clip(max=len(SHARES) - 1))


def world(gain: float, disagreement: float = 0.12, *, bold: float = 0.0) -> World:
    """Two models with this true difference of macro-F1, which disagree on this share of texts.

    `bold` moves the candidate from the commonest label to the rare ones: right more often where the truth is rare,
    wrong more often where the truth is common. With a gain of 0 its macro-F1 is the same and its accuracy is not. The
    share of disagreements in which the candidate is right is found by bisection.
    """
    low, high = -0.5, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _world(middle, disagreement, bold).difference < gain else (low, middle)
    return _world((low + high) / 2, disagreement, bold)


def _world(tilt: float, disagreement: float, bold: float) -> World:
    """Where they agree they are right as RIGHT says; else the candidate in half of what NEITHER leaves, plus `tilt`."""
    count = len(SHARES)
    cells = np.zeros((count, count, count))
    agreeing = SHARES - disagreement * HARD
    lean = np.where(np.max(SHARES) == SHARES, -bold, bold)
    for y in range(count):
        others = np.delete(np.arange(count), y)
        wrong = SHARES[others] / SHARES[others].sum()
        cells[y, y, y] = agreeing[y] * RIGHT[y]
        cells[y, others, others] = agreeing[y] * (1 - RIGHT[y]) * wrong
        better = np.clip((1 - NEITHER) / 2 + tilt + lean[y], 0, 1 - NEITHER)
        cells[y, others, y] = disagreement * HARD[y] * better * wrong
        cells[y, y, others] = disagreement * HARD[y] * (1 - NEITHER - better) * wrong
        cells[y, others[0], others[1]] = cells[y, others[1], others[0]] = disagreement * HARD[y] * NEITHER / 2
    return World(cells)


def _macro_f1(confusion: Floats) -> float:
    return float(f1_of_labels(confusion).mean())

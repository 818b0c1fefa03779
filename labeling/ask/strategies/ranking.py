"""Makes a choice of texts from a score for each text: the highest scores, or a draw that favours them.

The highest scores are often alike: a batch of them asks one question many times. A draw by the scores costs nothing
and avoids this.
"""

from collections.abc import Callable

import numpy as np

from labeling.ask.pool import Choice, Pool, Positions, Scores

Score = Callable[[Pool], Scores]
"""The score of each text of a pool, 0 or more."""


def top(score: Score) -> Choice:
    """The texts of the highest scores. Of equal scores the earlier text comes first."""

    def choose(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
        return _highest(score(pool), size)

    return choose


def power(score: Score, beta: float = 1.0) -> Choice:
    """Draws texts without replacement, each with a chance proportional to its score to the power of `beta`.

    The draw takes the highest of beta * log(score) + Gumbel noise. A `beta` of 0 draws uniformly, and a large one takes
    the highest scores. Texts of score 0 are drawn last.

    Power sampling; Kirsch et al., Stochastic Batch Acquisition: A Simple Baseline for Deep Active Learning, 2023.
    """

    def choose(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
        scores = np.maximum(score(pool), np.finfo(np.float64).tiny)
        return _highest(beta * np.log(scores) + draw.gumbel(size=len(scores)), size)

    return choose


def random(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    """Draws texts uniformly, without replacement: what every strategy must beat."""
    return draw.permutation(len(pool))[:size]


def _highest(scores: Scores, size: int) -> Positions:
    return np.argsort(-scores, kind="stable")[:size]

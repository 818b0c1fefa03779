"""The texts that may be asked about, as arrays, and what a query strategy is.

A strategy takes arrays and knows neither model nor store: any classifier can use it, and a test needs no files.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.floating]
"""(texts, labels), rows summing to one."""

Embeddings = npt.NDArray[np.floating]
"""(texts, dimensions): one vector a text, all of one model."""

Scores = npt.NDArray[np.floating]
"""(texts,), the highest is asked first."""

Positions = npt.NDArray[np.integer]
"""(chosen,): rows of the pool, each at most once, the text that is worth most first."""


class Need(StrEnum):
    """What a strategy reads beside the probabilities. Only what is needed is computed."""

    EMBEDDINGS = "embeddings"
    LABELLED = "labelled"
    DROPOUT = "dropout"


@dataclass(frozen=True, slots=True)
class Pool:
    """Row i of each array belongs to text i. An array that the strategy does not need is empty.

    `labelled` and `labelled_probabilities` belong to the rows that the model was trained on. `dropout` has the shape
    (passes, texts, labels): the probabilities of several passes with dropout left on. Where no model has scored the
    texts, `probabilities` has no columns.
    """

    probabilities: Probabilities
    embeddings: Embeddings = field(default_factory=lambda: np.empty((0, 0)))
    labelled: Embeddings = field(default_factory=lambda: np.empty((0, 0)))
    labelled_probabilities: Probabilities = field(default_factory=lambda: np.empty((0, 0)))
    dropout: npt.NDArray[np.floating] = field(default_factory=lambda: np.empty((0, 0, 0)))

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def is_scored(self) -> bool:
        """Whether a model has scored the texts."""
        return self.probabilities.shape[1] > 0

    def at(self, positions: Positions) -> "Pool":
        """The pool of these texts alone, in this order. What was labelled stays."""
        return replace(
            self,
            probabilities=self.probabilities[positions],
            embeddings=self.embeddings[positions] if len(self.embeddings) else self.embeddings,
            dropout=self.dropout[:, positions] if self.dropout.size else self.dropout,
        )


Choice = Callable[[Pool, int, np.random.Generator], Positions]
"""Chooses at most so many texts of a pool; all chance comes from the generator."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to choose, under the name that policies and benchmarks use, and the paper that it comes from."""

    name: str
    choose: Choice
    reference: str
    needs: frozenset[Need] = frozenset()

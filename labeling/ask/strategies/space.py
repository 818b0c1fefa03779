"""Distances between many points, a block at a time: no array of (points, points) is ever made."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from labeling.ask.pool import Embeddings, Positions

ROWS = 4096
"""How many points a block has: times 5,000 other points that is 80 megabytes of distances."""

Distances = npt.NDArray[np.floating]
"""(points, others) or (points,): squared Euclidean distances, 0 or more."""


@dataclass(frozen=True, slots=True)
class Space:
    """Points that are outer products of their rows in each of the factors, each of the shape (points, its dimensions).

    One factor is an ordinary array of points. Of two factors, the point i is the matrix of the two rows i, which is
    never made: the inner product of two points is the product of the inner products in each factor.
    """

    factors: tuple[Embeddings, ...]

    def __len__(self) -> int:
        return len(self.factors[0])

    def norms(self) -> Distances:
        """(points,): the squared length of each point."""
        return reduce(np.multiply, [np.einsum("ij,ij->i", factor, factor) for factor in self.factors])

    def at(self, positions: Positions | slice) -> "Space":
        """The space of these points alone."""
        return Space(tuple(factor[positions] for factor in self.factors))

    def distances(self, others: "Space") -> Distances:
        """(points, others): all distances. Meant for one block of points."""
        inner = reduce(
            np.multiply, [mine @ theirs.T for mine, theirs in zip(self.factors, others.factors, strict=True)]
        )
        inner *= -2
        inner += self.norms()[:, None]
        inner += others.norms()
        return np.maximum(inner, 0, out=inner)


def to_nearest(space: Space, others: Space) -> Distances:
    """(points,): the distance to the nearest of the others, infinite where there are none."""
    found = np.full(len(space), np.inf)
    if len(others):
        for block in blocks(len(space)):
            found[block] = space.at(block).distances(others).min(axis=1)
    return found


def nearest(space: Space, others: Space, count: int) -> tuple[Positions, Distances]:
    """Two arrays of (points, count): the positions of the `count` nearest others, in no order, and their distances.

    There must be `count` others.
    """
    positions = np.empty((len(space), count), dtype=np.intp)
    found = np.empty((len(space), count))
    for block in blocks(len(space)):
        distances = space.at(block).distances(others)
        positions[block] = np.argpartition(distances, count - 1, axis=1)[:, :count]
        found[block] = np.take_along_axis(distances, positions[block], axis=1)
    return positions, found


def blocks(count: int) -> list[slice]:
    """Slices that cover the numbers below `count`."""
    return [slice(start, min(start + ROWS, count)) for start in range(0, count, ROWS)]

"""Strategies that spread a batch over the texts, so that it does not ask one question many times.

BADGE and the core set choose one text after another, each by its distance to those before. To compare all texts with
every new one is slow: the memory is read once for each. Both compare a block of candidates first, and then all texts
with the whole block. The choice is the same.
"""

import numpy as np

from labeling.ask.pool import Pool, Positions
from labeling.ask.strategies.space import Distances, Space, to_nearest

BLOCK = 32
"""How many candidates are compared before all texts are compared with those that were taken."""


def badge(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    """Draws texts that the model doubts and that differ: k-means++ on the gradients of the last layer.

    The gradient of a text, if the likeliest label were right, is the outer product of (probabilities - that label) and
    the embedding. The first text has the longest gradient; each next text is drawn with a chance proportional to the
    squared distance to the nearest one before.

    BADGE; Ash et al., Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds, 2020.
    """
    doubt = np.array(pool.probabilities, dtype=pool.embeddings.dtype)
    doubt[np.arange(len(doubt)), pool.probabilities.argmax(axis=1)] -= 1
    return plus_plus(Space((doubt, pool.embeddings)), size, draw)


def core_set(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    """Takes, one after another, the text that is farthest from its nearest labelled or taken text.

    Without labelled texts the first is the one that is farthest from the mean of the pool.

    k-Center-Greedy; Sener and Savarese, Active Learning for Convolutional Neural Networks: A Core-Set Approach, 2018.
    """
    space = Space((pool.embeddings,))
    start = pool.labelled if len(pool.labelled) else pool.embeddings.mean(axis=0, keepdims=True)
    distances = to_nearest(space, Space((start,)))
    chosen: list[int] = []
    while len(chosen) < min(size, len(pool)):
        taken = _farthest(space, distances, min(size, len(pool)) - len(chosen))
        chosen += taken
        distances = _with(space, distances, taken)
    return np.array(chosen, dtype=np.intp)


def plus_plus(space: Space, size: int, draw: np.random.Generator) -> Positions:
    """The positions that k-means++ draws, in the order of the draw; texts at no distance are drawn last, uniformly."""
    if not len(space) or size < 1:
        return np.empty(0, dtype=np.intp)
    chosen = [int(space.norms().argmax())]
    distances = _with(space, np.full(len(space), np.inf), chosen)
    while len(chosen) < min(size, len(space)):
        mass = np.maximum(distances, 0)
        if not mass.any():
            left = np.flatnonzero(distances >= 0)
            return np.concatenate([chosen, draw.permutation(left)])[:size].astype(np.intp)
        taken = _drawn(space, mass, draw)[: size - len(chosen)]
        chosen += taken
        distances = _with(space, distances, taken)
    return np.array(chosen, dtype=np.intp)


def _drawn(space: Space, mass: Distances, draw: np.random.Generator) -> list[int]:
    """Positions drawn one after another by the distance to the nearest text before: at least one.

    All candidates are drawn by the distances at the begin of the block. A text taken meanwhile can only have shortened
    a candidate's distance, so the candidate is kept with the chance of new distance / old distance, which makes the
    draw exact.
    """
    candidates = draw.choice(len(mass), size=BLOCK, p=mass / mass.sum())
    lots = draw.random(BLOCK)
    block = space.at(candidates)
    between = block.distances(block)
    shortened = mass[candidates].copy()
    taken: list[int] = []
    for one, position in enumerate(candidates.tolist()):
        if position not in taken and lots[one] * mass[position] < shortened[one]:
            taken.append(position)
            np.minimum(shortened, between[one], out=shortened)
    return taken


def _farthest(space: Space, distances: Distances, most: int) -> list[int]:
    """Positions of the farthest texts, one after another: at least one, and at most `most`.

    A distance only shrinks when a text is taken. So a candidate that is still as far as the farthest text outside of
    the block is the farthest of all.
    """
    count = min(BLOCK, len(distances))
    order = np.argpartition(-distances, count - 1)
    candidates, outside = order[:count], order[count:]
    farthest_outside = distances[outside].max() if len(outside) else 0.0
    block = space.at(candidates)
    between, left = block.distances(block), distances[candidates].copy()
    taken: list[int] = []
    while len(taken) < most and left.max() >= max(farthest_outside, 0.0):
        best = int(left.argmax())
        taken.append(int(candidates[best]))
        np.minimum(left, between[best], out=left)
        left[best] = -1
    return taken


def _with(space: Space, distances: Distances, taken: list[int]) -> Distances:
    """The distances after these texts were taken; that of a taken text is -1."""
    shorter = np.minimum(distances, to_nearest(space, space.at(np.array(taken))))
    shorter[taken] = -1
    return shorter

"""Pools of texts that strategies and batches are tested on."""

import numpy as np

from labeling.ask.pool import Pool
from labeling.ask.strategies.registry import STRATEGIES

SEEDED = ("power_margin", "badge", "discriminative", "typical", "random")
"""Strategies in which chance has a say."""

DETERMINISTIC = tuple(name for name in STRATEGIES if name not in SEEDED)


def pool_of(texts: int, labelled: int = 12, seed: int = 0, labels: int = 3, dimensions: int = 6) -> Pool:
    """A pool with every array, drawn by the seed."""
    draw = np.random.default_rng(seed)
    return Pool(
        draw.dirichlet(np.ones(labels), size=texts),
        draw.normal(size=(texts, dimensions)),
        draw.normal(size=(labelled, dimensions)),
        draw.dirichlet(np.ones(labels), size=labelled),
        draw.dirichlet(np.ones(labels), size=(4, texts)),
    )

"""A strategy for few labels: typical texts of every group of texts, instead of those that the model doubts."""

import numpy as np

from labeling.ask.pool import Embeddings, Pool, Positions, Scores
from labeling.ask.strategies.coverage import plus_plus
from labeling.ask.strategies.space import Space, nearest

MOST_CLUSTERS = 500
"""More clusters are too small to have a typical text, as in the paper."""

NEIGHBOURS = 20
"""How many neighbours say how typical a text is, as in the paper."""


def typical(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    """Takes the most typical text of each cluster: first of those with the fewest labelled texts, then of the largest.

    K-means divides labelled texts and pool into (labelled + size) clusters, at most 500. A text is typical by the
    inverse of its mean distance to its 20 nearest texts in its cluster. With more texts wanted than there are clusters,
    the next most typical text of each follows.

    TypiClust; Hacohen, Dekel and Weinshall, Active Learning on a Budget: Opposite Strategies Suit High and Low
    Budgets, 2022.
    """
    size = min(size, len(pool))
    if size < 1:
        return np.empty(0, dtype=np.intp)
    clusters = _clusters(pool, size, draw)
    mine, labelled = clusters[: len(pool)], clusters[len(pool) :]
    counts = np.bincount(mine, minlength=clusters.max() + 1)
    labels = np.bincount(labelled, minlength=len(counts))
    order = [cluster for cluster in np.lexsort((-counts, labels)) if counts[cluster]]
    deep = -(-size // len(order))
    ranked = [_most_typical(pool.embeddings, np.flatnonzero(mine == cluster)) for cluster in order[:size]]
    while sum(len(each[:deep]) for each in ranked) < size:
        deep *= 2
    rounds = [each[place] for place in range(deep) for each in ranked if place < len(each)]
    return np.array(rounds[:size], dtype=np.intp)


def typicality(texts: Embeddings) -> Scores:
    """(texts,): the inverse of the mean distance to the 20 nearest others, or to half of them where there are fewer."""
    count = max(1, min(NEIGHBOURS, len(texts) // 2))
    if len(texts) <= count:
        return np.zeros(len(texts))
    space = Space((texts,))
    _, distances = nearest(space, space, count + 1)  # the nearest of all is the text itself
    return np.asarray(count / np.maximum(np.sqrt(distances).sum(axis=1), np.finfo(np.float32).tiny))


def _clusters(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    """The cluster of each text of the pool, then of each labelled text."""
    from sklearn.cluster import MiniBatchKMeans

    rows = np.concatenate([pool.embeddings, pool.labelled]) if len(pool.labelled) else pool.embeddings
    count = min(len(pool.labelled) + size, MOST_CLUSTERS, len(rows))
    seed = int(draw.integers(2**31))
    start = rows[plus_plus(Space((rows,)), count, draw)]
    means = MiniBatchKMeans(count, init=start, n_init=1, random_state=seed, batch_size=4096, max_iter=10)
    return np.asarray(means.fit_predict(rows))


def _most_typical(embeddings: Embeddings, members: Positions) -> Positions:
    return members[np.argsort(-typicality(embeddings[members]), kind="stable")]

"""Strategies that compare the texts with the labelled texts: where the two differ, a label tells most."""

import warnings

import numpy as np

from labeling.ask.pool import Embeddings, Pool, Positions, Probabilities, Scores
from labeling.ask.strategies.space import Space, blocks, nearest
from storage.errors import BadInput

NEIGHBOURS = 10
"""How many labelled neighbours a text is compared with, as in the paper."""

SUB_ROUNDS = 10
"""In how many parts the discriminative strategy takes a batch, so that the parts differ."""

READ = 5_000
"""At most so many texts of each kind train the discriminator; more make it slower and hardly better."""


def contrastive(pool: Pool) -> Scores:
    """The mean divergence, in nats, of a text's prediction from those of its nearest labelled texts.

    The score is the mean of KL(prediction of the neighbour, prediction of the text) over the 10 nearest labelled texts
    by Euclidean distance. It is high where the model answers differently on texts that are alike to it. Raises BadInput
    where no text is labelled.

    CAL; Margatina et al., Active Learning by Acquiring Contrastive Examples, 2021.
    """
    if not len(pool.labelled):
        raise BadInput("the strategy contrastive compares with labelled texts, and the model was trained on none")
    count = min(NEIGHBOURS, len(pool.labelled))
    neighbours, _ = nearest(Space((pool.embeddings,)), Space((pool.labelled,)), count)
    scores = np.empty(len(pool))
    for block in blocks(len(pool)):
        theirs = pool.labelled_probabilities[neighbours[block]]
        scores[block] = _divergence(theirs, pool.probabilities[block, None]).mean(axis=1)
    return scores


def discriminative(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    """Takes the texts that a logistic regression tells most surely from the labelled texts, by their embeddings.

    The batch is taken in 10 parts. For each part the regression is fitted anew, and the texts taken before count as
    labelled, so that the parts differ. A regression reads at most 5,000 texts of each kind, drawn at random. Where no
    text is labelled, the first part is drawn at random.

    DAL; Gissin and Shalev-Shwartz, Discriminative Active Learning, 2019.
    """
    waiting = np.arange(len(pool))
    chosen = np.empty(0, dtype=np.intp)
    for part in np.array_split(np.arange(min(size, len(pool))), SUB_ROUNDS):
        if len(part):
            known = (
                np.concatenate([pool.labelled, pool.embeddings[chosen]])
                if len(pool.labelled)
                else (pool.embeddings[chosen])
            )
            strange = _strangeness(pool.embeddings, waiting, known, draw)
            order = np.argsort(-strange, kind="stable")[: len(part)]
            chosen = np.concatenate([chosen, waiting[order]])
            waiting = np.delete(waiting, order)
    return chosen


def _divergence(true: Probabilities, said: Probabilities) -> Scores:
    """KL(true, said) over the last axis; a probability of 0 is read as the smallest that float32 holds."""
    least = np.finfo(np.float32).tiny
    true, said = np.maximum(true, least), np.maximum(said, least)
    return np.asarray((true * (np.log(true) - np.log(said))).sum(axis=-1))


def _strangeness(texts: Embeddings, waiting: Positions, known: Embeddings, draw: np.random.Generator) -> Scores:
    """How surely each waiting text is none of the known ones: the regression's value before the logistic function."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if not len(known):
        return np.asarray(draw.random(len(waiting)))
    unknown = texts[np.sort(draw.permutation(waiting)[:READ])]
    known = known[np.sort(draw.permutation(len(known))[:READ])]
    rows = np.concatenate([unknown, known])
    middle, scale = rows.mean(axis=0), rows.std() or 1.0
    model = LogisticRegression(class_weight="balanced", max_iter=50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a rough border ranks the texts as well as the best one
        model.fit((rows - middle) / scale, np.repeat([1, 0], [len(unknown), len(known)]))
    weights = (model.coef_[0] / scale).astype(texts.dtype)
    return np.asarray((texts @ weights)[waiting])

"""Formulas for the doubt of a model: one score for each text, and the text with the highest score is asked first.

The formulas differ in the kind of doubt that comes first. They take arrays and know no model, so that any classifier
can use them.
"""

import numpy as np
import numpy.typing as npt

from labeling.ask.pool import Probabilities, Scores


def margin(probabilities: Probabilities) -> Scores:
    """Uncertainty as one minus the gap between the two likeliest labels, from 0 to 1.

    Breaking ties; Scheffer, Decomain and Wrobel, Active Hidden Markov Models for Information Extraction, 2001.
    """
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(1.0 - (two[:, 1] - two[:, 0]))


def least_confidence(probabilities: Probabilities) -> Scores:
    """Uncertainty as one minus the likeliest label's probability, from 0 to (labels - 1) / labels.

    Least confident; Lewis and Gale, A Sequential Algorithm for Training Text Classifiers, 1994.
    """
    return np.asarray(1.0 - probabilities.max(axis=1))


def entropy(probabilities: Probabilities) -> Scores:
    """Uncertainty as the entropy of the labels in nats, from 0 to log(labels); a label of probability 0 adds none.

    Shannon, A Mathematical Theory of Communication, 1948; as a query strategy in Settles, Active Learning Literature
    Survey, 2009, section 3.1.
    """
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return np.asarray(-(probabilities * logarithms).sum(axis=-1))


def bald(dropout: npt.NDArray[np.floating]) -> Scores:
    """What a label would tell about the weights, in nats: the entropy of the mean minus the mean of the entropies.

    `dropout` is (passes, texts, labels). The score is high where each pass is sure and the passes disagree, and 0 where
    all passes agree, however unsure they are.

    Houlsby et al., Bayesian Active Learning for Classification and Preference Learning, 2011; over dropout passes in
    Gal, Islam and Ghahramani, Deep Bayesian Active Learning with Image Data, 2017.
    """
    return np.asarray(np.maximum(entropy(dropout.mean(axis=0)) - entropy(dropout).mean(axis=0), 0.0))

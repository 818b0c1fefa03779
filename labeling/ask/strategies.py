"""Query strategies: which texts are worth a label, as formulas over a model's probabilities.

A strategy takes arrays and knows no model, so that any classifier can use it. It returns one score for each text, and
the text with the highest score is asked first. The strategies differ in the kind of doubt that comes first.
"""

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.floating]
"""(texts, labels), rows summing to one."""

Scores = npt.NDArray[np.floating]
"""(texts,), the highest is asked first."""


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
    return np.asarray(-(probabilities * logarithms).sum(axis=1))

"""Evaluations without a model, for tests of what is measured on them."""

from collections.abc import Sequence

import numpy as np

from tests.schemes import LABELS
from training.judge.evaluate import Evaluation


def evaluation(truth: Sequence[str], probabilities: Sequence[Sequence[float]], texts: Sequence[str] = ()) -> Evaluation:
    """The answer of each row is its likeliest label."""
    scores = np.array(probabilities, dtype=np.float32)
    said = tuple(LABELS[column] for column in scores.argmax(axis=1))
    read = tuple(texts) or tuple(f"text {row}" for row in range(len(truth)))
    return Evaluation(read, tuple(truth), said, LABELS, scores)

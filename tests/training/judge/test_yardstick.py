"""What a gain would have cost at random, with an interval over the rows that all models share."""

import math

import numpy as np
import pytest

from storage.errors import BadInput
from tests.schemes import LABELS
from training.judge.evaluate import Evaluation
from training.judge.yardstick import cost_at_random

ROWS = 300
TRUTH = tuple(LABELS[index % 3] for index in range(ROWS))


def right_on(share: float) -> Evaluation:
    """A model that is wrong on the last rows; two models differ in where they begin to be wrong."""
    said = tuple(
        label if index < share * ROWS else LABELS[(LABELS.index(label) + 1) % 3] for index, label in enumerate(TRUTH)
    )
    return Evaluation(TRUTH, TRUTH, said, LABELS, np.zeros((ROWS, 3), dtype=np.float32))


def test_the_same_gain_costs_as_many_labels_as_were_random() -> None:
    found = cost_at_random(right_on(0.6), right_on(0.8), right_on(0.8), 45)
    assert (found.labels, found.low, found.high) == pytest.approx((45, 45, 45))


def test_a_higher_gain_costs_more_and_the_interval_contains_the_number() -> None:
    found = [cost_at_random(right_on(0.6), right_on(share), right_on(0.7), 45) for share in (0.7, 0.8, 0.9)]
    assert [one.labels for one in found] == sorted(one.labels for one in found)
    assert found[1].labels == pytest.approx(100 * (1.45**2 - 1))
    assert all(one.low <= one.labels <= one.high for one in found)


def test_random_labels_that_brought_nothing_never_reach_the_gain() -> None:
    found = cost_at_random(right_on(0.6), right_on(0.8), right_on(0.5), 45)
    assert math.isinf(found.labels) and math.isinf(found.high)


def test_equal_models_cost_nothing() -> None:
    found = cost_at_random(right_on(0.6), right_on(0.6), right_on(0.6), 45)
    assert (found.labels, found.low) == (0, 0)


def test_other_rows_are_refused() -> None:
    other = Evaluation(TRUTH[1:], TRUTH[1:], TRUTH[1:], LABELS, np.zeros((ROWS - 1, 3), dtype=np.float32))
    with pytest.raises(BadInput, match="different rows"):
        cost_at_random(right_on(0.6), other, right_on(0.6), 45)

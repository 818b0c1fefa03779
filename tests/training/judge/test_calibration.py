"""Scores are judged by what they promise: the order of rows, squared error, and how often the answer is right."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.schemes import LABELS
from tests.training.judge.evaluations import evaluation
from training.judge.calibration import auc, brier, calibration

ONE, TWO, THREE = LABELS


def drawn(rows: int, honest: bool = True) -> tuple[list[str], list[list[float]]]:
    draw = np.random.default_rng(5)
    scores = draw.dirichlet((1.0, 1.0, 1.0), size=rows)
    truth = [LABELS[draw.choice(3, p=row)] if honest else ONE for row in scores]
    return truth, scores.tolist()


def test_brier_sums_squares_over_labels() -> None:
    found = evaluation([ONE, TWO], [[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]])
    assert brier(found) == pytest.approx((0.25 + 0.09 + 0.04) / 2)


def test_auc_is_that_of_scikit_learn_for_each_label_also_with_ties() -> None:
    truth, scores = drawn(200)
    scores = np.round(scores, 1).tolist()
    found = auc(evaluation(truth, scores))
    for column, label in enumerate(LABELS):
        expected = roc_auc_score([one == label for one in truth], [row[column] for row in scores])
        assert found[label] == pytest.approx(expected)


def test_a_label_that_every_row_has_or_none_has_no_auc() -> None:
    assert auc(evaluation([ONE, ONE], [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]])) == dict.fromkeys(LABELS)


def test_calibration_error_is_the_mean_gap_over_bins_of_equal_mass() -> None:
    scores = [[0.6, 0.4, 0.0]] * 20 + [[0.9, 0.1, 0.0]] * 20
    truth = [ONE] * 16 + [TWO] * 4 + [ONE] * 15 + [TWO] * 5
    found = calibration(evaluation(truth, scores))
    assert found.bins == 2
    assert found.error == pytest.approx((abs(0.8 - 0.6) + abs(0.75 - 0.9)) / 2)


def test_luck_alone_explains_the_error_of_honest_scores_and_not_that_of_others() -> None:
    honest, wrong = (calibration(evaluation(*drawn(1000, honest))) for honest in (True, False))
    assert 0.4 * honest.by_luck < honest.error < 2 * honest.by_luck
    assert wrong.error > 4 * wrong.by_luck

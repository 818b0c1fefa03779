"""Metrics against scikit-learn and by definition; intervals against simulation."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from storage.errors import BadInput
from tests.schemes import LABELS
from training.judge.metrics import influence, paired_difference, score, score_codes, wilson

POSITIVE, NEUTRAL, NEGATIVE = LABELS
PAIRS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)


@settings(max_examples=60)
@given(PAIRS)
def test_scores_are_those_of_scikit_learn_in_any_order_of_the_rows(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    scores = score(truth, predicted, LABELS)
    assert scores.n == len(pairs)
    assert scores.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert scores.macro_f1 == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
    recalls = recall_score(truth, predicted, labels=list(LABELS), average=None, zero_division=0)
    assert [scores.recall[label] or 0.0 for label in LABELS] == pytest.approx(list(recalls))
    assert [label for label in LABELS if scores.recall[label] is None] == [one for one in LABELS if one not in truth]
    assert sum(map(sum, scores.confusion)) == len(pairs)
    assert 0 <= scores.accuracy_interval[0] <= scores.accuracy + 1e-9
    assert scores.accuracy - 1e-9 <= scores.accuracy_interval[1] <= 1
    assert 0 <= scores.macro_f1_interval[0] <= scores.macro_f1_interval[1] <= 1
    assert score(truth[::-1], predicted[::-1], LABELS) == scores
    forth, back = (
        paired_difference(truth, predicted, truth, LABELS),
        paired_difference(truth[::-1], predicted[::-1], truth[::-1], LABELS),
    )
    assert forth == back


def test_confusion_has_truth_in_rows() -> None:
    assert score([POSITIVE], [NEGATIVE], LABELS).confusion == ((0, 0, 1), (0, 0, 0), (0, 0, 0))


def test_a_label_that_never_occurs_is_left_out_of_the_mean_and_one_only_predicted_counts_as_zero() -> None:
    assert score([POSITIVE, NEUTRAL], [POSITIVE, NEUTRAL], LABELS).macro_f1 == 1.0
    missed = score([POSITIVE, NEUTRAL, NEUTRAL], [POSITIVE, NEUTRAL, NEGATIVE], LABELS)
    assert missed.macro_f1 == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert missed.recall[NEGATIVE] is None


def test_no_rows_and_unequal_lengths_are_refused() -> None:
    with pytest.raises(BadInput, match="no rows"):
        score([], [], LABELS)
    with pytest.raises(BadInput, match="1 predictions for 2"):
        score([POSITIVE, NEUTRAL], [POSITIVE], LABELS)


def test_wilson_is_as_published() -> None:
    """Newcombe 1998, table I: 81 of 263 and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_influence_is_how_much_a_row_moves_macro_f1() -> None:
    """Against the derivative by weight: each row is given a little more weight and macro-F1 computed again."""
    truth, predicted = draw(np.random.default_rng(5), 60, right=0.7)
    n, step = len(truth), 1e-6
    confusion = np.array(score_codes(truth, predicted, LABELS).confusion)
    moved_by = influence(confusion)
    for row in range(0, n, 7):
        weights = np.full(n, (1 - step) / n)
        weights[row] += step
        moved = f1_score(truth, predicted, average="macro", sample_weight=weights)
        slope = (moved - f1_score(truth, predicted, average="macro")) / step
        assert moved_by[truth[row], predicted[row]] == pytest.approx(slope, abs=1e-4)
    assert (confusion * moved_by).sum() == pytest.approx(0.0, abs=1e-9)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(11)
    everything = draw(generator, 400_000, right=0.72)
    true_f1 = score_codes(*everything, LABELS).macro_f1
    covered = 0  # of 600: 570 expected, standard deviation 5
    for _ in range(600):
        low, high = score_codes(*draw(generator, 200, right=0.72), LABELS).macro_f1_interval
        covered += low <= true_f1 <= high
    assert 0.925 <= covered / 600 <= 0.975


def test_the_interval_narrows_with_rows_as_measured() -> None:
    generator = np.random.default_rng(2)
    widths = []
    for n in (100, 500):
        spans = [score_codes(*draw(generator, n, right=0.72), LABELS).macro_f1_interval for _ in range(40)]
        widths.append(float(np.mean([high - low for low, high in spans])))
    assert widths[0] == pytest.approx(0.24, abs=0.04)
    assert widths[1] == pytest.approx(0.10, abs=0.02)


def test_the_paired_interval_covers_no_difference_between_equally_good_models() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        truth, one = draw(generator, 300, right=0.72)
        again = answers(generator, truth, right=0.72)
        other = np.where(generator.random(300) < 0.25, again, one)
        low, high = _difference(truth, one, other)
        covered += low <= 0 <= high
    assert 0.92 <= covered / 300 <= 0.99


def test_the_paired_interval_is_narrower_than_two_of_one_model() -> None:
    truth, one = draw(np.random.default_rng(4), 400, right=0.7)
    other = np.where(np.arange(400) % 4 == 0, truth, one)
    low, high = _difference(truth, one, other)
    alone = score_codes(truth, one, LABELS).macro_f1_interval
    assert high - low < 0.6 * (alone[1] - alone[0])
    assert low > 0


def test_equal_models_differ_by_exactly_nothing_and_one_row_proves_nothing() -> None:
    truth = [POSITIVE, NEUTRAL, NEGATIVE] * 5
    same = paired_difference(truth, truth, truth, LABELS)
    assert (same.macro_f1, same.low, same.high) == (0.0, 0.0, 0.0)
    one_worse = [NEUTRAL, *truth[1:]]
    single = paired_difference(truth, one_worse, truth, LABELS)
    assert single.macro_f1 > 0
    assert (single.low, single.high) == (-1.0, 1.0)


def test_perfect_answers_and_rare_labels_still_have_a_width() -> None:
    truth = [POSITIVE] * 10 + [NEUTRAL] * 10 + [NEGATIVE] * 10
    low, high = score(truth, truth, LABELS).macro_f1_interval
    assert low < 0.8
    assert high == pytest.approx(1.0)
    rare = score([*truth, NEGATIVE][:21], [*truth, NEGATIVE][1:22], LABELS).macro_f1_interval
    assert rare[1] - rare[0] > 0.5


Codes = npt.NDArray[np.int64]


def draw(generator: np.random.Generator, n: int, right: float) -> tuple[Codes, Codes]:
    """Truth and answers of a model that is right on `right` of the rows; label shares as in the tweets."""
    truth = generator.choice(3, n, p=[0.20, 0.65, 0.15])
    return truth, answers(generator, truth, right)


def answers(generator: np.random.Generator, truth: Codes, right: float) -> Codes:
    return np.where(generator.random(len(truth)) < right, truth, generator.choice(3, len(truth)))


def _difference(truth: Codes, one: Codes, other: Codes) -> tuple[float, float]:
    y, champion, candidate = ([LABELS[index] for index in codes] for codes in (truth, one, other))
    found = paired_difference(y, champion, candidate, LABELS)
    return found.low, found.high


@pytest.mark.parametrize("count", [2, 5])
@given(data=st.data())
def test_any_number_of_labels_is_scored_as_scikit_learn_does(count: int, data: st.DataObject) -> None:
    labels = tuple(f"label {number}" for number in range(count))
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(labels), st.sampled_from(labels)), min_size=1, max_size=40))
    truth, predicted = [one for one, _ in pairs], [other for _, other in pairs]
    found = score(truth, predicted, labels)
    occurring = sorted({*truth, *predicted})
    assert found.labels == labels
    assert found.macro_f1 == pytest.approx(
        f1_score(truth, predicted, labels=occurring, average="macro", zero_division=0)
    )
    assert list(found.recall) == list(labels)
    assert np.array(found.confusion).tolist() == confusion_matrix(truth, predicted, labels=list(labels)).tolist()
    low, high = found.macro_f1_interval
    assert 0 <= low <= high <= 1
    assert paired_difference(truth, truth, truth, labels).macro_f1 == 0
    worse = paired_difference(truth, truth, predicted, labels)
    assert -1 <= worse.low <= worse.macro_f1 <= worse.high <= 1


@pytest.mark.parametrize("probabilities", [(0.5, 0.5), (0.2, 0.2, 0.2, 0.2, 0.2)])
def test_the_interval_holds_the_true_score_for_any_number_of_labels(probabilities: tuple[float, ...]) -> None:
    """Right 70 % of the time on balanced labels, macro-F1 of a large sample is the truth that 300 rows must cover."""
    count, generator = len(probabilities), np.random.default_rng(9)
    labels = tuple(f"label {number}" for number in range(count))

    def said(n: int) -> tuple[Codes, Codes]:
        truth = generator.choice(count, n, p=probabilities)
        return truth, np.where(generator.random(n) < 0.7, truth, generator.choice(count, n))

    real = score_codes(*said(400_000), labels).macro_f1
    covered = 0
    for _ in range(300):
        low, high = score_codes(*said(300), labels).macro_f1_interval
        covered += low <= real <= high
    assert covered / 300 >= 0.92

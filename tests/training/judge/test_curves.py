"""What labels are worth: the interval is never too narrow, and better curves are never worth less."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import BadInput
from training.judge.curves import Gain, grown, growth, worth_of_more

GAINS = st.lists(
    st.builds(Gain, st.integers(1, 3000), st.floats(-0.2, 0.4), st.floats(0.002, 0.2)), min_size=1, max_size=7
)


def test_a_curve_that_grows_with_the_logarithm_is_found_again() -> None:
    gains = [Gain(count, 0.03 * grown(0, count), 0.01) for count in (100, 250, 700)]
    found, worth = growth(gains), worth_of_more(gains)
    assert found is not None and worth is not None
    assert found.beta == pytest.approx(0.03)
    assert worth.points == pytest.approx(3 * (np.log(9) - np.log(8)))


@given(GAINS, st.data())
def test_a_curve_with_higher_gains_is_never_worth_less(gains: list[Gain], data: st.DataObject) -> None:
    raised = [Gain(one.labels, one.gain + data.draw(st.floats(0, 0.2)), one.error) for one in gains]
    before, after = worth_of_more(gains), worth_of_more(raised)
    assert before is not None and after is not None
    assert after.points >= before.points - 1e-9


@given(GAINS)
def test_the_interval_is_never_narrower_than_the_newest_points_own_error(gains: list[Gain]) -> None:
    newest = worth_of_more(gains[-1:])
    every = worth_of_more(gains)
    assert newest is not None and every is not None
    assert every.high - every.low >= newest.high - newest.low - 1e-9
    assert every.low <= every.points <= every.high


@given(st.lists(st.tuples(st.integers(1, 3000), st.floats(0.002, 0.2)), min_size=1, max_size=7))
def test_models_that_are_equal_make_an_interval_that_contains_nothing(points: list[tuple[int, float]]) -> None:
    worth = worth_of_more([Gain(labels, 0.0, error) for labels, error in points])
    assert worth is not None
    assert worth.low < 0 < worth.high


@given(st.integers(1, 2000), st.floats(0.001, 0.3), st.floats(0.002, 0.2))
def test_more_labels_bring_less_than_the_first_did(labels: int, gain: float, error: float) -> None:
    now = worth_of_more([Gain(labels, gain, error)])
    assert now is not None
    assert now.points < 100 * gain * grown(0, 100) / grown(0, labels) + 1e-9


def test_one_point_beside_the_first_has_its_own_error() -> None:
    found = growth([Gain(300, 0.04, 0.02)])
    assert found is not None
    assert (found.beta, found.error) == pytest.approx((0.04 / grown(0, 300), 0.02 / grown(0, 300)))


def test_points_that_scatter_more_than_their_errors_make_the_interval_wider() -> None:
    smooth, wild = ([Gain(100, 0.01 + by, 0.004), Gain(300, 0.02 - by, 0.004)] for by in (0.0, 0.03))
    narrow, wide = worth_of_more(smooth), worth_of_more(wild)
    assert narrow is not None and wide is not None
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_curve_from_a_first_model_with_labels_counts_from_there() -> None:
    gains = [Gain(400, 0.05 * grown(100, 400), 0.01)]
    found = growth(gains, start=100)
    assert found is not None
    assert found.beta == pytest.approx(0.05)


def test_without_a_model_that_has_more_labels_nothing_is_told() -> None:
    assert worth_of_more([]) is None
    assert worth_of_more([Gain(100, 0.1, 0.01)], start=100) is None


def test_a_gain_without_an_error_is_refused() -> None:
    with pytest.raises(BadInput, match="above zero"):
        growth([Gain(100, 0.1, 0.0)])


def test_ninety_five_of_a_hundred_intervals_contain_the_truth() -> None:
    draw, hits = np.random.default_rng(3), 0
    truth = 100 * 0.02 * grown(400, 500)
    for _ in range(400):
        gains = [Gain(n, 0.02 * grown(0, n) + draw.normal(0, 0.01), 0.01) for n in (100, 200, 400)]
        worth = worth_of_more(gains)
        hits += worth is not None and worth.low <= truth <= worth.high
    assert hits / 400 >= 0.95

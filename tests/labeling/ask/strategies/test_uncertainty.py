"""The formulas that say how unsure a model is."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.ask.pool import Probabilities, Scores
from labeling.ask.strategies.uncertainty import entropy, least_confidence, margin

STRATEGIES = [margin, least_confidence, entropy]
Strategy = Callable[[Probabilities], Scores]


@st.composite
def probabilities(draw: st.DrawFn) -> Probabilities:
    rows = draw(st.lists(st.lists(st.integers(0, 1000), min_size=3, max_size=3).filter(any), min_size=1, max_size=20))
    counts = np.asarray(rows, dtype=np.float64)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def test_margin_is_one_minus_the_gap_of_the_two_likeliest() -> None:
    assert margin(np.array([[0.5, 0.2, 0.3], [0.1, 0.1, 0.8]])) == pytest.approx([0.8, 0.3])


def test_least_confidence_is_one_minus_the_likeliest() -> None:
    assert least_confidence(np.array([[0.5, 0.2, 0.3], [0.1, 0.1, 0.8]])) == pytest.approx([0.5, 0.2])


def test_entropy_counts_a_label_of_probability_zero_as_none() -> None:
    assert entropy(np.array([[0.5, 0.5, 0.0]])) == pytest.approx([np.log(2)])


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(probabilities())
def test_nothing_is_surer_than_certainty_nor_less_sure_than_a_draw(strategy: Strategy, rows: Probabilities) -> None:
    sure, drawn = strategy(np.array([[0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]))
    scores = strategy(rows)
    assert scores.shape == (len(rows),)
    assert sure == pytest.approx(0)
    assert (scores >= sure - 1e-9).all()
    assert (scores <= drawn + 1e-9).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(probabilities())
def test_which_label_is_which_does_not_matter(strategy: Strategy, rows: Probabilities) -> None:
    assert strategy(rows) == pytest.approx(strategy(rows[:, [2, 0, 1]]))

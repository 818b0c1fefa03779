"""The sequential test: boundaries against tables and simulation, and what no history of looks may do."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from storage.errors import BadInput
from storage.models.verdict import Decision
from training.judge.difference import Estimate
from training.judge.sequential import (
    ALPHA,
    POWER,
    Budget,
    Look,
    Looks,
    alpha_spent,
    conditional_power,
    decide,
    information_goal,
    next_look,
)

GAIN = 0.03
GOAL = information_goal(GAIN)
FRACTIONS = st.lists(st.floats(0.001, 1.3), min_size=1, max_size=7)


def looked(fractions: list[float], last_is_final: bool = False) -> Looks:
    looks: Looks = ()
    for number, fraction in enumerate(fractions):
        final = last_is_final and number == len(fractions) - 1
        look = next_look(looks, min(fraction, 1.0), final=final)
        looks = looks if look is None else (*looks, look)
    return looks


def estimate(z: float, fraction: float, freedom: int = 10_000) -> Estimate:
    """An estimate with this z at this share of the planned information."""
    error = float((fraction * GOAL) ** -0.5)
    return Estimate(z * error, error, freedom, np.array([100, 100]), np.ones(2))


def test_five_even_looks_have_the_boundaries_of_the_tables() -> None:
    """Lan and DeMets 1983, O'Brien-Fleming type, one-sided .05."""
    found = [look.boundary for look in looked([0.2, 0.4, 0.6, 0.8, 1.0])]
    assert found == pytest.approx([4.229, 2.888, 2.298, 1.962, 1.740], abs=1e-3)


def test_uneven_looks_spend_what_the_normal_integral_says() -> None:
    fractions = [0.3, 0.45, 0.52, 0.9]
    looks = looked(fractions)
    for upto in range(1, 5):
        t = np.array(fractions[:upto])
        correlation = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
        stays = multivariate_normal(cov=correlation).cdf(np.array([look.boundary for look in looks[:upto]]))
        assert 1 - float(stays) == pytest.approx(alpha_spent(t[-1]), abs=2e-4)


@settings(max_examples=60)
@given(FRACTIONS, st.booleans(), st.floats(0, 1))
def test_no_history_of_looks_spends_more_than_alpha(fractions: list[float], final: bool, allowance: float) -> None:
    first = next_look((), min(fractions[0], 1.0), allowance=allowance)
    assert first is not None and first.alpha <= allowance
    looks: Looks = (first,)
    for number, fraction in enumerate(fractions[1:]):
        look = next_look(looks, min(fraction, 1.0), final=final and number == len(fractions) - 2)
        looks = looks if look is None else (*looks, look)
    assert sum(look.alpha for look in looks) <= ALPHA + 1e-12
    assert all(look.alpha >= 0 for look in looks)
    assert all(one.fraction <= other.fraction for one, other in pairwise(looks))
    assert all(look.boundary >= norm.isf(ALPHA) - 1e-6 for look in looks)


def test_equal_models_cross_in_five_percent_of_histories_even_when_answers_are_taken_back() -> None:
    """A walk whose information shrinks twice: the looks after it, as they come, still promote at most 5 %."""
    generator = np.random.default_rng(7)
    fractions = [0.12, 0.3, 0.27, 0.35, 0.6, 0.5, 0.7, 0.9]
    sums = walk(fractions, generator, 40_000)
    crossed = np.zeros(40_000, dtype=bool)
    looks: Looks = ()
    for number, fraction in enumerate(fractions):
        look = next_look(looks, fraction, final=number == len(fractions) - 1)
        if look is not None:
            looks = (*looks, look)
            crossed |= sums[:, number] / np.sqrt(fraction) >= look.boundary
    assert len(looks) == 6
    assert crossed.mean() == pytest.approx(ALPHA, abs=0.004)


def test_information_that_shrank_is_not_tested_until_it_has_grown_again() -> None:
    looks = looked([0.5])
    assert next_look(looks, 0.4) is None
    assert next_look(looks, 0.5) is None
    grown = next_look(looks, 0.6)
    assert grown is not None
    assert grown.alpha == pytest.approx(alpha_spent(0.6) - alpha_spent(0.5))
    found = decide(estimate(5.0, 0.4), looks, GOAL, GAIN)
    assert (found.decision, found.look, found.looks) == (Decision.UNDECIDED, None, looks)


def test_a_final_look_spends_all_that_is_left_whatever_the_information() -> None:
    for fraction in (0.2, 0.5, 0.7, 1.0):
        last = looked([0.5, fraction], last_is_final=True)[-1]
        assert last.alpha == pytest.approx(ALPHA - alpha_spent(0.5))
        assert norm.isf(ALPHA) < last.boundary <= float(norm.isf(last.alpha)) + 1e-9


def test_more_information_than_planned_ends_the_test_at_the_alpha_that_was_left() -> None:
    looks = looked([0.8])
    found = decide(estimate(1.8, 1.4), looks, GOAL, GAIN)
    assert found.decision is Decision.PROMOTE
    assert decide(estimate(1.6, 1.4), looks, GOAL, GAIN).decision is Decision.REFUSE
    assert sum(look.alpha for look in found.looks) == pytest.approx(ALPHA)


def test_a_test_at_its_end_ends_even_when_hardly_anything_is_new() -> None:
    looks = looked([0.995])
    for z, decision in ((1.5, Decision.REFUSE), (4.0, Decision.PROMOTE)):
        found = decide(estimate(z, 1.0), looks, GOAL, GAIN)
        assert (found.decision, len(found.looks)) == (decision, 2)


def test_what_an_allowance_holds_back_is_spent_by_later_looks() -> None:
    first = next_look((), 0.6, allowance=0.001)
    assert first is not None and first.alpha == 0.001
    second = next_look((first,), 0.8)
    assert second is not None
    assert second.alpha == pytest.approx(alpha_spent(0.8) - 0.001)
    closed = next_look((), 0.6, allowance=0.0)
    assert closed is not None and closed.boundary == float("inf")


@pytest.mark.parametrize(("z", "fraction"), [(0.0, 0.4), (1.2, 0.4), (1.0, 0.8)])
def test_conditional_power_is_how_often_such_a_duel_ends_in_promotion(z: float, fraction: float) -> None:
    looks = looked([fraction])
    drift = GAIN * np.sqrt(GOAL) * (1 - fraction)
    steps = np.random.default_rng(1).normal(drift, np.sqrt(1 - fraction), 100_000)
    last = next_look(looks, 1.0, final=True)
    assert last is not None
    simulated = float((z * np.sqrt(fraction) + steps >= last.boundary).mean())
    assert conditional_power(looks, z, fraction, GAIN, GOAL) == pytest.approx(simulated, abs=0.005)


def test_a_hopeless_duel_is_refused_and_a_hopeful_one_goes_on() -> None:
    assert decide(estimate(-1.0, 0.5), (), GOAL, GAIN).decision is Decision.REFUSE
    hopeful = decide(estimate(1.5, 0.5), (), GOAL, GAIN)
    assert hopeful.decision is Decision.UNDECIDED
    assert 0.2 < hopeful.chance < 1


def test_promotion_begins_exactly_at_the_boundary() -> None:
    look = next_look((), 0.5)
    assert look is not None
    below, at = (decide(estimate(look.boundary + by, 0.5), (), GOAL, GAIN) for by in (-0.01, 0.01))
    assert (below.decision, at.decision) == (Decision.UNDECIDED, Decision.PROMOTE)


def test_few_disagreements_need_a_larger_gain() -> None:
    few, many = (decide(estimate(2.7, 0.5, freedom), (), GOAL, GAIN) for freedom in (12, 10_000))
    assert few.critical > many.critical + 0.2
    assert (few.decision, many.decision) == (Decision.UNDECIDED, Decision.PROMOTE)


def test_nothing_known_is_undecided_and_at_the_end_refused() -> None:
    nothing = Estimate(0.0, float("inf"), 0, np.array([9, 0]), np.ones(2))
    found = decide(nothing, (), GOAL, GAIN)
    assert (found.decision, found.look, found.looks) == (Decision.UNDECIDED, None, ())
    assert found.chance == pytest.approx(POWER)
    assert decide(nothing, (), GOAL, GAIN, final=True).decision is Decision.REFUSE


@given(st.lists(st.floats(0.01, 1), max_size=40))
def test_a_years_promotions_on_the_audit_slice_share_one_alpha(fractions: list[float]) -> None:
    budget = Budget()
    for fraction in fractions:
        look = next_look((), fraction, allowance=budget.allowance)
        assert look is not None
        budget = budget.after(look)
    assert budget.spent <= ALPHA
    assert budget.allowance > 0


def test_one_more_look_never_lowers_the_bar_of_a_history_that_spent_less() -> None:
    """Waiting is free: a test that did not look early has the lower boundary later."""
    patient, eager = looked([0.9]), looked([0.3, 0.5, 0.7, 0.9])
    assert patient[-1].boundary < eager[-1].boundary


def test_the_goal_finds_the_smallest_gain_with_its_power() -> None:
    assert norm.sf(norm.isf(ALPHA) - GAIN * np.sqrt(GOAL)) == pytest.approx(POWER)
    with pytest.raises(BadInput, match="not above zero"):
        information_goal(0.0)


def test_a_look_is_a_value_that_can_be_kept() -> None:
    """A crash between two looks loses nothing: the history alone gives the next boundary."""
    looks = looked([0.3, 0.5])
    again = tuple(Look(look.fraction, look.alpha, look.boundary) for look in looks)
    assert next_look(looks, 0.7) == next_look(again, 0.7)


def walk(fractions: list[float], generator: np.random.Generator, repeats: int) -> npt.NDArray[np.float64]:
    """(repeats, looks) sums of equal models' evidence: a Brownian motion, read at these times in any order."""
    times = np.sort(np.array(fractions))
    steps = generator.normal(size=(repeats, len(times))) * np.sqrt(np.diff(times, prepend=0.0))
    at = np.searchsorted(times, fractions)
    return np.asarray(np.cumsum(steps, axis=1)[:, at])

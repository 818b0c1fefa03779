"""A duel's plan: what is asked for, and that the difference it finds is the true one."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from storage.errors import BadInput
from tests.training.judge.test_difference import COUNT, drawn, taken
from training.judge.difference import AGREE, Answers, Estimate, difference
from training.judge.duel import LEAST, Plan, audit_estimate, labels_left, make_plan, next_draw
from training.judge.sequential import information_goal

GAIN = 0.03
PLAN = Plan(strata=((), ((0, 1),), ((1, 0),), ((1, 2), (2, 1))), shares=(0.8, 0.1, 0.06, 0.04), pool=900, goal=9000.0)
SPREADS = np.array([0.1, 1.0, 2.0, 1.5])


def found(spreads: npt.NDArray[np.float64] = SPREADS) -> Estimate:
    return Estimate(0.0, 0.03, 20, np.zeros(4, dtype=int), spreads)


def plan_of(pool: Answers, audit: Answers, max_labels: int = 200) -> Plan:
    first = audit_estimate(audit, COUNT, pool.champion, pool.candidate)
    return make_plan(pool.champion, pool.candidate, first, GAIN, max_labels)


def test_every_pair_of_answers_has_a_stratum_and_rare_ones_share_the_last() -> None:
    champion = np.array([0] * 100 + [0] * 50 + [1] * 46 + [2] * 2 + [1] * 2)
    candidate = np.array([0] * 100 + [1] * 50 + [0] * 46 + [0] * 2 + [2] * 2)
    plan = make_plan(champion, candidate, found(), GAIN)
    assert plan.strata == ((), ((0, 1),), ((1, 0),), ((1, 2), (2, 0)))
    assert plan.shares == pytest.approx((0.5, 0.25, 0.23, 0.02))
    assert plan.stratum(np.array([1, 0, 1, 2, 2]), np.array([1, 1, 0, 0, 1])).tolist() == [0, 1, 2, 3, 3]


def test_models_that_never_disagree_have_no_duel() -> None:
    with pytest.raises(BadInput, match="agree on all 40 texts"):
        make_plan(np.ones(40, dtype=int), np.ones(40, dtype=int), found(), GAIN)


def test_the_goal_is_what_the_labels_can_reach_but_no_more_than_the_gain_needs() -> None:
    pool, audit = drawn(4000, 1), drawn(300, 2)
    goals = [plan_of(pool, audit, labels).goal for labels in (5, 20, 5000)]
    assert goals[0] < goals[1] < goals[2] == information_goal(GAIN)


def test_a_large_audit_slice_leaves_half_of_the_information_to_the_duel() -> None:
    pool, audit = drawn(4000, 1), drawn(8000, 2)
    first = audit_estimate(audit, COUNT, pool.champion, pool.candidate)
    assert first.information > information_goal(GAIN)
    assert plan_of(pool, audit, 5000).goal == pytest.approx(2 * first.information)
    assert plan_of(pool, audit, 200).goal == pytest.approx(first.information * (1 + 200 / first.freedom))


def test_the_plan_does_not_see_which_model_is_better() -> None:
    pool, audit = drawn(4000, 1), drawn(300, 2)
    forth = plan_of(pool, audit, 20)
    swapped = [Answers(rows.truth, rows.candidate, rows.champion) for rows in (pool, audit)]
    back = plan_of(swapped[0], swapped[1], 20)
    assert back.goal == pytest.approx(forth.goal)
    assert sorted(back.shares) == pytest.approx(sorted(forth.shares))


def test_labels_go_to_strata_by_share_times_spread() -> None:
    draw = next_draw(PLAN, found(), np.zeros(4, dtype=int), np.full(4, 1000), 140)
    wanted = np.array(PLAN.shares[1:]) * SPREADS[1:]
    assert draw[AGREE] == 0
    assert draw[1:] == pytest.approx(140 * wanted / wanted.sum(), abs=1.0)


COUNTS = st.lists(st.integers(0, 30), min_size=4, max_size=4)


@given(COUNTS, COUNTS, st.integers(1, 40), st.lists(st.floats(0, 3), min_size=4, max_size=4))
def test_a_draw_asks_for_all_that_it_may_and_nothing_that_is_not_there(
    asked: list[int], available: list[int], labels: int, spreads: list[float]
) -> None:
    draw = next_draw(PLAN, found(np.array(spreads)), np.array(asked), np.array(available), labels)
    assert draw[AGREE] == 0
    assert (draw >= 0).all() and (draw <= np.array(available)).all()
    assert draw.sum() == min(labels, sum(available[1:]))


def test_a_stratum_without_labels_comes_first_however_little_it_teaches() -> None:
    spreads = np.array([0.1, 3.0, 3.0, 0.0])
    draw = next_draw(PLAN, found(spreads), np.array([90, 40, 40, 0]), np.full(4, 100), 5)
    assert draw[3] == LEAST


def test_the_labels_left_shrink_with_the_information_and_never_pass_the_most() -> None:
    counts = np.array([176, 40, 30, 10])
    half = Estimate(0.0, float((PLAN.goal / 2) ** -0.5), 70, counts, SPREADS)
    assert labels_left(PLAN, half, 60) == 80
    assert labels_left(PLAN, half, 150) == 50
    assert labels_left(PLAN, Estimate(0.0, float((2 * PLAN.goal) ** -0.5), 70, counts, SPREADS), 60) == 0
    assert labels_left(PLAN, Estimate(0.0, float("inf"), 0, counts, SPREADS), 30) == 170


def test_a_duel_in_batches_finds_the_true_difference_and_its_error() -> None:
    """Audit rows and six draws of ten, each by what the draws before it taught: two-sided 90 % hold the truth."""
    generator, population = np.random.default_rng(3), drawn(400_000, 98)
    true = difference(population, COUNT).gain
    gains, outside = [], 0
    for _ in range(250):
        audit, pool = (taken(population, generator.integers(0, len(population), n)) for n in (200, 3000))
        plan, rows = plan_of(pool, audit), audit
        strata = plan.stratum(pool.champion, pool.candidate)
        left = [list(generator.permutation(np.flatnonzero(strata == number))) for number in range(len(plan.shares))]
        for _ in range(6):
            now = plan.estimate(rows, COUNT)
            have = np.bincount(plan.stratum(rows.champion, rows.candidate), minlength=len(left))
            draw = next_draw(plan, now, have, np.array([len(one) for one in left]))
            chosen = [one.pop() for one, number in zip(left, draw, strict=True) for _ in range(number)]
            rows = joined(rows, taken(pool, np.array(chosen)))
        last = plan.estimate(rows, COUNT)
        gains.append(last.gain)
        outside += abs(last.gain - true) > float(t.isf(0.05, last.freedom)) * last.error
    assert np.mean(gains) == pytest.approx(true, abs=0.005)
    assert 0.05 <= outside / 250 <= 0.15


def joined(one: Answers, other: Answers) -> Answers:
    columns = ((one.truth, other.truth), (one.champion, other.champion), (one.candidate, other.candidate))
    return Answers(*(np.concatenate(pair) for pair in columns))

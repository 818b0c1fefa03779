"""The difference of two models: against the plain formula, against derivatives, and its error against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from storage.errors import BadInput
from tests.schemes import LABELS
from training.judge.difference import Answers, Estimate, Floats, difference, stratified_difference
from training.judge.metrics import Codes, paired_difference

COUNT = len(LABELS)
ROWS = st.lists(st.tuples(*[st.integers(0, COUNT - 1)] * 3), min_size=6, max_size=60)


def answers(rows: list[tuple[int, ...]] | list[list[int]]) -> Answers:
    return Answers(*np.array(rows, dtype=np.int64).T)


def by_agreement(rows: Answers, share: float, pool: int | None = None) -> Estimate:
    """In two strata, of which the second, where the models disagree, has this share of all texts."""
    return stratified_difference(rows, COUNT, rows.disagree.astype(int), np.array([1 - share, share]), pool)


@given(ROWS)
def test_random_rows_give_the_plain_difference_and_the_interval_of_the_metrics(rows: list[tuple[int, ...]]) -> None:
    given_rows = [*rows, *((label, label, label) for label in range(COUNT)), (0, 0, 1), (1, 2, 1)]
    found = difference(answers(given_rows), COUNT)
    y, old, new = ([LABELS[row[at]] for row in given_rows] for at in range(3))
    plain = paired_difference(y, old, new, LABELS)
    assert found.gain == pytest.approx(plain.macro_f1)
    if plain.high < 1 and plain.low > -1:
        assert float(t.ppf(0.975, found.freedom)) * found.error == pytest.approx(plain.high - plain.macro_f1)


@given(ROWS, st.floats(0.05, 0.6))
def test_swapping_the_models_negates_the_gain_and_keeps_the_error(rows: list[tuple[int, ...]], share: float) -> None:
    one = answers(rows)
    other = Answers(one.truth, one.candidate, one.champion)
    forth, back = by_agreement(one, share, 500), by_agreement(other, share, 500)
    assert forth.gain == pytest.approx(-back.gain)
    assert forth.error == pytest.approx(back.error)
    assert forth.spreads == pytest.approx(back.spreads, abs=1e-6)


@given(ROWS, st.floats(0.05, 0.6), st.integers(2, 5))
def test_asking_more_often_where_the_models_disagree_does_not_move_the_gain(
    rows: list[tuple[int, ...]], share: float, times: int
) -> None:
    once = [*rows, (0, 0, 0), (1, 1, 1), (2, 2, 2), (0, 0, 1), (1, 2, 1)]
    more = once + [row for row in once if row[1] != row[2]] * (times - 1)
    assert by_agreement(answers(more), share).gain == pytest.approx(by_agreement(answers(once), share).gain)


def test_the_gain_is_that_of_the_texts_and_not_of_the_rows_asked_for() -> None:
    """Nine in ten texts agree and are right; among the disagreeing tenth the candidate is always right."""
    asked = [[label, label, label] for label in (0, 1, 2)] * 10 + [[0, 1, 0], [1, 2, 1], [2, 0, 2]] * 40
    everything = [[label, label, label] for label in (0, 1, 2)] * 90 + [[0, 1, 0], [1, 2, 1], [2, 0, 2]] * 10
    assert by_agreement(answers(asked), 0.1).gain == pytest.approx(difference(answers(everything), COUNT).gain)
    assert by_agreement(answers(asked), 0.1).gain == pytest.approx(0.1)
    assert difference(answers(asked), COUNT).gain == pytest.approx(0.8)


def test_nine_times_the_disagreeing_rows_make_the_error_a_third() -> None:
    agreeing = [row for row in rows_of(drawn(4000, 1)) if row[1] == row[2]]
    disagreeing = [row for row in rows_of(drawn(400, 0)) if row[1] != row[2]]
    wide, narrow = (by_agreement(answers(agreeing + disagreeing * times), 0.1).error for times in (1, 9))
    assert wide / narrow == pytest.approx(3, rel=0.05)


def test_near_duplicates_count_as_one_row() -> None:
    rows = rows_of(drawn(120, 3))
    alone = difference(answers(rows), COUNT)
    twice = answers([row for row in rows for _ in range(2)])
    clusters = np.repeat(np.arange(len(rows)), 2)
    together = difference(Answers(twice.truth, twice.champion, twice.candidate, clusters), COUNT)
    assert together.error == pytest.approx(alone.error, rel=0.02)
    assert difference(twice, COUNT).error == pytest.approx(alone.error / np.sqrt(2), rel=0.02)


def test_a_small_pool_leaves_the_shares_of_the_strata_open() -> None:
    rows = drawn(300, 4)
    assert by_agreement(rows, 0.3, pool=60).error > 1.02 * by_agreement(rows, 0.3, pool=None).error


def test_nothing_is_known_before_each_stratum_has_two_rows() -> None:
    for rows in ([[0, 0, 0]] * 20, [[0, 0, 0]] * 20 + [[0, 0, 1]], [[0, 0, 1], [1, 0, 1], [0, 0, 0]]):
        found = by_agreement(answers(rows), 0.1)
        assert (found.error, found.information, found.z) == (float("inf"), 0.0, 0.0)


def test_a_stratum_of_equal_rows_still_has_an_error() -> None:
    """Three rows that the candidate got right do not prove that it always is."""
    some = rows_of(drawn(400, 5))
    even = [[0, 1, 0]] * 3
    mixed = [row for row in some if row[1] != row[2] and row[1:] != [1, 0]]
    agreeing = [row for row in some if row[1] == row[2]]
    rows = answers(agreeing + mixed + even)
    strata = np.array([0] * len(agreeing) + [1] * len(mixed) + [2] * len(even))
    found = stratified_difference(rows, COUNT, strata, np.array([0.8, 0.0, 0.2]), None)
    assert found.error > 0.05


def test_lengths_and_shares_that_do_not_fit_are_refused() -> None:
    rows = drawn(20, 0)
    with pytest.raises(BadInput, match="different lengths"):
        Answers(rows.truth, rows.champion[:5], rows.candidate)
    with pytest.raises(BadInput, match="strata for 20 rows"):
        stratified_difference(rows, COUNT, np.zeros(3, dtype=int), np.ones(1), None)
    with pytest.raises(BadInput, match=r"sum to 0\.500"):
        stratified_difference(rows, COUNT, np.zeros(20, dtype=int), np.array([0.5]), None)


@pytest.mark.parametrize("asked", [(176, 40), (100, 120)])
def test_intervals_of_unequal_draws_cover_the_true_difference(asked: tuple[int, int]) -> None:
    """Rows drawn by agreement at rates far from the shares: 95 % intervals hold the truth in 93 to 97.5 %."""
    generator = np.random.default_rng(12)
    population = drawn(400_000, 99)
    true = difference(population, COUNT).gain
    places = [np.flatnonzero(population.disagree == kind) for kind in (False, True)]
    share, gains, covered = float(population.disagree.mean()), [], 0
    for _ in range(800):
        chosen = np.concatenate([generator.choice(one, n) for one, n in zip(places, asked, strict=True)])
        found = by_agreement(taken(population, chosen), share)
        gains.append(found.gain)
        covered += abs(found.gain - true) <= float(t.ppf(0.975, found.freedom)) * found.error
    assert 0.93 <= covered / 800 <= 0.975
    assert np.mean(gains) == pytest.approx(true, abs=0.003)


SHARES = np.array([0.20, 0.65, 0.15])


def drawn(n: int, seed: int) -> Answers:
    """Random rows of a champion right on 75 % and of a candidate that calls the common label by rare ones too often."""
    generator = np.random.default_rng(seed)
    truth: Codes = generator.choice(COUNT, n, p=SHARES)
    champion = np.where(generator.random(n) < 0.7, truth, generator.choice(COUNT, n, p=SHARES))
    again: Floats = generator.random(n)
    bold = np.where(truth == 1, generator.choice(COUNT, n, p=[0.3, 0.5, 0.2]), truth)
    return Answers(truth, champion, np.where(again < 0.2, bold, champion))


def rows_of(rows: Answers) -> list[list[int]]:
    return [list(map(int, row)) for row in zip(rows.truth, rows.champion, rows.candidate, strict=True)]


def taken(rows: Answers, places: Codes) -> Answers:
    return Answers(rows.truth[places], rows.champion[places], rows.candidate[places])

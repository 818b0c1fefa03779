"""Strategies are found by name, and a user's own is checked."""

import numpy as np
import pytest

from labeling.ask.pool import Choice, Need, Pool, Positions, Strategy
from labeling.ask.strategies.registry import STRATEGIES, checked_choice, find_strategy
from storage.errors import BadInput
from tests.labeling.ask.pools import pool_of

OWN = f"{__name__}:last"


def last(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    return np.arange(len(pool))[::-1][:size]


def greedy(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    return last(pool, size, draw)


greedy.needs = {"embeddings"}  # type: ignore[attr-defined]


def hungry(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    return last(pool, size, draw)


hungry.needs = {"gold"}  # type: ignore[attr-defined]


def test_every_strategy_is_found_by_its_name_and_has_a_reference() -> None:
    assert [find_strategy(name).name for name in STRATEGIES] == list(STRATEGIES)
    assert all(strategy.reference for strategy in STRATEGIES.values())


def test_a_users_function_is_a_strategy() -> None:
    strategy = find_strategy(OWN)
    assert (strategy.name, strategy.needs) == (OWN, frozenset())
    assert checked_choice(strategy, pool_of(5), 2, np.random.default_rng(0)).tolist() == [4, 3]


def test_a_users_function_says_what_it_needs() -> None:
    assert find_strategy(f"{__name__}:greedy").needs == {Need.EMBEDDINGS}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gut_feeling", "the names are least_confidence, margin"),
        ("no_such_module:last", "cannot be imported"),
        (f"{__name__}:first", "cannot be imported"),
        ("not a module:last", "cannot be imported"),
        (f"{__name__}:OWN", "is a str, which cannot be called"),
        (f"{__name__}:hungry", "gold"),
    ],
)
def test_what_is_no_strategy_is_refused(name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        find_strategy(name)


def returning(value: object) -> Choice:
    return lambda pool, size, draw: value  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([0, 0], "a text twice"),
        ([0, 5], "a row that the pool of 5 texts does not have"),
        ([-1], "a row that the pool"),
        ([0, 1, 2], "3 texts, where at most 2"),
        ([0.5], "float64 numbers"),
        ([True, False], "bool numbers"),
        ([[0, 1]], "2 dimensions"),
        (None, "0 dimensions"),
    ],
)
def test_what_is_no_choice_is_refused_by_the_strategys_name(value: object, said: str) -> None:
    with pytest.raises(BadInput, match=f"the strategy mine returned.*{said}"):
        checked_choice(Strategy("mine", returning(value), ""), pool_of(5), 2, np.random.default_rng(0))


def test_a_pool_without_what_is_needed_is_refused() -> None:
    pool = Pool(pool_of(5).probabilities)
    for name in ("badge", "bald"):
        with pytest.raises(BadInput, match=f"{name} needs"):
            checked_choice(STRATEGIES[name], pool, 2, np.random.default_rng(0))


def test_a_strategy_that_fails_is_named() -> None:
    def choose(pool: Pool, size: int, draw: np.random.Generator) -> Positions:
        return pool.probabilities[:, 99].argsort()

    with pytest.raises(BadInput, match="the strategy mine failed: IndexError"):
        checked_choice(Strategy("mine", choose, ""), pool_of(5), 2, np.random.default_rng(0))

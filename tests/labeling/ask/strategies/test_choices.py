"""What every strategy of the registry keeps to, and the formulas against slow ones that are easy to read."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.ask.pool import Positions
from labeling.ask.strategies import coverage
from labeling.ask.strategies.contrast import NEIGHBOURS, contrastive
from labeling.ask.strategies.coverage import badge, core_set
from labeling.ask.strategies.ranking import power
from labeling.ask.strategies.registry import STRATEGIES, checked_choice
from labeling.ask.strategies.space import Space
from labeling.ask.strategies.typical import typical
from labeling.ask.strategies.uncertainty import bald
from storage.errors import BadInput
from tests.labeling.ask.pools import DETERMINISTIC, pool_of


def chosen(name: str, texts: int, size: int, seed: int = 0) -> Positions:
    return checked_choice(STRATEGIES[name], pool_of(texts, seed=seed), size, np.random.default_rng(seed))


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=10)
@given(texts=st.integers(1, 80), size=st.integers(1, 100), seed=st.integers(0, 99))
def test_a_choice_has_distinct_texts_and_is_as_large_as_it_can_be(name: str, texts: int, size: int, seed: int) -> None:
    assert len(chosen(name, texts, size, seed)) == min(texts, size)


@pytest.mark.parametrize("name", STRATEGIES)
def test_one_seed_gives_one_choice(name: str) -> None:
    assert chosen(name, 90, 20, 5).tolist() == chosen(name, 90, 20, 5).tolist()


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_the_order_of_the_pool_does_not_matter(name: str) -> None:
    pool, order = pool_of(80), np.random.default_rng(3).permutation(80)
    straight = checked_choice(STRATEGIES[name], pool, 20, np.random.default_rng(0))
    shuffled = checked_choice(STRATEGIES[name], pool.at(order), 20, np.random.default_rng(1))
    assert order[shuffled].tolist() == straight.tolist()


@pytest.mark.parametrize("name", ["core_set", "discriminative", "typical"])
def test_a_model_without_labelled_texts_can_ask(name: str) -> None:
    pool = replace(pool_of(50), labelled=np.empty((0, 0)))
    assert len(checked_choice(STRATEGIES[name], pool, 8, np.random.default_rng(0))) == 8


def test_contrast_without_labelled_texts_is_refused() -> None:
    with pytest.raises(BadInput, match="contrastive"):
        contrastive(replace(pool_of(5), labelled=np.empty((0, 0))))


def test_bald_is_the_mean_divergence_of_the_passes_from_their_mean() -> None:
    dropout = pool_of(7).dropout
    mean = dropout.mean(axis=0)
    assert bald(dropout) == pytest.approx((dropout * np.log(dropout / mean)).sum(axis=2).mean(axis=0))


def test_bald_is_zero_where_all_passes_are_equally_unsure() -> None:
    assert bald(np.full((3, 1, 2), 0.5)) == pytest.approx(0)


def test_a_product_has_the_distances_of_the_outer_products() -> None:
    pool = pool_of(9)
    gradients = np.einsum("il,id->ild", pool.probabilities, pool.embeddings).reshape(9, -1)
    space = Space((pool.probabilities, pool.embeddings))
    slow = ((gradients[:, None] - gradients[None]) ** 2).sum(axis=2)
    assert space.distances(space) == pytest.approx(slow, abs=1e-9)


def test_badge_draws_by_the_squared_distance_of_the_gradients() -> None:
    pool = pool_of(6)
    doubt = pool.probabilities - np.eye(3)[pool.probabilities.argmax(axis=1)]
    gradients = np.einsum("il,id->ild", doubt, pool.embeddings).reshape(6, -1)
    first = (gradients**2).sum(axis=1).argmax()
    mass = ((gradients - gradients[first]) ** 2).sum(axis=1)
    left = np.minimum(mass, ((gradients[:, None] - gradients[None]) ** 2).sum(axis=2))  # row: the second text
    third = (mass / mass.sum()) @ (left / left.sum(axis=1, keepdims=True))
    draws = np.array([badge(pool, 3, np.random.default_rng(seed)) for seed in range(4000)])
    assert set(draws[:, 0].tolist()) == {first}
    assert np.bincount(draws[:, 1], minlength=6) / 4000 == pytest.approx(mass / mass.sum(), abs=0.03)
    assert np.bincount(draws[:, 2], minlength=6) / 4000 == pytest.approx(third, abs=0.03)


def test_core_set_takes_the_farthest_text_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "BLOCK", 5)
    pool, expected = pool_of(60), list[int]()
    for _ in range(25):
        known = np.concatenate([pool.labelled, pool.embeddings[expected]])
        distances = ((pool.embeddings[:, None] - known[None]) ** 2).sum(axis=2).min(axis=1)
        expected.append(int(distances.argmax()))
    assert core_set(pool, 25, np.random.default_rng(0)).tolist() == expected


def test_contrast_is_the_mean_divergence_from_the_nearest_labelled_texts() -> None:
    pool = pool_of(8, labelled=30)
    for position, score in enumerate(contrastive(pool)):
        distances = ((pool.labelled - pool.embeddings[position]) ** 2).sum(axis=1)
        theirs = pool.labelled_probabilities[np.argsort(distances)[:NEIGHBOURS]]
        assert score == pytest.approx((theirs * np.log(theirs / pool.probabilities[position])).sum(axis=1).mean())


def test_a_text_unlike_the_labelled_ones_is_asked_and_not_its_twin() -> None:
    pool = pool_of(40)
    pool.embeddings[:] = 0.1 * pool.embeddings + pool.labelled[0]
    pool.embeddings[[4, 17]] += 9
    choice = checked_choice(STRATEGIES["discriminative"], pool, 2, np.random.default_rng(0))
    assert choice[0] in {4, 17}
    assert choice[1] not in {4, 17}  # the twin is like a text that is asked already


def test_typical_asks_the_middle_of_each_group_that_has_no_label() -> None:
    draw = np.random.default_rng(0)
    middles = np.array([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]])
    group = np.repeat([0, 1, 2], [30, 40, 50])
    embeddings = middles[group] + draw.normal(size=(120, 2))
    embeddings[[0, 30, 70]] = middles + 2.5  # the least typical of each
    pool = replace(pool_of(120), embeddings=embeddings, labelled=middles[:1] + 0.1)
    choice = typical(pool, 2, np.random.default_rng(0))
    assert group[choice].tolist() == [2, 1]
    assert not set(choice.tolist()) & {30, 70}


def test_power_draws_by_the_score() -> None:
    pool, scores = pool_of(4), np.array([0.0, 1.0, 2.0, 5.0])
    draws = [power(lambda _: scores)(pool, 1, np.random.default_rng(seed))[0] for seed in range(4000)]
    assert np.bincount(draws, minlength=4) / 4000 == pytest.approx(scores / 8, abs=0.03)

"""The simulated models are as good as they are said to be, and the gate's benchmark judges by the product's rule."""

import numpy as np
import pytest

from benchmarks.duels.offers import fixed, gate, offer
from benchmarks.duels.world import LABELS, SHARES, world
from benchmarks.gate import GAINS, wald_share, worlds
from training.judge.difference import difference
from training.judge.sequential import Budget


@pytest.mark.parametrize("name", GAINS)
@pytest.mark.parametrize("disagreement", [0.08, 0.16])
def test_a_world_has_the_difference_and_the_disagreement_of_its_name(name: str, disagreement: float) -> None:
    pair = worlds(disagreement)[name]
    assert pair.difference == pytest.approx(GAINS[name], abs=1e-9)
    assert pair.cells.sum(axis=(1, 2)) == pytest.approx(SHARES)
    assert 1 - np.einsum("yaa->", pair.cells) == pytest.approx(disagreement)
    assert (pair.cells >= 0).all()


def test_a_large_draw_has_the_difference_of_its_world() -> None:
    found = difference(world(0.03).draw(300_000, np.random.default_rng(1)), len(LABELS))
    assert found.gain == pytest.approx(0.03, abs=4 * found.error)
    assert found.error < 0.001


def test_a_bold_candidate_is_as_good_in_macro_f1_and_worse_in_accuracy() -> None:
    assert worlds(0.12)["equal_bold"].accuracy_difference == pytest.approx(-0.01, abs=0.002)


def test_a_candidate_that_follows_an_equal_one_is_equal_too() -> None:
    generator, pair = np.random.default_rng(2), world(0.0)
    rows = pair.draw(200_000, generator)
    after = pair.follow(rows.truth, rows.champion, generator)
    assert (after != rows.champion).mean() == pytest.approx(0.12, abs=0.003)
    assert (after == rows.truth).mean() == pytest.approx((rows.champion == rows.truth).mean(), abs=0.003)


def test_walds_shares_are_those_of_the_issue() -> None:
    assert wald_share(0.0, 0.8) == pytest.approx(0.43, abs=0.01)
    assert wald_share(0.03, 0.8) == pytest.approx(0.62, abs=0.01)
    assert wald_share(0.06, 0.8) is None


def test_the_gate_tells_much_better_from_worse_with_few_labels() -> None:
    generator = np.random.default_rng(3)
    for name, promoted in (("worse_2", 0), ("better_6", 12)):
        pair = worlds(0.12)[name]
        offers = [offer(pair, pair.draw(200, generator), generator, longest=200) for _ in range(12)]
        outcomes = [gate(one, Budget())[0] for one in offers]
        assert sum(one.promoted for one in outcomes) == promoted
        assert np.mean([one.labels for one in outcomes]) < 100
        assert abs(sum(fixed(one, 20) for one in offers) - promoted) <= 1

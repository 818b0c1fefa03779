"""Labels are no longer needed when models agree again and again, not when two models agree once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.schemes import LABELS
from training.judge.stopping import COMPARISONS, is_stable, kappa

SAID = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)


@given(SAID)
def test_kappa_is_the_same_both_ways_and_full_for_full_agreement(pairs: list[tuple[str, str]]) -> None:
    one, other = [mine for mine, _ in pairs], [theirs for _, theirs in pairs]
    assert kappa(one, other) == pytest.approx(kappa(other, one))
    assert kappa(one, one) == pytest.approx(1)
    if one != other:
        assert kappa(one, other) < 1


def test_agreement_by_chance_is_worth_nothing() -> None:
    one, other = ["positive", "positive", "neutral", "neutral"], ["positive", "neutral", "positive", "neutral"]
    assert kappa(one, other) == pytest.approx(0)
    assert kappa(["neutral"] * 9 + ["positive"], ["neutral"] * 10) == pytest.approx(0)


def test_kappa_of_different_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="2 labels with 1"):
        kappa(["neutral", "neutral"], ["neutral"])


def test_one_agreement_is_not_enough_and_the_last_ones_count() -> None:
    assert not is_stable([1.0] * (COMPARISONS - 1))
    assert is_stable([0.2] + [1.0] * COMPARISONS)
    assert not is_stable([1.0] * COMPARISONS + [0.9])

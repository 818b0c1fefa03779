"""Versions are compared on the same texts, and annotators are asked less where labels change nothing."""

from pathlib import Path

import pytest

from flows.steps.asking import due
from flows.steps.score import score_texts
from flows.steps.stability import stability
from flows.steps.worth import keep
from flows.wiring.parts import Parts
from storage.models.stability import Stability
from tests.fixtures_home import put_text, sentence
from tests.flows.steps.test_worth import version
from tests.schemes import LABELS


def compared(parts: Parts, model: Path, shifts: list[float]) -> Stability | None:
    """The newest of some versions, each after new labels, compared with those before it."""
    for number in range(6):
        put_text(parts, sentence(number, "waits in the stream"))
    made = [version(parts, model, labels=min(one, 1), shift=shift) for one, shift in enumerate(shifts)]
    score_texts(parts.texts, parts.registry, made[0], LABELS, 32)
    return stability(made[-1], parts.registry, parts.texts, parts.scheme)


def test_versions_that_say_the_same_again_and_again_are_stable(parts: Parts, tiny_model: Path) -> None:
    found = compared(parts, tiny_model, [0.0] * 4)
    assert found is not None
    assert (found.stable, found.texts, len(found.versions)) == (True, 9, 4)
    assert found.kappas == pytest.approx((1, 1, 1))
    assert "(kappa 1.00)" in found.sentence and found.sentence.endswith("ask for fewer")


def test_versions_that_differ_are_not(parts: Parts, tiny_model: Path) -> None:
    found = compared(parts, tiny_model, [0.0, 0.0, 0.0, 9.0])
    assert found is not None
    assert not found.stable
    assert found.agreements[-1] < 1
    assert found.sentence.endswith("labels still change the model")


def test_two_versions_that_agree_once_are_not_stable(parts: Parts, tiny_model: Path) -> None:
    found = compared(parts, tiny_model, [0.0, 0.0])
    assert found is not None
    assert not found.stable


def test_one_version_is_compared_with_nothing(parts: Parts, tiny_model: Path) -> None:
    assert compared(parts, tiny_model, [0.0]) is None


@pytest.mark.parametrize(("stable", "wanted"), [(True, 50), (False, 100)])
def test_half_is_asked_for_where_labels_change_nothing(
    parts: Parts, tiny_model: Path, stable: bool, wanted: int
) -> None:
    made = version(parts, tiny_model, labels=0, shift=0)
    said = Stability(
        texts=9, versions=("1", "2"), agreements=(1.0,), kappas=(1.0,), uncertainties=(0.2, 0.1), stable=stable
    )
    keep(made.version, parts.registry, stability=said)
    size, why = due(100, parts.registry.resolve(made.version))
    assert size == wanted
    assert bool(why) is stable
    assert due(100, None) == (100, "")

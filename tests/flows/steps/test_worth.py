"""The learning curve is of versions of one recipe, run on the same audit rows, which none of them trained near."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.cli.status import standing
from flows.steps.worth import MOST, keep, learning_curve, milestones
from flows.wiring.parts import Parts
from storage.models.registry import ModelVersion
from storage.models.unlabelled import UNLABELLED, write_unlabelled
from storage.models.worth import LEAST_AUDIT_ROWS, Evidence, LearningCurve
from storage.records import Purpose, Split
from tests.deployments.serving.models import flip_a_bit
from tests.fixtures_home import NEWS, a_verdict, answer, build, decide, recipe_hash, register, sentence


def version(parts: Parts, model: Path, *, labels: int, shift: float, promoted: bool = True) -> ModelVersion:
    """A judged version after so many new labels."""
    known = len(parts.labels.trainable())
    for index in range(known, known + labels):
        answer(parts, sentence(index, "sharply dropped"), "negative")
    dataset = build(parts)
    made = register(parts, model, dataset.version, recipe_hash(parts), shift=shift)
    decide(parts, dataset, a_verdict(made.version, promoted=promoted, dataset=dataset.version))
    return parts.registry.resolve(made.version)


def audited(parts: Parts, count: int = LEAST_AUDIT_ROWS) -> None:
    for index in range(count):
        label = list(NEWS)[index % 3]
        answer(parts, sentence(1000 + index, f"audited {NEWS[label]}"), label, Purpose.AUDIT)


def damage_weights(folder: Path) -> None:
    flip_a_bit(folder / "model.safetensors")


def damage_texts(folder: Path) -> None:
    flip_a_bit(folder / UNLABELLED)


def curve(parts: Parts, candidate: ModelVersion) -> LearningCurve:
    return learning_curve(candidate, parts.registry, parts.labels, parts.datasets, parts.scheme).curve


def test_the_versions_of_a_recipe_stand_on_one_curve_by_their_labels(parts: Parts, tiny_model: Path) -> None:
    audited(parts)
    ran = [version(parts, tiny_model, labels=many, shift=shift) for many, shift in ((0, 0.0), (4, 3.0), (6, -3.0))]
    found = curve(parts, ran[-1])
    assert found.audit_rows == LEAST_AUDIT_ROWS
    assert [(one.version, one.labels) for one in found.points] == [
        (one.version, labels) for one, labels in zip(ran, (0, 4, 10), strict=True)
    ]
    assert found.points[0].gain == 0
    assert all(one.gain == pytest.approx(one.macro_f1 - found.points[0].macro_f1) for one in found.points)
    assert all(one.error > 0 for one in found.points[1:])
    assert found.worth is not None


def test_equal_models_show_no_worth(parts: Parts, tiny_model: Path) -> None:
    audited(parts)
    version(parts, tiny_model, labels=0, shift=0)
    worth = curve(parts, version(parts, tiny_model, labels=3, shift=0)).worth
    assert worth is not None
    assert worth.low < 0 < worth.high


def test_no_audit_row_is_near_a_row_that_any_version_trained_on(parts: Parts, tiny_model: Path) -> None:
    audited(parts)
    first = version(parts, tiny_model, labels=0, shift=0)
    trained = next(row for row in parts.datasets.load(first.manifest.dataset_version).rows if row.split is Split.TRAIN)
    before = curve(parts, version(parts, tiny_model, labels=2, shift=1)).audit_rows
    answer(parts, trained.text + " now", "neutral", Purpose.AUDIT)
    last = version(parts, tiny_model, labels=2, shift=2)
    assert trained.text_id not in {row.text_id for row in parts.datasets.load(last.manifest.dataset_version).rows}
    assert curve(parts, last).audit_rows == before


def test_without_enough_audit_answers_the_cure_is_named(parts: Parts, tiny_model: Path) -> None:
    audited(parts, LEAST_AUDIT_ROWS - 1)
    version(parts, tiny_model, labels=0, shift=0)
    found = curve(parts, version(parts, tiny_model, labels=2, shift=1))
    assert found.worth is None
    assert "`finloop audit`" in found.sentence


def test_refused_versions_and_those_of_another_recipe_are_not_on_the_curve(parts: Parts, tiny_model: Path) -> None:
    first = version(parts, tiny_model, labels=0, shift=0)
    version(parts, tiny_model, labels=1, shift=1, promoted=False)
    other = register(parts, tiny_model, "data", "another recipe")
    parts.registry.record_verdict(other.version, a_verdict(other.version))
    last = version(parts, tiny_model, labels=1, shift=2, promoted=False)
    assert [one.version for one in milestones(last, parts.registry)] == [first.version, last.version]


def test_the_first_and_the_newest_versions_are_run_where_there_are_many(parts: Parts, tiny_model: Path) -> None:
    made = [register(parts, tiny_model, f"data {index}", shift=index) for index in range(MOST + 2)]
    for one in made:
        parts.registry.record_verdict(one.version, a_verdict(one.version))
    found = [one.version for one in milestones(made[-1], parts.registry)]
    assert len(found) == MOST
    assert found == [made[0].version, *(one.version for one in made[-(MOST - 1) :])]
    assert [one.version for one in milestones(made[0], parts.registry)] == [made[0].version]


@pytest.mark.parametrize("harm", [shutil.rmtree, damage_weights, damage_texts])
def test_a_version_whose_folder_is_gone_or_damaged_is_left_out(
    parts: Parts, tiny_model: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    audited(parts)
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    write_unlabelled(model, ["learnt without a label"])
    first, gone, last = (version(parts, model, labels=2, shift=shift) for shift in (0, 1, 2))
    harm(parts.registry.source(gone.version))
    assert [one.version for one in curve(parts, last).points] == [first.version, last.version]


def test_evidence_is_kept_beside_its_version_and_status_says_the_newest_of_each_kind(
    parts: Parts, tiny_model: Path
) -> None:
    first, last = (version(parts, tiny_model, labels=2, shift=shift) for shift in (0, 1))
    assert first.evidence == standing(parts).evidence == Evidence()
    old, new = LearningCurve(audit_rows=1, points=()), LearningCurve(audit_rows=2, points=())
    keep(first.version, parts.registry, curve=old)
    assert standing(parts).evidence.curve == old
    keep(last.version, parts.registry, curve=new)
    assert standing(parts).evidence.curve == new
    assert parts.registry.resolve(first.version).evidence.curve == old
    assert parts.registry.resolve(last.version).verdict == last.verdict
    assert standing(parts).to_json()["evidence"]["curve"]["audit_rows"] == 2

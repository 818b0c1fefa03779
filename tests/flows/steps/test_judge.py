"""Champion and candidate answer the same rows, and none of them was trained on."""

import shutil
from pathlib import Path

import numpy as np

from flows.steps.judge import Judged, audit_slice, judge, learnt_by
from flows.wiring.parts import Parts
from storage.models.registry import ModelVersion
from storage.models.unlabelled import write_unlabelled
from storage.records import DatasetVersion, Purpose, Split
from tests.fixtures_home import POLICY, answer, build, judged, recipe_hash, register, registered, sentence


def judged_by_gate(parts: Parts, candidate: ModelVersion, dataset: DatasetVersion) -> Judged:
    return judge(candidate, dataset, parts.registry, parts.labels, parts.datasets, parts.scheme, POLICY.gate)


def test_champion_and_candidate_are_run_on_the_same_rows(parts: Parts, tiny_model: Path) -> None:
    answer(parts, sentence(7, "asked at random"), "neutral", Purpose.AUDIT)
    judged(parts, tiny_model)
    (champion,) = parts.registry.versions()
    parts.registry.set_alias("champion", champion.version)
    answer(parts, sentence(1, "sharply dropped"))
    dataset = build(parts)
    candidate = register(parts, tiny_model, dataset.version, recipe_hash(parts), shift=1.0)
    found = judged_by_gate(parts, candidate, dataset)
    verdict = found.verdict
    assert (verdict.champion, verdict.candidate) == (champion.version, candidate.version)
    assert (verdict.dataset, verdict.reason) == (dataset.version, found.judgement.ruling.reason)
    assert verdict.judged_at is not None
    before, after = found.judgement.champion, found.judgement.candidate
    assert before is not None
    assert before.seed.truth == after.seed.truth
    assert len(after.seed) == sum(row.split is Split.TEST for row in dataset.rows)
    assert before.audit.truth == after.audit.truth == ("neutral",)
    assert not np.array_equal(before.audit.probabilities, after.audit.probabilities)


def test_a_champion_is_not_judged_against_itself(parts: Parts, tiny_model: Path) -> None:
    dataset = build(parts)
    version = registered(parts, tiny_model, dataset)
    parts.registry.set_alias("champion", version.version)
    found = judged_by_gate(parts, version, dataset)
    assert (found.judgement.champion, found.verdict.champion) == (None, None)


def test_an_audit_answer_near_a_row_that_trained_is_not_in_the_slice(parts: Parts, tiny_model: Path) -> None:
    dataset = build(parts)
    trained = next(row for row in dataset.rows if row.split is Split.TRAIN)
    tested = next(row for row in dataset.rows if row.split is Split.TEST)
    clean = sentence(8, "never seen")
    for text in (trained.text + " now", tested.text + " now", clean):
        answer(parts, text, "neutral", Purpose.AUDIT)
    answer(parts, sentence(9, "skipped"), None, Purpose.AUDIT)
    answer(parts, sentence(9, "selected"), "neutral", Purpose.SELECT)
    version = registered(parts, tiny_model, dataset)
    found = audit_slice(parts.labels, [learnt_by(version, parts.registry, parts.datasets)])
    assert set(found.texts) == {tested.text + " now", clean}


def test_an_audit_answer_near_a_text_that_trained_without_a_label_is_not_in_the_slice(
    parts: Parts, tiny_model: Path, tmp_path: Path
) -> None:
    dataset, clean, learnt = build(parts), sentence(8, "never seen"), sentence(7, "learnt without a label")
    for text in (clean, learnt + " now"):
        answer(parts, text, "neutral", Purpose.AUDIT)
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    write_unlabelled(model, [learnt])
    version = registered(parts, model, dataset)
    assert audit_slice(parts.labels, [learnt_by(version, parts.registry, parts.datasets)]).texts == (clean,)

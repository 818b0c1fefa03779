"""The yardstick trains on the random share alone, is never a version, and says where the share is too small."""

import uuid
from datetime import timedelta
from pathlib import Path

from flows.steps.yardstick import LEAST_RANDOM, Trainer, yardstick
from flows.wiring.parts import Parts
from storage.clock import now
from storage.labels.projects import Project
from storage.models.registry import ModelVersion
from storage.models.worth import LEAST_AUDIT_ROWS, Yardstick
from storage.records import Annotation, AnnotationKey, Purpose
from tests.fixtures_home import POLICY, a_verdict, build, decide, put_text, recipe_hash, register, sentence
from tests.flows.steps.test_worth import audited


def asked(parts: Parts, count: int, kind: str) -> None:
    project = Project("http://label.studio", 1)
    for index in range(count):
        text = put_text(parts, sentence(index, f"{kind} fell"))
        reasons = {text.text_id: {"kind": kind}}
        minute = timedelta(minutes=1)
        parts.tasks.reserve([text], Purpose.SELECT, uuid.uuid4().hex, "test", minute, reasons=reasons)
        number = int(text.text_id[:8], 16)
        parts.tasks.mark_sent(project, {text.text_id: number})
        key = AnnotationKey(project.server, 1, number)
        parts.labels.record(Annotation(key, number, text.text_id, "negative", "ann@example.org", now()))


def judged(parts: Parts, model: Path, shift: float) -> ModelVersion:
    dataset = build(parts)
    made = register(parts, model, dataset.version, recipe_hash(parts), shift=shift)
    decide(parts, dataset, a_verdict(made.version, dataset=dataset.version))
    return parts.registry.resolve(made.version)


def measured(parts: Parts, candidate: ModelVersion) -> Yardstick:
    trainer = Trainer(parts.base_model, POLICY.recipe)
    return yardstick(candidate, trainer, parts.registry, parts.labels, parts.tasks, parts.datasets, parts.scheme)


def test_the_random_share_is_trained_on_and_the_model_is_gone_after(parts: Parts, tiny_model: Path) -> None:
    audited(parts, LEAST_AUDIT_ROWS)
    judged(parts, tiny_model, 0)
    asked(parts, LEAST_RANDOM, "random")
    asked(parts, 5, "strategy")
    candidate = judged(parts, tiny_model, 3)
    before = parts.registry.versions()
    found = measured(parts, candidate)
    assert found.fault is None
    assert (found.labels, found.random_labels) == (LEAST_RANDOM + 5, LEAST_RANDOM)
    assert found.audit_rows == LEAST_AUDIT_ROWS
    assert parts.registry.versions() == before
    assert not list(parts.registry.artifacts.glob("unregistered/*"))


def test_a_random_share_that_is_too_small_is_said_and_not_trained_on(parts: Parts, tiny_model: Path) -> None:
    audited(parts, LEAST_AUDIT_ROWS)
    judged(parts, tiny_model, 0)
    asked(parts, LEAST_RANDOM - 1, "random")
    found = measured(parts, judged(parts, tiny_model, 3))
    assert found.cost is None
    assert f"{LEAST_RANDOM - 1} of its labels were drawn at random" in found.sentence


def test_a_first_version_has_nothing_to_be_compared_with(parts: Parts, tiny_model: Path) -> None:
    assert "no earlier version" in measured(parts, judged(parts, tiny_model, 0)).sentence

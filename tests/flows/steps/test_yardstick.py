"""The yardstick trains on the random share alone and is never a version; where no training is needed none is done."""

import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.steps.random_share import LEAST_RANDOM, RandomShare, is_due, last_yardstick, random_share, told_by_curve
from flows.steps.worth import Evaluated, keep, learning_curve
from flows.steps.yardstick import Trainer, yardstick
from flows.wiring.parts import Parts
from storage.clock import now
from storage.labels.projects import Project
from storage.models.registry import ModelVersion
from storage.models.worth import LEAST_AUDIT_ROWS, Yardstick
from storage.records import Annotation, AnnotationKey, Purpose
from tests.deployments.serving.models import flip_a_bit
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


def share_of(parts: Parts, candidate: ModelVersion) -> RandomShare:
    return random_share(candidate, parts.registry, parts.tasks, parts.datasets)


def evaluated(parts: Parts, candidate: ModelVersion) -> Evaluated:
    return learning_curve(candidate, parts.registry, parts.labels, parts.datasets, parts.scheme)


def told(parts: Parts, candidate: ModelVersion) -> Yardstick | None:
    """What is told without a training."""
    return told_by_curve(share_of(parts, candidate), evaluated(parts, candidate).curve)


def a_yardstick(
    parts: Parts, version: ModelVersion, *, labels: int, random: int, fault: str | None = None
) -> Yardstick:
    """Kept beside a version, as a retrain keeps it."""
    made = Yardstick(
        version=version.version, audit_rows=50, labels=labels, gain=0.1, random_labels=random, cost=9, fault=fault
    )
    keep(version.version, parts.registry, yardstick=made)
    return made


def test_the_random_share_is_trained_on_and_the_model_is_gone_after(parts: Parts, tiny_model: Path) -> None:
    audited(parts, LEAST_AUDIT_ROWS)
    judged(parts, tiny_model, 0)
    asked(parts, LEAST_RANDOM, "random")
    asked(parts, 5, "strategy")
    candidate = judged(parts, tiny_model, 3)
    before = parts.registry.versions()
    assert told(parts, candidate) is None
    trainer = Trainer(parts.base_model, POLICY.recipe)
    share = share_of(parts, candidate)
    found = yardstick(share, evaluated(parts, candidate), trainer, parts.registry, parts.scheme)
    assert found.trained
    assert found.fault is None
    assert (found.labels, found.random_labels) == (LEAST_RANDOM + 5, LEAST_RANDOM)
    assert found.audit_rows == LEAST_AUDIT_ROWS
    assert parts.registry.versions() == before
    assert not list(parts.registry.artifacts.glob("unregistered/*"))


def test_labels_that_were_all_drawn_at_random_cost_their_number_and_nothing_is_trained(
    parts: Parts, tiny_model: Path
) -> None:
    audited(parts, LEAST_AUDIT_ROWS)
    judged(parts, tiny_model, 0)
    asked(parts, LEAST_RANDOM, "random")
    candidate = judged(parts, tiny_model, 3)
    found = told(parts, candidate)
    assert found is not None
    assert (found.cost, found.low, found.high) == (LEAST_RANDOM,) * 3
    assert "all of them were drawn at random" in found.sentence
    assert not found.trained


def test_a_random_share_that_is_too_small_is_said_and_not_trained_on(parts: Parts, tiny_model: Path) -> None:
    audited(parts, LEAST_AUDIT_ROWS)
    judged(parts, tiny_model, 0)
    asked(parts, LEAST_RANDOM - 1, "random")
    asked(parts, 5, "strategy")
    found = told(parts, judged(parts, tiny_model, 3))
    assert found is not None
    assert found.cost is None
    assert f"{LEAST_RANDOM - 1} of its labels were drawn at random" in found.sentence


def test_too_few_audit_answers_are_said_with_the_cure(parts: Parts, tiny_model: Path) -> None:
    judged(parts, tiny_model, 0)
    asked(parts, LEAST_RANDOM, "random")
    found = told(parts, judged(parts, tiny_model, 3))
    assert found is not None
    assert "`finloop audit`" in found.sentence


def test_a_damaged_version_is_named_and_nothing_is_trained(parts: Parts, tiny_model: Path) -> None:
    audited(parts, LEAST_AUDIT_ROWS)
    first = judged(parts, tiny_model, 0)
    asked(parts, LEAST_RANDOM, "random")
    candidate = judged(parts, tiny_model, 3)
    flip_a_bit(parts.registry.source(first.version) / "model.safetensors")
    found = told(parts, candidate)
    assert found is not None
    assert found.sentence == f"unknown for version {candidate.version}: version {first.version} cannot be loaded"


def test_a_first_version_has_nothing_to_be_compared_with(parts: Parts, tiny_model: Path) -> None:
    found = told(parts, judged(parts, tiny_model, 0))
    assert found is not None
    assert "no earlier version" in found.sentence


def test_a_second_training_waits_until_there_are_twice_the_labels_of_the_last_one(
    parts: Parts, tiny_model: Path
) -> None:
    candidate = judged(parts, tiny_model, 0)
    share = share_of(parts, candidate)
    assert is_due("doubled", share, parts.registry)
    a_yardstick(parts, candidate, labels=100, random=30)
    assert not is_due("doubled", replace(share, labels=199), parts.registry)
    assert is_due("doubled", replace(share, labels=200), parts.registry)


def test_a_policy_can_want_a_second_training_always_and_never(parts: Parts, tiny_model: Path) -> None:
    candidate = judged(parts, tiny_model, 0)
    share = share_of(parts, candidate)
    assert not is_due("never", share, parts.registry)
    a_yardstick(parts, candidate, labels=100, random=30)
    assert is_due("always", share, parts.registry)


@pytest.mark.parametrize("untrained", [{"random": 100}, {"random": 30, "fault": "no audit row"}])
def test_only_a_yardstick_that_was_trained_puts_the_next_one_off(
    parts: Parts, tiny_model: Path, untrained: dict[str, Any]
) -> None:
    candidate = judged(parts, tiny_model, 0)
    a_yardstick(parts, candidate, labels=100, **untrained)
    assert is_due("doubled", replace(share_of(parts, candidate), labels=101), parts.registry)


def test_a_report_repeats_the_newest_number_and_passes_over_what_is_unknown(parts: Parts, tiny_model: Path) -> None:
    assert last_yardstick(parts.registry) is None
    asked(parts, 1, "random")
    old = judged(parts, tiny_model, 0)
    number = a_yardstick(parts, old, labels=100, random=30)
    asked(parts, 2, "strategy")
    a_yardstick(parts, judged(parts, tiny_model, 1), labels=120, random=30, fault="no audit row")
    assert last_yardstick(parts.registry) == number
    assert f"the 100 labels of version {old.version} brought" in number.sentence

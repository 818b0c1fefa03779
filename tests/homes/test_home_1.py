"""A home that earlier code wrote holds afterwards what it held before: labels, tasks, texts, models, intents.

`expected.json` is what that code said of the home.
"""

import json
from typing import Any

import pytest

from deployments.cli.status import said_accuracy, said_problem, standing
from flows.intents import Promote, Retrain, read
from flows.steps.inbox import work_on_inbox
from flows.wiring.parts import Parts
from labeling.answer.record import Outcome
from storage.records import Annotation, Label, LabelTask, Prediction
from tests.homes.opening import HOME_1
from training.model.classifier import Classifier

EXPECTED: dict[str, Any] = json.loads((HOME_1 / "expected.json").read_text(encoding="utf-8"))
SERVER, PROJECT = "http://127.0.0.1:8080", 1


def told(label: Label) -> dict[str, Any]:
    return {name: getattr(label, name) for name in ("annotations", "label", "purpose", "sequence", "text", "text_id")}


def same(prediction: Prediction | None, expected: dict[str, Any] | None) -> bool:
    """Numbers of another forward pass differ in the seventh figure; everything else is the same."""
    if prediction is None or expected is None:
        return prediction is None and expected is None
    numbers = {"confidence": prediction.confidence, "margin": prediction.margin}
    return (
        (prediction.label, prediction.model_version) == (expected["label"], expected["model_version"])
        and dict(prediction.scores) == pytest.approx(expected["scores"])
        and dict(prediction.logits) == pytest.approx(expected["logits"], abs=1e-5)
        and numbers == pytest.approx({name: expected[name] for name in numbers})
    )


def test_no_label_is_lost_and_none_changes(old: Parts) -> None:
    assert [told(label) for label in old.labels.trainable()] == EXPECTED["labels_trainable"]
    assert [told(label) for label in old.labels.audit()] == EXPECTED["labels_audit"]
    assert old.labels.watermark() == EXPECTED["labels_watermark"]
    assert old.labels.trainable_since(old.datasets.watermark()) == EXPECTED["labels_trainable_since_dataset"]


def test_every_annotation_is_there_with_its_revisions(old: Parts) -> None:
    def of(annotation: Annotation) -> tuple[int, str | None, str]:
        return annotation.key.annotation_id, annotation.label, annotation.updated_at.isoformat()

    for text_id, revisions in EXPECTED["revisions"].items():
        expected = [(one["key"]["annotation_id"], one["label"], one["updated_at"]) for one in revisions]
        assert [of(one) for one in old.labels.revisions(text_id)] == expected
    for text_id, current in EXPECTED["current"].items():
        expected = [(one["key"]["annotation_id"], one["label"], one["updated_at"]) for one in current]
        assert [of(one) for one in old.labels.current(text_id)] == expected


def test_every_task_is_where_it_was(old: Parts) -> None:
    assert {purpose: dict(states) for purpose, states in old.tasks.counts().items()} == EXPECTED["tasks_counts"]
    for text_id, expected in EXPECTED["tasks"].items():
        task = old.tasks.get(text_id)
        assert isinstance(task, LabelTask)
        for name in ("batch_id", "purpose", "state", "server", "project_id", "task_id", "text", "source"):
            assert getattr(task, name) == expected[name], (text_id, name)
        assert same(task.prediction, expected["prediction"])
    assert [task.text_id for task in old.tasks.open(SERVER, PROJECT)] == EXPECTED["tasks_open"]


def test_every_text_keeps_its_prediction_and_its_audit_flag(old: Parts) -> None:
    counts = old.texts.counts()
    expected = EXPECTED["texts_counts"]
    assert (counts.texts, counts.audit, counts.predicted) == (
        expected["texts"],
        expected["audit"],
        expected["predicted"],
    )
    texts = old.texts.get(EXPECTED["texts"])
    for text_id, told_before in EXPECTED["texts"].items():
        text = texts[text_id]
        assert (text.text, text.source, text.audit) == tuple(told_before[name] for name in ("text", "source", "audit"))
        assert same(text.prediction, told_before["prediction"])


def test_texts_are_asked_about_in_the_same_order(old: Parts) -> None:
    for version, expected in EXPECTED["lowest_margin"].items():
        assert [text.text_id for text in old.texts.lowest_margin(version)] == expected
    assert [text.text_id for text in old.texts.random_audit(seed=0)] == EXPECTED["random_audit"]


def test_every_model_keeps_its_aliases_manifest_and_verdict(old: Parts) -> None:
    assert old.registry.aliases() == EXPECTED["registry_aliases"]
    for version, expected in zip(old.registry.versions(), EXPECTED["registry_versions"], strict=True):
        assert (version.version, sorted(version.aliases)) == (expected["version"], sorted(expected["aliases"]))
        manifest, verdict = expected["manifest"], expected["verdict"]
        assert version.manifest.dataset_version == manifest["dataset_version"]
        assert (version.manifest.format, version.manifest.scheme) == (2, "sentiment")
        assert list(version.manifest.labels) == manifest["labels"]
        assert version.verdict is not None
        assert (version.verdict.promoted, version.verdict.reason) == (verdict["promoted"], verdict["reason"])
        assert [check.name for check in version.verdict.checks] == [check["name"] for check in verdict["checks"]]


def test_a_model_of_the_old_format_answers_as_it_did(old: Parts) -> None:
    scored = [(text_id, one["prediction"]) for text_id, one in EXPECTED["texts"].items() if one["prediction"]]
    text_id, expected = next((text_id, one) for text_id, one in scored if one["model_version"] == "2")
    model = Classifier.load(old.registry.folder("2"), old.scheme.names)
    predicted = model.predict([old.texts.get([text_id])[text_id].text])
    scores = dict(zip(predicted.labels, predicted.probabilities[0].tolist(), strict=True))
    assert scores == pytest.approx(expected["scores"], abs=1e-4)


def test_intents_that_were_open_are_open_and_say_the_same(old: Parts) -> None:
    assert [entry.key for entry in old.outbox.open()] == EXPECTED["outbox_open"]
    assert [type(read(entry)) for entry in old.outbox.open()] == [Retrain, Promote]
    promote = read(old.outbox.open("promote")[0])
    assert isinstance(promote, Promote)
    assert (promote.version, promote.forced) == ("3", True)
    for key, expected in EXPECTED["outbox"].items():
        entry = old.outbox.get(key)
        if expected["kind"] == "unfinished":  # is a problem now
            assert entry is None
        else:
            assert entry is not None
            assert (entry.kind, entry.payload, entry.attempts) == (
                expected["kind"], expected["payload"], expected["attempts"],
            )  # fmt: skip


def test_a_webhook_that_waited_becomes_a_label(own_old: Parts) -> None:
    assert own_old.inbox.counts() == EXPECTED["inbox_counts"]
    done = work_on_inbox(own_old.inbox, own_old.projects, own_old.tasks, own_old.labels, own_old.scheme, SERVER)
    assert done == Outcome(done=1, labels_changed=1)
    assert len(own_old.labels.trainable()) == len(EXPECTED["labels_trainable"]) + 1


def test_status_says_what_it_said(old: Parts) -> None:
    alone = Parts(
        old.settings.model_copy(
            update=dict.fromkeys(("serving_url", "label_studio_url", "prefect_url", "receiver_url"))
        )
    )
    found = standing(alone)
    alone.close()
    assert said_accuracy(found.production_accuracy) == EXPECTED["production_accuracy"]
    said = {said_problem(problem).split(" (tried")[0] for problem in found.problems}
    assert said == {problem.split(" (tried")[0] for problem in EXPECTED["problems"]}

"""The labeling room with its parts filled in; what needs a real Label Studio is tested in tests/labeling."""

import httpx
from pydantic import SecretStr

from flows.prefect_events import ENOUGH_LABELS
from flows.steps import asking
from flows.steps.standing import problems
from flows.wiring.parts import Parts
from flows.wiring.policies import AuditPolicy, SelectPolicy
from labeling.studio import project
from storage.clock import now
from storage.models.manifest import Manifest
from storage.models.registry import ModelVersion
from storage.records import LABELS, Prediction, Purpose, Sentiment, TaskState
from tests.fixtures_home import answer, put_text, sentence
from tests.fixtures_label_studio import LabelStudioServer


def a_version(number: str) -> ModelVersion:
    manifest = Manifest(
        base_model="tiny",
        exposed=False,
        dataset_version="data",
        recipe={},
        recipe_hash="recipe",
        metrics={},
        labels=LABELS,
        created_at=now(),
    )
    return ModelVersion(number, now(), ("champion",), manifest, None)


def predicted(parts: Parts, count: int, version: str, *, audit: bool = False) -> list[str]:
    """Texts with a prediction by a version, of rising margin; their ids in that order."""
    texts = [put_text(parts, sentence(index, f"{version} {audit}"), audit=audit) for index in range(count)]
    for index, text in enumerate(texts):
        said = Prediction(Sentiment.NEUTRAL, (0.3, 0.4, 0.3), (0.0, 0.1, 0.0), 0.4, index / 100, version, now())
        parts.texts.record_predictions([(text.text_id, said)])
    return [text.text_id for text in texts]


def test_the_least_sure_texts_of_the_champion_are_reserved_once(parts: Parts) -> None:
    ids = predicted(parts, 6, "1")
    predicted(parts, 3, "0")
    predicted(parts, 3, "1", audit=True)
    first = asking.reserve_uncertain(parts, a_version("1"), SelectPolicy(size=2))
    second = asking.reserve_uncertain(parts, a_version("1"), SelectPolicy(size=100))
    assert {task.text_id for task in first.tasks} == set(ids[:2])
    assert {task.text_id for task in second.tasks} == set(ids[2:])
    assert all(task.purpose is Purpose.SELECT and task.state is TaskState.RESERVED for task in first.tasks)


def test_an_audit_is_drawn_from_the_audit_share_without_the_models_answer(parts: Parts) -> None:
    aside = predicted(parts, 5, "1", audit=True)
    predicted(parts, 5, "1")
    batch = asking.reserve_audit(parts, AuditPolicy(size=50))
    assert {task.text_id for task in batch.tasks} == set(aside)
    assert all(task.prediction is None and task.purpose is Purpose.AUDIT for task in batch.tasks)


def test_enough_labels_are_announced_once_and_only_trainable_ones_count(parts: Parts) -> None:
    answer(parts, sentence(1, "audit"), purpose=Purpose.AUDIT)
    answer(parts, sentence(2, "skipped"), None)
    for index in range(2):
        answer(parts, sentence(index, "selected"))
    assert not asking.announce(parts)
    answer(parts, sentence(3, "selected"))
    assert asking.announce(parts)
    answer(parts, sentence(4, "selected"))
    assert not asking.announce(parts)
    (intent,) = parts.outbox.open(ENOUGH_LABELS)
    assert (intent.key, intent.payload) == ("retrain:0", {"watermark": 0, "labels": 3})


def test_a_deleted_project_is_made_again_and_its_tasks_are_reported(
    parts: Parts, label_studio: LabelStudioServer
) -> None:
    addresses = {"label_studio_url": label_studio.url, "receiver_url": "http://127.0.0.1:9"}
    secrets = {"label_studio_token": SecretStr(label_studio.token), "webhook_secret": SecretStr("secret")}
    own = Parts(parts.settings.model_copy(update={**addresses, **secrets}))
    predicted(own, 3, "1")
    first = asking.our_project(own)
    sent = asking.send(own, first, asking.reserve_uncertain(own, a_version("1"), SelectPolicy(size=3)))
    assert len(sent) == 3 and problems(own) == []
    token = {"Authorization": f"Token {label_studio.token}"}
    httpx.delete(f"{label_studio.url}/api/projects/{first.id}/", headers=token).raise_for_status()
    hook = addresses["receiver_url"] + project.WEBHOOK_PATH
    marker = project.marker_of(own.settings.label_studio_project)
    project.ensure_project(
        own.studio, own.projects, own.leases, own.scheme, hook, "secret", marker
    )  # then its process dies
    second = asking.our_project(own)
    assert second.id != first.id
    assert asking.reconciled(own, second).missing == 0
    assert problems(own) == ["3 tasks are gone from Label Studio; their labels are kept"]
    own.close()

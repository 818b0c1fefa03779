"""`status` tells a person what stands and names what went wrong; a part that is down is told, not raised."""

import json
from pathlib import Path

import httpx
import pytest

from deployments.serving.app import create_app
from flows.intents import Deploy, Promote, Retrain
from flows.steps.promote import Service, promote
from flows.steps.standing import problems, standing
from flows.wiring.parts import Parts
from storage.clock import now
from storage.errors import Refused
from storage.records import Prediction, Purpose
from tests.deployments.serving.models import flip_a_bit, free_port, serve, wait_until
from tests.fixtures_home import TOKEN, answer, put_text, register
from tests.schemes import SENTIMENT, named


def at(parts: Parts, **addresses: str) -> Parts:
    """The same home with these addresses."""
    return Parts(parts.settings.model_copy(update=addresses))


def test_an_empty_home_stands_without_a_problem(parts: Parts) -> None:
    found = json.loads(json.dumps(standing(parts)))
    assert found["texts"] == {"all": 0, "audit": 0}
    assert found["until_the_next_retrain"] == "0 of 3 labels"
    assert found["served"] == found["prefect"] == found["label_studio"] == "not started"
    assert found["problems"] == []


def test_texts_tasks_and_labels_are_counted(parts: Parts) -> None:
    put_text(parts, "a text nobody was asked about")
    answer(parts, "profit rose", "positive")
    answer(parts, "nobody knows", None)
    answer(parts, "profit fell", "negative", Purpose.AUDIT)
    found = standing(parts)
    assert found["texts"] == {"all": 4, "audit": 1}
    assert found["tasks"] == {"audit answered": 1, "select answered": 1, "select skipped": 1}
    assert found["until_the_next_retrain"] == "1 of 3 labels"
    assert found["text_store"] == "sqlite"


def test_production_accuracy_is_the_champions_on_the_audit_answers(parts: Parts, tiny_model: Path) -> None:
    assert standing(parts)["production_accuracy"].startswith("unknown")
    version = register(parts, tiny_model).version
    parts.registry.set_alias("champion", version)
    for index, said in enumerate(("positive", "positive", "negative", None)):
        words = f"audit text {index}"
        number = answer(parts, words, "positive", Purpose.AUDIT)
        by = version if said else "an older one"
        scores, logits = named(0.1, 0.2, 0.7), named(0.0, 0.0, 0.0)
        prediction = Prediction(said or "positive", scores, logits, 0.7, 0.5, by, now())
        parts.texts.record_predictions([(number, prediction)])
    assert standing(parts)["production_accuracy"].startswith("0.667 (0.208 to 0.939) on 3 audit answers")


def test_a_part_that_does_not_answer_is_down(parts: Parts) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    found = standing(at(parts, serving_url=nowhere, prefect_url=nowhere, label_studio_url=nowhere))
    assert found["served"] == "down"
    assert found["prefect"] == found["label_studio"] == f"down at {nowhere}"


def test_what_was_intended_and_failed_is_named_with_its_reason(parts: Parts) -> None:
    for intent in (Deploy("2", attempt=1), Promote("1"), Retrain(0, labels=3)):
        parts.outbox.intend(intent)
    parts.outbox.failed(Deploy("2", attempt=1), "ConnectError: refused")
    parts.outbox.give_up(Promote("1"), "the deploy run ended without a word")
    parts.problems.note("unfinished:0", "unfinished", "retrain with the labels since change 0: 3 runs ended")
    said = problems(parts)
    assert len(said) == 3
    assert "unfinished:0: retrain with the labels since change 0: 3 runs ended" in said
    assert "deploy:2:1: ConnectError: refused (tried 1 times)" in said
    assert any(line.startswith("promote:1: the deploy run ended") for line in said)


def test_tasks_that_are_gone_from_label_studio_are_counted(parts: Parts) -> None:
    task = parts.tasks.get(answer(parts, "profit rose"))
    assert task is not None and task.task_id is not None
    parts.tasks.mark_missing("http://label.studio", 1, [task.task_id])
    assert problems(parts) == ["1 task is gone from Label Studio; their labels are kept"]


def test_a_damaged_version_that_serving_refused_is_a_problem_that_status_names(parts: Parts, tiny_model: Path) -> None:
    one, two = (register(parts, tiny_model, f"data {shift}", shift=shift).version for shift in (0, 1))
    parts.registry.set_alias("champion", one)
    flip_a_bit(parts.registry.folder(two) / "model.safetensors")
    with serve(create_app(parts.registry, SENTIMENT, admin_token=TOKEN, log=None)) as url:
        wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "ready service")
        served = at(parts, serving_url=url)
        assert standing(served)["served"] == f"version {one}"
        with pytest.raises(Refused):
            promote(served.registry, served.outbox, Service(url, TOKEN), two)
        found = standing(served)
    assert found["served"] == f"version {one}"
    assert any(line.startswith(f"promote:{two}") and "model.safetensors" in line for line in found["problems"])
    assert any(line.startswith("serving: ") and "model.safetensors" in line for line in found["problems"])


def test_a_service_without_a_model_says_so(parts: Parts) -> None:
    with serve(create_app(parts.registry, SENTIMENT, admin_token=TOKEN, log=None)) as url:
        assert standing(at(parts, serving_url=url))["served"] == "no model yet"

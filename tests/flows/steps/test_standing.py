"""`status` tells a person what stands and names what went wrong; a part that is down is told, not raised."""

import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from deployments.cli.status import said_problem, standing
from deployments.receiver.app import create_app as create_receiver
from deployments.serving.app import create_app
from flows.intents import Deploy, Promote, Retrain
from flows.steps.promote import Service, promote
from flows.steps.servers import Receiver, Server, State
from flows.steps.standing import bytes_used
from flows.steps.troubles import Problem, ProblemKind, find_problems
from flows.wiring.parts import Parts
from labeling.studio.project import WEBHOOK_PATH
from storage.clock import now
from storage.errors import Refused
from storage.labels.projects import Project
from storage.labels.spool import Spool
from storage.records import Prediction, Purpose
from storage.sql.schema import ProjectRow, TaskRow
from tests.deployments.serving.models import flip_a_bit, free_port, serve, wait_until
from tests.fixtures_home import TOKEN, answer, put_text, register
from tests.schemes import SENTIMENT, named


def at(parts: Parts, **addresses: str) -> Parts:
    """The same home with these addresses."""
    return Parts(parts.settings.model_copy(update=addresses))


def test_an_empty_home_stands_without_a_problem(parts: Parts) -> None:
    found = json.loads(json.dumps(standing(parts).to_json()))
    assert found["texts"] == {"all": 0, "audit": 0}
    assert (found["labels_new"], found["retrain_after"]) == (0, 3)
    assert found["prefect"] == found["label_studio"] == {"state": "not started", "url": None}
    assert (found["served"]["state"], found["served"]["version"]) == ("not started", None)
    assert (found["production_accuracy"], found["problems"]) == (None, [])


def test_texts_tasks_and_labels_are_counted(parts: Parts) -> None:
    put_text(parts, "a text nobody was asked about")
    answer(parts, "profit rose", "positive")
    answer(parts, "nobody knows", None)
    answer(parts, "profit fell", "negative", Purpose.AUDIT)
    found = standing(parts).counts
    assert found.texts == {"all": 4, "audit": 1}
    assert found.tasks == {"audit answered": 1, "select answered": 1, "select skipped": 1}
    assert found.labels_new == 1
    assert found.text_store == "sqlite"


def test_production_accuracy_is_the_champions_on_the_audit_answers(parts: Parts, tiny_model: Path) -> None:
    assert standing(parts).production_accuracy is None
    version = register(parts, tiny_model).version
    parts.registry.set_alias("champion", version)
    for index, said in enumerate(("positive", "positive", "negative", None)):
        words = f"audit text {index}"
        number = answer(parts, words, "positive", Purpose.AUDIT)
        by = version if said else "an older one"
        scores, logits = named(0.1, 0.2, 0.7), named(0.0, 0.0, 0.0)
        prediction = Prediction(said or "positive", scores, logits, 0.7, 0.5, by, now())
        parts.texts.record_predictions([(number, prediction)])
    found = standing(parts).production_accuracy
    assert found is not None
    assert (found.right, found.n) == (2, 3)
    assert (found.low, found.high) == pytest.approx((0.208, 0.939), abs=5e-4)


def test_a_part_that_does_not_answer_is_down(parts: Parts) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    found = standing(at(parts, serving_url=nowhere, prefect_url=nowhere, label_studio_url=nowhere))
    assert found.served.state is State.DOWN
    assert found.prefect == found.label_studio == Server(State.DOWN, nowhere)
    assert {(one.kind, one.subject) for one in found.problems} == {
        (ProblemKind.SERVER, "Label Studio"),
        (ProblemKind.SERVER, "Prefect"),
        (ProblemKind.SERVER, "serving"),
    }


def test_the_size_of_each_file_and_folder_of_the_home_is_told(tmp_path: Path) -> None:
    (tmp_path / "models" / "one").mkdir(parents=True)
    for name, size in (("texts.db", 10), ("texts.db-wal", 5), ("models/one/weights", 100), ("models/two", 1)):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "models" / "link").symlink_to(tmp_path / "texts.db")
    assert bytes_used(tmp_path) == {"texts.db": 15, "models": 101}


def test_what_was_intended_and_failed_is_named_with_its_reason(parts: Parts) -> None:
    for intent in (Deploy("2", attempt=1), Promote("1"), Retrain(0, labels=3)):
        parts.outbox.intend(intent)
    parts.outbox.failed(Deploy("2", attempt=1), "ConnectError: refused")
    parts.outbox.give_up(Promote("1"), "the deploy run ended without a word")
    parts.problems.note("unfinished:0", "unfinished", "retrain with the labels since change 0: 3 runs ended")
    assert set(standing(parts).problems) == {
        Problem(ProblemKind.INTENT, "deploy:2:1", "ConnectError: refused", 1),
        Problem(ProblemKind.INTENT, "promote:1", "the deploy run ended without a word", 0),
        Problem(ProblemKind.TRAINING, "unfinished:0", "retrain with the labels since change 0: 3 runs ended", 1),
    }


def test_tasks_that_are_gone_from_label_studio_are_counted(parts: Parts) -> None:
    task = parts.tasks.get(answer(parts, "profit rose"))
    assert task is not None and task.task_id is not None
    parts.tasks.mark_missing(Project("http://label.studio", 1), [task.task_id])
    (problem,) = standing(parts).problems
    assert (problem.kind, problem.count) == (ProblemKind.TASKS_GONE, 1)
    with parts.engine.begin() as connection:
        connection.execute(update(TaskRow).values(missing_since=now() - timedelta(days=8)))
    assert standing(parts).problems == (), "nothing else would end it"


def test_a_version_in_use_whose_folder_was_damaged_is_a_problem_before_it_is_loaded(
    parts: Parts, tiny_model: Path
) -> None:
    used, unused = (register(parts, tiny_model, f"data {shift}", shift=shift).version for shift in (0, 1))
    parts.registry.set_alias("previous", used)
    folders = [parts.registry.folder(one) for one in (used, unused)]
    assert standing(parts).problems == ()
    for folder in folders:
        flip_a_bit(folder / "model.safetensors")
    (problem,) = standing(parts).problems
    said = said_problem(problem)
    assert said.startswith(f"version {used} (previous): ") and "model.safetensors" in said and "--force" in said


def test_a_label_studio_that_is_not_the_one_we_knew_is_named_for_a_week(parts: Parts) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    parts.projects.put(Project(nowhere, 1, epoch="e1"))
    parts.projects.put(Project(nowhere, 1, epoch="e2"), "project 1 is gone from there")
    here = at(parts, label_studio_url=nowhere)
    (problem,) = [one for one in standing(here).problems if one.kind is ProblemKind.STUDIO_CHANGED]
    assert nowhere in said_problem(problem) and "project 1 is gone from there" in said_problem(problem)
    with here.engine.begin() as connection:
        connection.execute(update(ProjectRow).values(left_at=now() - timedelta(days=8)))
    assert not [one for one in standing(here).problems if one.kind is ProblemKind.STUDIO_CHANGED]


def test_a_damaged_version_that_serving_refused_is_a_problem_that_status_names(parts: Parts, tiny_model: Path) -> None:
    one, two = (register(parts, tiny_model, f"data {shift}", shift=shift).version for shift in (0, 1))
    parts.registry.set_alias("champion", one)
    flip_a_bit(parts.registry.folder(two) / "model.safetensors")
    with serve(create_app(parts.registry, SENTIMENT, admin_token=TOKEN, log=None)) as url:
        wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "ready service")
        served = at(parts, serving_url=url)
        assert standing(served).served.version == one
        with pytest.raises(Refused):
            promote(served.registry, served.outbox, Service(url, TOKEN), two)
        found = standing(served)
    assert (found.served.state, found.served.version) == (State.UP, one)
    details = {(problem.kind, problem.subject): problem.detail or "" for problem in found.problems}
    assert "model.safetensors" in details[ProblemKind.INTENT, f"promote:{two}"]
    assert "model.safetensors" in details[ProblemKind.SERVING, url]


def test_webhooks_that_the_receiver_refused_or_put_aside_are_named(parts: Parts) -> None:
    spool = Spool(parts.settings.home / "webhooks")
    with serve(create_receiver(parts.inbox, spool, "secret", lambda: None)) as url:
        assert standing(at(parts, receiver_url=url)).problems == ()
        httpx.post(f"{url}{WEBHOOK_PATH}", json={"action": "A"})
        (problem,) = standing(at(parts, receiver_url=url)).problems
    assert (problem.kind, problem.detail, problem.count) == (ProblemKind.REFUSED, "1 with 401", 1)
    aside = Receiver(State.UP, "http://here", {}, put_aside=3)
    found = find_problems(
        parts.outbox, parts.problems, parts.inbox, parts.tasks, parts.projects, None, {"r": aside}, ()
    )
    assert found == (Problem(ProblemKind.PUT_ASIDE, "http://here", None, 3),)


def test_a_service_without_a_model_says_so(parts: Parts) -> None:
    with serve(create_app(parts.registry, SENTIMENT, admin_token=TOKEN, log=None)) as url:
        found = standing(at(parts, serving_url=url)).served
        assert (found.state, found.version) == (State.UP, None)

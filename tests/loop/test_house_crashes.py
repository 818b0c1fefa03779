"""SIGKILL of a retrain in training and of the serving app."""

import signal
from dataclasses import dataclass
from datetime import datetime

import psutil
import pytest

from flows.prefect_api.runs import Run
from storage.clock import now
from storage.models.registry import ModelVersion
from storage.records import TaskState
from tests.loop.conftest import Answered, First
from tests.loop.house import House, until

SLOW = {"recipe": {"epochs": 20, "batch_size": 1}}
"""Trains the tiny model for about a minute, so that it can be killed in the middle."""

RETRY = 10


@dataclass(frozen=True)
class Killed:
    """A retrain that was killed in training: its run, its dataset, and the versions that there were before."""

    run: Run
    dataset: str
    before: list[ModelVersion]
    at: datetime


@pytest.fixture(scope="module")
def killed(house: House, answered: Answered) -> Killed:
    """New labels, too few for an event; then a retrain of the user's, killed once its progress shows."""
    house.run("select", policy={"size": 3})
    before = house.parts.registry.versions()
    assert house.json("annotate") == {"answered": 3, "skipped": 0, "unknown": 0}
    until(lambda: house.parts.labels.trainable_since(house.parts.datasets.watermark()) == 3, "the labels did not come")
    run = house.runs.start("retrain", {"policy": SLOW})
    until(lambda: (house.runs.progress(run) or (0.0, ""))[0] > 0, "the training showed no progress", 120)
    engine = until(lambda: engine_of(run), "there is no process of that run")
    engine.send_signal(signal.SIGKILL)
    run = until(lambda: run_at_end(house, run), "the run did not end")
    dataset = house.parts.datasets.unjudged()
    assert dataset is not None
    return Killed(run, dataset, before, now())


def engine_of(run: Run) -> psutil.Process | None:
    """The process of a flow run."""
    for process in psutil.process_iter():
        try:
            command, variables = process.cmdline(), process.environ()
        except psutil.Error:
            continue
        if "prefect.engine" in command and variables.get("PREFECT__FLOW_RUN_ID") == run.id:
            return process
    return None


def run_at_end(house: House, run: Run) -> Run | None:
    found = house.runs.get(run)
    return found if found.finished else None


def test_a_killed_retrain_has_crashed_and_leaves_no_half_version(house: House, killed: Killed) -> None:
    assert killed.run.state == "CRASHED"
    assert [one.version for one in house.parts.registry.versions()] == [one.version for one in killed.before]
    for one in killed.before:
        house.parts.registry.folder(one.version)


def test_the_serving_app_is_started_again_after_a_kill_and_answers_with_the_champion(
    house: House, first: First
) -> None:
    champion = house.parts.registry.aliases()["champion"]
    killed = house.processes("serving")
    for process in killed:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(killed, timeout=10)
    until(lambda: house.model().get("version") == champion, "the champion is not served again")
    assert house.answering() == champion
    assert not {process.pid for process in killed} & {process.pid for process in house.processes("serving")}


def test_sync_has_a_killed_retrain_resumed_on_the_same_dataset(house: House, killed: Killed) -> None:
    until(lambda: not house.parts.leases.held("retrain"), "the killed run's lease does not expire", 90)
    until(lambda: (now() - killed.at).total_seconds() > RETRY, "time stands still")
    house.run("sync", policy={"retry_after_seconds": RETRY})
    resumed = until(lambda: [run for run in house.runs.since("retrain", killed.at) if run.finished], "no retrain", 120)
    assert [(run.state, run.created_by) for run in resumed] == [("COMPLETED", "event")]
    made = [one for one in house.parts.registry.versions() if one.manifest.dataset_version == killed.dataset]
    assert [one.verdict is not None for one in made] == [True]
    assert len(house.parts.registry.versions()) == len(killed.before) + 1
    assert house.parts.datasets.summaries()[0]["version"] == killed.dataset
    assert house.parts.datasets.unjudged() is None
    assert list((house.settings.home / "models" / "unregistered").iterdir()) == []


def test_no_label_and_no_task_was_lost_or_doubled_by_the_kills(house: House, killed: Killed) -> None:
    sent = [str(task["data"]["text_id"]) for task in house.parts.studio.tasks(project(house), "id,data")]
    assert len(sent) == len(set(sent))
    assert set(sent) == set(house.parts.tasks.text_ids())
    states = {state for counts in house.parts.tasks.counts().values() for state, count in counts.items() if count}
    assert states == {TaskState.ANSWERED}


def project(house: House) -> int:
    sent = [house.parts.tasks.get(text_id) for text_id in house.parts.tasks.text_ids()]
    (number,) = {task.project_id for task in sent if task is not None and task.project_id is not None}
    return number

"""The last of the house that all tests of this folder use: people answer, no text is left, `finloop up` is killed."""

import io
import random
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from deployments.demo.annotator import AnswerKey
from deployments.demo.client import Client
from deployments.demo.console import Steps
from deployments.demo.rounds import Rounds
from deployments.supervisor.descendants import STACK
from deployments.supervisor.ports import port_is_free
from deployments.supervisor.stack import Stack
from flows.steps import asking
from flows.wiring.parts import Parts
from storage.clock import now
from storage.labels.projects import Project
from tests.loop.conftest import RETRAIN_AFTER, Answered
from tests.loop.house import SERVED, House, running, until
from tests.schemes import SENTIMENT


def our_project(parts: Parts) -> Project:
    return asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)


@contextmanager
def rounds(house: House, folder: Path, key: Mapping[str, str]) -> Iterator[tuple[Rounds, Client, io.StringIO]]:
    """A demo's rounds in this house, the client that asks meanwhile, and what is said."""
    said = io.StringIO()
    console = Console(file=said, width=200)
    project = our_project(house.parts)
    with Stack([], folder) as stack:
        made = Rounds(RETRAIN_AFTER, 0, console, Steps(console), house.parts, stack, house.runs, project, key)
        yield made, Client(house.settings.needed("serving_url"), [SERVED]), said


@contextmanager
def a_person(house: House) -> Iterator[None]:
    """Answers whatever is open in Label Studio, now and then."""
    done = threading.Event()

    def answer() -> None:
        while not done.wait(1.0):
            house.finloop("annotate")

    person = threading.Thread(target=answer)
    person.start()
    try:
        yield
    finally:
        done.set()
        person.join()


def test_a_demo_without_answers_waits_for_people_and_makes_up_for_a_task_that_was_deleted(
    house: House, answered: Answered, tmp_path: Path
) -> None:
    house.run("select", policy={"size": RETRAIN_AFTER})
    project = our_project(house.parts)
    deleted = house.parts.tasks.open(project.server, project.id)[0]
    with rounds(house, tmp_path, {}) as (people, client, said):
        house.parts.studio.api.tasks.delete(str(deleted.task_id))
        until(house.parts.tasks.missing, "the deletion was not noticed")
        with a_person(house):
            done = people.until_promoted(1, client)
    assert f"Please label the tasks at {project.url}" in said.getvalue()
    assert "asked for 1 more texts" in said.getvalue()
    assert done.runs["retrain"].created_by == "event"
    again = house.parts.tasks.get(deleted.text_id)
    assert again is not None and again.task_id != deleted.task_id and not again.missing


def test_a_round_that_finds_no_text_left_leaves_the_last_verdict(
    house: House, answered: Answered, tmp_path: Path
) -> None:
    """The tiny model is always refused, so that there would be a further round."""
    house.run("select", policy={"size": 5000})
    project = our_project(house.parts)
    asked = len(house.parts.tasks.open(project.server, project.id))
    assert RETRAIN_AFTER <= asked < 4 * RETRAIN_AFTER, "enough for a round, too few for five"
    key = AnswerKey(house.settings.home, SENTIMENT).read()
    with rounds(house, tmp_path, key) as (stand_in, client, said):
        done = stand_in.until_promoted(5, client)
    assert not done.promoted
    assert done.candidate == house.parts.registry.versions()[-1]
    assert done.runs["retrain"].state == "COMPLETED"
    assert said.getvalue().count("retrain ") == asked // RETRAIN_AFTER
    missing = RETRAIN_AFTER - asked % RETRAIN_AFTER
    assert f"No further round: {missing} labels are missing and no text is left to ask about" in said.getvalue()


def test_ten_seconds_after_a_kill_of_up_nothing_of_it_lives(house: House) -> None:
    """The house is gone afterwards, and a run of sync with it, at a moment of the run that differs from day to day."""
    assert len(house.processes()) > 6
    assert not any(port_is_free(port) for port in house.ports())
    lost = house.runs.start("sync", {})
    until(lambda: house.runs.get(lost).state != "SCHEDULED", "no worker took the run")
    assert list((house.settings.home / "prefect" / "concurrency_leases").glob("*-*.json")), "the lease is not on disk"
    threading.Event().wait(random.Random(now().date().isoformat()).uniform(0, 4))
    house.process.send_signal(signal.SIGKILL)
    house.process.wait(5)
    killed_at = time.monotonic()
    until(lambda: not house.processes(), f"still alive: {house.processes()}", 10)
    assert all(port_is_free(port) for port in house.ports())
    assert time.monotonic() - killed_at < 10


def test_a_house_that_was_killed_syncs_again_at_once_when_it_is_up(house: House) -> None:
    """The last of this folder."""
    ours = {name: value for name, value in house.environment.items() if name.startswith("FINLOOP_")}
    with running(house.settings.home, **{name: ours[name] for name in ours.keys() - {"FINLOOP_HOME", STACK}}) as again:
        assert again.runs.finish(again.runs.start("sync", {}), 60).state == "COMPLETED"

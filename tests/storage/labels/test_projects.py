from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from storage.labels.annotations import Labels
from storage.labels.projects import Project, Projects
from storage.labels.tasks import Tasks
from tests.storage.conftest import PROJECT, SERVER, an_annotation

MOVED = "http://127.0.0.1:8099"


@pytest.fixture
def projects(engine: Engine) -> Projects:
    return Projects(engine)


def test_a_server_without_a_project_of_ours_has_none(projects: Projects) -> None:
    assert projects.get(SERVER) is None


def test_each_server_has_a_project_of_its_own(projects: Projects) -> None:
    projects.put(Project(SERVER, 1, None))
    projects.put(Project("http://other", 1, 2))
    assert projects.get(SERVER) == Project(SERVER, 1, None)
    assert projects.get("http://other") == Project("http://other", 1, 2)
    assert projects.elsewhere(SERVER) == [Project("http://other", 1, 2)]


def test_a_server_that_moved_takes_its_project_tasks_and_answers_along(
    projects: Projects, tasks: Tasks, labels: Labels, sent: Callable[..., str]
) -> None:
    projects.put(Project(SERVER, PROJECT, 2))
    waiting, answered = sent(), sent()
    annotation = an_annotation(answered)
    labels.record(annotation)
    projects.move(SERVER, MOVED)
    assert projects.get(SERVER) is None
    assert projects.get(MOVED) == Project(MOVED, PROJECT, 2)
    assert {task.server for task in tasks.sent()} == {MOVED}
    assert [task.text_id for task in tasks.open(MOVED, PROJECT)] == [waiting]
    here = replace(annotation, key=replace(annotation.key, server=MOVED))
    assert not labels.record(here).label_changed
    assert labels.in_project(Project(MOVED, PROJECT))
    assert not labels.in_project(Project(SERVER, PROJECT))


def test_healed_ids_take_the_place_of_the_old(projects: Projects) -> None:
    projects.put(Project(SERVER, 1, None))
    projects.put(Project(SERVER, 1, 2**40))
    assert projects.get(SERVER) == Project(SERVER, 1, 2**40)


def test_a_project_says_where_annotators_work() -> None:
    assert Project("http://labels", 7).url == "http://labels/projects/7/data"

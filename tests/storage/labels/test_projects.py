from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select

from storage.labels.annotations import Labels
from storage.labels.projects import Project, Projects
from storage.labels.tasks import Tasks
from storage.sql.database import migrate, open_database
from storage.sql.schema import TombstoneRow
from tests.storage.conftest import PROJECT, SERVER, an_annotation, majority

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
    assert projects.left(SERVER) == []


def test_a_project_of_another_epoch_takes_its_place_and_the_old_one_is_kept_with_the_reason(projects: Projects) -> None:
    first, second = Project(SERVER, 1, 2, "e1"), Project(SERVER, 1, 2, "e2")
    projects.put(first)
    projects.put(second, "project 1 is gone from there")
    assert (projects.get(SERVER), projects.before(SERVER)) == (second, [first])
    assert [(left.project, left.why) for left in projects.left(SERVER)] == [(first, "project 1 is gone from there")]
    projects.put(first, "it came back")
    assert (projects.get(SERVER), projects.before(SERVER)) == (first, [second])


def test_what_was_stored_before_epochs_is_of_one_epoch_for_each_server(empty_url: str) -> None:
    engine = open_database(empty_url)
    migrate(engine, "0007")
    moment = "2026-03-01 12:00:00"
    with engine.begin() as connection:
        for server in (SERVER, "http://other"):
            connection.exec_driver_sql(f"INSERT INTO project VALUES ('{server}', 1, 2)")
        for number, text in ((7, "a"), (8, "b")):
            values = f"'{SERVER}', 1, {number}, '{moment}', 5, '{text}', 'neutral', 'ann', '{moment}'"
            columns = "server, project_id, annotation_id, updated_at, task_id, text_id, label, annotator, recorded_at"
            connection.exec_driver_sql(f"INSERT INTO annotation ({columns}) VALUES ({values})")
        for number in (8, 9):
            connection.exec_driver_sql(f"INSERT INTO tombstone VALUES ('{SERVER}', 1, {number}, '{moment}')")
    migrate(engine)
    projects = Projects(engine)
    ours, other = projects.get(SERVER), projects.get("http://other")
    assert ours is not None and other is not None
    assert len({ours.epoch, other.epoch, ""}) == 3
    assert [one.text_id for one in Labels(engine, majority).in_project(ours)] == ["a"]
    with engine.connect() as connection:
        tombstones = connection.execute(select(TombstoneRow.annotation_id, TombstoneRow.text_id, TombstoneRow.epoch))
        assert sorted(tombstones.tuples()) == [(8, "b", ours.epoch), (9, "", ours.epoch)]
    engine.dispose()


def test_a_project_says_where_annotators_work() -> None:
    assert Project("http://labels", 7).url == "http://labels/projects/7/data"

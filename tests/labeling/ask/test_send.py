"""Texts reach a real Label Studio, each once, whatever happens between."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from labeling.ask.batch import Batch
from labeling.ask.send import payload, recover_batches, send_batch
from labeling.studio.client import Studio
from storage.errors import Busy
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import Purpose, TaskState
from tests.fixtures_labeling import VERSION, Loop


class Background(Studio):
    """Answers imports as a server with background jobs does: the tasks come, their ids are not told."""

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        super().import_tasks(project_id, tasks)
        return []


def imported(loop: Loop, project: Project, batch: Batch, count: int) -> None:
    """What a sender did that was killed before it could note anything: some tasks are there."""
    some = [payload(task, loop.scheme) for task in batch.tasks[:count]]
    if some:
        loop.studio.import_tasks(project.id, some)


def expire(tasks: Tasks, batch: Batch) -> None:
    """The lease of a batch whose sender is dead runs out."""
    assert tasks.renew(batch.batch_id, batch.owner, timedelta(seconds=-1))


def times_there(loop: Loop, project: Project) -> Counter[str]:
    return Counter(task["data"]["text_id"] for task in loop.there(project))


def test_selected_texts_arrive_with_the_models_answer_beside_them_and_no_choice_ticked(loop: Loop) -> None:
    project = loop.project()
    sent = loop.sent(project, 3)
    assert {task.state for task in sent} == {TaskState.SENT}
    there = {task["id"]: task for task in loop.there(project)}
    assert there.keys() == {task.task_id for task in sent}
    for task in sent:
        seen = there[task.task_id or 0]
        assert task.prediction is not None
        assert (seen["data"]["text"], seen["data"]["text_id"]) == (task.text, task.text_id)
        assert seen["data"]["model_version"] == VERSION
        assert seen["data"]["suggestion"] == f"The model's answer: {task.prediction.label}"
        assert seen["predictions"] == []


def test_audit_texts_arrive_without_any_prediction(loop: Loop) -> None:
    project = loop.project()
    sent = loop.sent(project, 3, Purpose.AUDIT)
    there = loop.there(project)
    assert {task["id"] for task in there} == {task.task_id for task in sent}
    assert [task["predictions"] for task in there] == [[], [], []]
    assert [task["data"]["suggestion"] for task in there] == ["", "", ""]
    assert not any("model_version" in task["data"] for task in there)


@pytest.mark.parametrize("arrived", [0, 2, 4])
def test_after_a_crash_each_text_has_one_task(loop: Loop, arrived: int) -> None:
    project, batch = loop.project(), loop.reserve(4)
    imported(loop, project, batch, arrived)
    expire(loop.tasks, batch)
    done = recover_batches(loop.studio, project, loop.tasks, loop.scheme)
    assert {task.state for task in done} == {TaskState.SENT}
    assert times_there(loop, project) == Counter(task.text_id for task in batch.tasks)
    there = {task["data"]["text_id"]: task["id"] for task in loop.there(project)}
    assert {task.text_id: task.task_id for task in done} == there
    assert recover_batches(loop.studio, project, loop.tasks, loop.scheme) == []


def test_a_batch_whose_sender_lives_is_left_to_it(loop: Loop) -> None:
    project, batch = loop.project(), loop.reserve(2)
    assert recover_batches(loop.studio, project, loop.tasks, loop.scheme) == []
    assert len(send_batch(loop.studio, project, loop.tasks, loop.scheme, batch.batch_id, batch.owner)) == 2
    assert send_batch(loop.studio, project, loop.tasks, loop.scheme, batch.batch_id, batch.owner) == []
    assert sum(times_there(loop, project).values()) == 2


def test_who_lost_the_lease_sends_nothing(loop: Loop) -> None:
    project, batch = loop.project(), loop.reserve(2)
    expire(loop.tasks, batch)
    loop.tasks.take_over("another", timedelta(minutes=1))
    with pytest.raises(Busy, match=batch.batch_id):
        send_batch(loop.studio, project, loop.tasks, loop.scheme, batch.batch_id, batch.owner)
    assert times_there(loop, project) == Counter()


def test_tasks_that_a_background_job_made_are_found_by_text_id(loop: Loop) -> None:
    project, batch = loop.project(), loop.reserve(3)
    background = Background(loop.studio.url, loop.token)
    sent = send_batch(background, project, loop.tasks, loop.scheme, batch.batch_id, batch.owner)
    background.close()
    assert {task.task_id for task in sent} == {task["id"] for task in loop.there(project)}

"""A text that left Label Studio before it was answered is asked about again, once."""

from collections import Counter
from datetime import timedelta

from labeling.answer.reconcile import Reconciled, reconcile
from labeling.ask.again import reserve_lost
from labeling.ask.send import payload, recover_batches
from storage.labels.projects import Project
from storage.records import LabelTask, TaskState
from tests.fixtures_labeling import Loop
from tests.schemes import LABELS

POSITIVE = LABELS[0]


def now(loop: Loop, task: LabelTask) -> LabelTask:
    """The task as the label store has it now."""
    found = loop.tasks.get(task.text_id)
    assert found is not None
    return found


def send_rest(loop: Loop, project: Project) -> int:
    """What sync and select do before anything else is asked. Returns how many texts were lost."""
    lost = reserve_lost(loop.studio, project, loop.tasks)
    recover_batches(loop.studio, project, loop.tasks, loop.scheme)
    return lost


def times_there(loop: Loop, project: Project) -> Counter[str]:
    return Counter(task["data"]["text_id"] for task in loop.there(project))


def test_a_task_that_was_deleted_unanswered_is_asked_again_once(loop: Loop) -> None:
    project = loop.project()
    deleted, answered, other = loop.sent(project, 3)
    loop.answer(answered, POSITIVE)
    reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme)
    for task in (deleted, answered):
        loop.delete(f"/api/tasks/{task.task_id}/")
    found = reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme)
    assert found == Reconciled(tasks=3, missing=2)
    assert (send_rest(loop, project), send_rest(loop, project)) == (1, 0)
    assert times_there(loop, project) == Counter([deleted.text_id, other.text_id])
    again = now(loop, deleted)
    assert (again.state, again.missing) == (TaskState.SENT, False)
    # Label Studio may give the number of the deleted task again, so only its text tells which task is there.
    assert [task["id"] for task in loop.there(project) if task["data"]["text_id"] == deleted.text_id] == [again.task_id]
    assert now(loop, answered).state is TaskState.ANSWERED


def test_a_crash_between_reserving_anew_and_sending_leaves_the_text_to_the_next_process(loop: Loop) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    loop.delete(f"/api/tasks/{task.task_id}/")
    reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme)
    assert reserve_lost(loop.studio, project, loop.tasks) == 1  # then its process dies
    assert now(loop, task).state is TaskState.RESERVED
    assert send_rest(loop, project) == 0
    assert times_there(loop, project) == Counter([task.text_id])


def test_a_task_that_was_only_said_to_be_deleted_is_found_and_not_asked_again(loop: Loop) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    loop.tasks.mark_missing(project, [task.task_id or 0])
    assert send_rest(loop, project) == 0
    assert now(loop, task) == task


def test_an_import_whose_response_was_lost_is_sent_to_the_project_that_followed(loop: Loop) -> None:
    before, batch = loop.project(), loop.reserve(2)
    loop.studio.import_tasks(before.id, [payload(task, loop.scheme) for task in batch.tasks])
    assert loop.tasks.renew(batch.batch_id, batch.owner, timedelta(seconds=-1))
    loop.delete(f"/api/projects/{before.id}/")
    project = loop.project()
    assert send_rest(loop, project) == 0
    assert times_there(loop, project) == Counter(task.text_id for task in batch.tasks)

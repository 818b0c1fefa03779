"""A task that the new champion is sure of is taken back, unless somebody has touched the task."""

from dataclasses import replace

import pytest

from labeling.answer.reconcile import Reconciled, reconcile
from labeling.ask.again import reserve_lost
from labeling.ask.reasons import Kind, Reason
from labeling.ask.rerank import rerank
from labeling.ask.rules import BatchRules
from labeling.ask.send import payload, recover_batches, send_batch
from labeling.ask.withdraw import mark_sure, withdraw_marked
from storage.labels.projects import Project
from storage.records import LabelTask, Purpose, TaskState
from tests.fixtures_labeling import Loop, a_choice
from tests.schemes import LABELS

NEW = "8"
SURE, UNSURE = 0.95, 0.1
ABOVE = 0.9


def rescore(loop: Loop, project: Project, tasks: list[LabelTask], margins: list[float]) -> None:
    """What a score flow does after a promotion, up to the withdrawal."""
    for task, margin in zip(tasks, margins, strict=True):
        text = loop.texts.get([task.text_id])[task.text_id]
        assert text.prediction is not None
        loop.texts.record_predictions([(task.text_id, replace(text.prediction, margin=margin, model_version=NEW))])
    rerank(loop.studio, project, loop.tasks, loop.texts, loop.scheme, NEW)


def mark(loop: Loop, project: Project) -> int:
    return mark_sure(project, loop.tasks, NEW, ABOVE)


def withdraw(loop: Loop, project: Project) -> int:
    return withdraw_marked(loop.studio, project, loop.tasks)


def there(loop: Loop, project: Project) -> set[str]:
    return {task["data"]["text_id"] for task in loop.there(project)}


def state(loop: Loop, task: LabelTask) -> TaskState:
    found = loop.tasks.get(task.text_id)
    assert found is not None
    return found.state


def sync(loop: Loop, project: Project) -> Reconciled:
    """What sync does with the tasks."""
    found = reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme)
    withdraw(loop, project)
    reserve_lost(loop.studio, project, loop.tasks)
    recover_batches(loop.studio, project, loop.tasks, loop.scheme)
    return found


def test_a_task_that_the_champion_is_sure_of_goes_and_makes_room_for_another(loop: Loop) -> None:
    project = loop.project()
    sure, unsure = loop.sent(project, 2)
    rescore(loop, project, [sure, unsure], [SURE, UNSURE])
    assert (mark(loop, project), withdraw(loop, project)) == (1, 1)
    assert there(loop, project) == {unsure.text_id}
    assert (state(loop, sure), state(loop, unsure)) == (TaskState.WITHDRAWN, TaskState.SENT)
    assert loop.tasks.unanswered(project.server, project.id, Purpose.SELECT) == 1
    assert (mark(loop, project), withdraw(loop, project)) == (0, 0)


def test_a_withdrawn_task_is_neither_missing_nor_asked_again(loop: Loop) -> None:
    project = loop.project()
    sure, unsure = loop.sent(project, 2)
    rescore(loop, project, [sure, unsure], [SURE, UNSURE])
    mark(loop, project)
    withdraw(loop, project)
    loop.tasks.mark_missing(project, [sure.task_id or 0])  # what Label Studio's webhook about the deletion does
    assert sync(loop, project) == Reconciled(tasks=1)
    assert there(loop, project) == {unsure.text_id}
    assert loop.tasks.missing() == 0
    assert not loop.choose(5, version=NEW).tasks


def test_after_a_crash_between_mark_and_deletion_the_next_sync_deletes_the_task(loop: Loop) -> None:
    project = loop.project()
    sure, unsure = loop.sent(project, 2)
    rescore(loop, project, [sure, unsure], [SURE, UNSURE])
    assert mark(loop, project) == 1  # then its process dies
    assert there(loop, project) == {sure.text_id, unsure.text_id}
    sync(loop, project)
    assert there(loop, project) == {unsure.text_id}


@pytest.mark.parametrize("touch", ["answer", "skip", "draft"])
def test_a_task_that_somebody_touched_after_the_mark_is_not_deleted(loop: Loop, touch: str) -> None:
    project = loop.project()
    (sure,) = loop.sent(project, 1)
    rescore(loop, project, [sure], [SURE])
    assert mark(loop, project) == 1
    if touch == "draft":
        loop.post(f"/api/tasks/{sure.task_id}/drafts", {"result": [a_choice(LABELS[0])], "lead_time": 1.0})
    else:
        loop.answer(sure, None if touch == "skip" else LABELS[0])
    assert withdraw(loop, project) == 0
    assert there(loop, project) == {sure.text_id}
    assert state(loop, sure) is TaskState.SENT
    sync(loop, project)
    known = {"answer": TaskState.ANSWERED, "skip": TaskState.SKIPPED, "draft": TaskState.SENT}
    assert state(loop, sure) is known[touch]


def test_an_answer_whose_webhook_came_before_the_look_is_kept_and_counts(loop: Loop) -> None:
    project = loop.project()
    (sure,) = loop.sent(project, 1)
    rescore(loop, project, [sure], [SURE])
    mark(loop, project)
    loop.answer(sure, LABELS[0])
    reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme)
    assert (state(loop, sure), withdraw(loop, project)) == (TaskState.ANSWERED, 0)
    assert [label.text_id for label in loop.labels.trainable()] == [sure.text_id]


def test_the_audit_the_random_part_and_quotas_are_never_taken_back(loop: Loop) -> None:
    project = loop.project()
    audit = loop.sent(project, 2, Purpose.AUDIT)
    loop.ingest(4)
    batch = loop.choose(4, rules=BatchRules(random_first=0, random_share=0.5, clip_share=0, quota=0, min_letters=0))
    sent = send_batch(loop.studio, project, loop.tasks, loop.scheme, batch.batch_id, batch.owner)
    rescore(loop, project, [*audit, *sent], [SURE] * 6)
    mark(loop, project)
    withdraw(loop, project)
    kinds = {task.text_id: Reason.model_validate(task.reason).kind for task in sent}
    chosen = {text_id for text_id, kind in kinds.items() if kind is Kind.STRATEGY}
    assert len(chosen) == 2
    assert there(loop, project) == {task.text_id for task in [*audit, *sent]} - chosen


def test_a_text_that_was_sure_when_it_was_chosen_is_not_taken_back_for_that(loop: Loop) -> None:
    project = loop.project()
    task = loop.sent(project, 3)[-1]
    assert task.reason is not None
    chosen = Reason.model_validate(task.reason).margin
    assert chosen is not None
    rescore(loop, project, [task], [SURE])
    assert mark_sure(project, loop.tasks, NEW, above=chosen - 0.001) == 0
    assert mark_sure(project, loop.tasks, NEW, above=chosen) == 1


def test_a_task_that_this_version_has_not_scored_stays(loop: Loop) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    assert mark_sure(project, loop.tasks, NEW, above=0) == 0
    assert state(loop, task) is TaskState.SENT


def test_a_backup_that_brings_the_task_back_is_not_asked_from(loop: Loop) -> None:
    project = loop.project()
    (sure,) = loop.sent(project, 1)
    rescore(loop, project, [sure], [SURE])
    mark(loop, project)
    withdraw(loop, project)
    loop.studio.import_tasks(project.id, [payload(sure, loop.scheme)])
    assert there(loop, project) == {sure.text_id}
    sync(loop, project)
    assert (there(loop, project), state(loop, sure)) == (set(), TaskState.WITHDRAWN)


def test_another_text_at_the_number_of_a_withdrawn_task_is_not_deleted(loop: Loop) -> None:
    project = loop.project()
    (sure,) = loop.sent(project, 1)
    rescore(loop, project, [sure], [SURE])
    mark(loop, project)
    (other,) = loop.sent(project, 1)
    loop.delete(f"/api/tasks/{sure.task_id}/")
    loop.tasks.mark_found(project, {sure.text_id: other.task_id or 0})  # as where the server gave the number again
    assert withdraw(loop, project) == 0
    assert there(loop, project) == {other.text_id}
    assert sync(loop, project) == Reconciled(tasks=1)
    again = loop.tasks.get(other.text_id)
    assert again is not None and not again.missing

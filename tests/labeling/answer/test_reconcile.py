"""What webhooks missed is found: here none arrives at all."""

from labeling.answer.reconcile import Reconciled, reconcile
from storage.labels.projects import ProjectIds
from storage.records import LabelTask
from tests.fixtures_labeling import Loop, a_choice
from tests.schemes import LABELS

POSITIVE, NEUTRAL, NEGATIVE = LABELS


def found(loop: Loop, ids: ProjectIds) -> Reconciled:
    return reconcile(loop.studio, ids, loop.tasks, loop.labels)


def label(loop: Loop, task: LabelTask) -> str | None:
    row = loop.labels.get(task.text_id)
    return row.label if row else None


def test_answers_updates_and_deletions_are_found_once(loop: Loop) -> None:
    ids = loop.project()
    first, second, third, skipped, _ = loop.sent(ids, 5)
    numbers = [loop.answer(task, POSITIVE) for task in (first, second, third)]
    loop.answer(skipped, None)
    assert found(loop, ids) == Reconciled(tasks=5, answers=4)
    loop.studio.patch(f"/api/annotations/{numbers[1]}/", {"result": [a_choice("negative")]})
    loop.delete(f"/api/annotations/{numbers[2]}/")
    assert found(loop, ids) == Reconciled(tasks=5, updates=1, deletions=1)
    assert [label(loop, task) for task in (first, second, third, skipped)] == [POSITIVE, NEGATIVE, None, None]
    watermark = loop.labels.watermark()
    assert found(loop, ids) == Reconciled(tasks=5)
    assert loop.labels.watermark() == watermark


def test_an_answer_that_was_replaced_while_nobody_looked_is_found(loop: Loop) -> None:
    ids = loop.project()
    (task,) = loop.sent(ids, 1)
    old = loop.answer(task, POSITIVE)
    found(loop, ids)
    loop.delete(f"/api/annotations/{old}/")
    loop.answer(task, NEGATIVE)
    assert found(loop, ids) == Reconciled(tasks=1, answers=1, deletions=1)
    assert label(loop, task) == NEGATIVE


def test_a_task_that_is_gone_is_reported_and_its_label_stays(loop: Loop) -> None:
    ids = loop.project()
    gone, other = loop.sent(ids, 2)
    loop.answer(gone, POSITIVE)
    found(loop, ids)
    loop.delete(f"/api/tasks/{gone.task_id}/")
    assert found(loop, ids) == Reconciled(tasks=2, missing=1)
    assert loop.tasks.missing() == 1
    assert (label(loop, gone), label(loop, other)) == (POSITIVE, None)


def test_a_project_that_is_gone_is_reported_and_every_label_stays(loop: Loop) -> None:
    ids = loop.project()
    (task,) = loop.sent(ids, 1)
    loop.answer(task, POSITIVE)
    found(loop, ids)
    loop.delete(f"/api/projects/{ids.project_id}/")
    assert found(loop, ids) == Reconciled(project_gone=1)
    assert label(loop, task) == POSITIVE


def test_an_answer_outside_the_three_is_counted_and_not_taken(loop: Loop) -> None:
    ids = loop.project()
    (task,) = loop.sent(ids, 1)
    loop.answer(task, "bullish")
    assert found(loop, ids) == Reconciled(tasks=1, unusable=1)
    assert label(loop, task) is None

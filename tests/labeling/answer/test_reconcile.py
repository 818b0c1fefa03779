"""What webhooks missed is found: here none arrives at all."""

from labeling.answer.reconcile import Reconciled, reconcile
from storage.labels.projects import Project
from storage.records import LabelTask, Purpose, TaskState
from tests.fixtures_labeling import Loop, a_choice
from tests.schemes import LABELS

POSITIVE, NEUTRAL, NEGATIVE = LABELS


def found(loop: Loop, project: Project) -> Reconciled:
    return reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme)


def label(loop: Loop, task: LabelTask) -> str | None:
    row = loop.labels.get(task.text_id)
    return row.label if row else None


def test_answers_updates_and_deletions_are_found_once(loop: Loop) -> None:
    project = loop.project()
    first, second, third, skipped, _ = loop.sent(project, 5)
    numbers = [loop.answer(task, POSITIVE) for task in (first, second, third)]
    loop.answer(skipped, None)
    assert found(loop, project) == Reconciled(tasks=5, answers=4)
    loop.studio.api.annotations.update(numbers[1], result=[a_choice("negative")])
    loop.delete(f"/api/annotations/{numbers[2]}/")
    assert found(loop, project) == Reconciled(tasks=5, updates=1, deletions=1)
    assert [label(loop, task) for task in (first, second, third, skipped)] == [POSITIVE, NEGATIVE, None, None]
    watermark = loop.labels.watermark()
    assert found(loop, project) == Reconciled(tasks=5)
    assert loop.labels.watermark() == watermark


def test_an_answer_that_was_replaced_while_nobody_looked_is_found(loop: Loop) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    old = loop.answer(task, POSITIVE)
    found(loop, project)
    loop.delete(f"/api/annotations/{old}/")
    loop.answer(task, NEGATIVE)
    assert found(loop, project) == Reconciled(tasks=1, answers=1, deletions=1)
    assert label(loop, task) == NEGATIVE


def test_a_task_that_is_gone_is_reported_and_its_label_stays(loop: Loop) -> None:
    project = loop.project()
    gone, other = loop.sent(project, 2)
    loop.answer(gone, POSITIVE)
    found(loop, project)
    loop.delete(f"/api/tasks/{gone.task_id}/")
    assert found(loop, project) == Reconciled(tasks=2, missing=1)
    assert loop.tasks.missing() == 1
    assert (label(loop, gone), label(loop, other)) == (POSITIVE, None)


def test_a_project_that_is_gone_is_reported_and_every_label_stays(loop: Loop) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    loop.answer(task, POSITIVE)
    found(loop, project)
    loop.delete(f"/api/projects/{project.id}/")
    assert found(loop, project) == Reconciled(project_gone=1)
    assert label(loop, task) == POSITIVE


def test_an_answer_outside_the_scheme_is_counted_and_not_taken(loop: Loop) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    number = loop.answer(task, "sideways")
    assert found(loop, project) == Reconciled(tasks=1, unusable_annotations={number})
    assert label(loop, task) is None


def test_answers_that_were_made_from_predictions_by_one_click_are_no_labels(loop: Loop) -> None:
    project = loop.project()
    copied, edited, asked = loop.sent(project, 3)
    there = {"all": False, "included": [copied.task_id, edited.task_id]}
    loop.post(
        f"/api/dm/actions?id=predictions_to_annotations&project={project.id}", {"selectedItems": there, "ordering": []}
    )
    (made,) = (task["annotations"] for task in loop.there(project) if task["id"] == edited.task_id)
    loop.studio.api.annotations.update(made[0]["id"], result=[a_choice(NEGATIVE)], lead_time=2.0)
    assert found(loop, project) == Reconciled(tasks=3, answers=1, copies=1)
    assert [label(loop, task) for task in (copied, edited, asked)] == [None, NEGATIVE, None]


def test_a_prefilled_answer_that_was_accepted_as_it_stood_is_kept_with_that_fact(loop: Loop) -> None:
    project = loop.project()
    accepted, changed = loop.sent(project, 2)
    for task, said in ((accepted, NEUTRAL), (changed, POSITIVE)):
        (prediction,) = (one["predictions"] for one in loop.there(project) if one["id"] == task.task_id)
        given = {"result": [a_choice(said)], "lead_time": 1.5, "parent_prediction": dict(prediction[0])["id"]}
        loop.post(f"/api/tasks/{task.task_id}/annotations/", given)
    assert found(loop, project) == Reconciled(tasks=2, answers=2)
    assert [label(loop, task) for task in (accepted, changed)] == [NEUTRAL, POSITIVE]
    assert loop.labels.untouched() == 1


def test_a_skip_that_was_taken_back_makes_the_task_open_again(loop: Loop) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    number = loop.answer(task, None)
    assert found(loop, project) == Reconciled(tasks=1, answers=1)
    assert loop.tasks.counts()[Purpose.SELECT] == {TaskState.SKIPPED: 1}
    loop.studio.api.annotations.update(number, result=[], was_cancelled=False)
    found(loop, project)
    assert loop.tasks.counts()[Purpose.SELECT] == {TaskState.SENT: 1}
    loop.studio.api.annotations.update(number, result=[a_choice(POSITIVE)])
    found(loop, project)
    assert label(loop, task) == POSITIVE

"""What webhooks missed is found: here none arrives at all."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from labeling.answer.reconcile import Reconciled, reconcile
from labeling.studio.client import Studio
from storage.labels.projects import Project
from storage.records import LabelTask, Purpose, TaskState
from storage.sql.schema import AnnotationRow, Base, ProjectRow, TaskRow, TombstoneRow
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


def predict(loop: Loop, task: LabelTask) -> int:
    """Attach the model's answer as a prediction, as an earlier finloop did. Returns the prediction's id."""
    made = {"task": task.task_id, "result": [a_choice(NEUTRAL)], "model_version": "finloop", "score": 0.4}
    return int(loop.post("/api/predictions/", made)["id"])


def test_answers_that_were_made_from_predictions_by_one_click_are_no_labels(loop: Loop) -> None:
    project = loop.project()
    copied, edited, asked = loop.sent(project, 3)
    for task in (copied, edited, asked):
        predict(loop, task)
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
        given = {"result": [a_choice(said)], "lead_time": 1.5, "parent_prediction": predict(loop, task)}
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


class Liar(Studio):
    """A server whose counters stay at zero, whose lists leave out annotations, or both."""

    def __init__(self, loop: Loop, lies: Collection[str]) -> None:
        super().__init__(loop.studio.url, loop.token)
        self.lies = lies

    def tasks(
        self, project_id: int, fields: str, query: Mapping[str, Any] | None = None, *, answers: bool = False
    ) -> Iterator[dict[str, Any]]:
        for task in super().tasks(project_id, fields, query, answers=answers):
            lie: dict[str, Any] = {"annotations": []} if "lists" in self.lies else {}
            lie |= dict.fromkeys(("total_annotations", "cancelled_annotations"), 0) if "counters" in self.lies else {}
            yield task | {name: value for name, value in lie.items() if name in task}


@pytest.mark.parametrize("lies", [["counters"], ["lists"], ["counters", "lists"]], ids="+".join)
def test_wrong_counters_and_lists_hide_no_answer_and_delete_none(loop: Loop, lies: list[str]) -> None:
    project = loop.project()
    known, new, deleted, _ = loop.sent(project, 4)
    loop.answer(known, POSITIVE)
    number = loop.answer(deleted, POSITIVE)
    found(loop, project)
    loop.answer(new, NEGATIVE)
    loop.delete(f"/api/annotations/{number}/")
    liar = Liar(loop, lies)
    reconciled = reconcile(liar, project, loop.tasks, loop.labels, loop.scheme)
    liar.close()
    assert reconciled == Reconciled(tasks=4, answers=1, deletions=1)
    assert [label(loop, task) for task in (known, new, deleted)] == [POSITIVE, NEGATIVE, None]


def test_a_list_that_leaves_out_a_task_makes_no_task_missing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    project = loop.project()
    _, left_out = loop.sent(project, 2)
    everything = Studio.tasks
    monkeypatch.setattr(
        Studio, "tasks", lambda *args, **more: (t for t in everything(*args, **more) if t["id"] != left_out.task_id)
    )
    assert found(loop, project) == Reconciled(tasks=2)
    assert loop.tasks.missing() == 0


def rewrite(loop: Loop, table: type[Base], **numbers: Any) -> None:
    """Change the numbers in a table: column -> old number -> new number."""
    with loop.engine.begin() as connection:
        for name, changes in numbers.items():
            column = getattr(table, name)
            for old, new in changes.items():
                connection.execute(update(table).where(column == old).values({name: -new}))
            connection.execute(update(table).where(column < 0).values({name: -column}))


def test_numbers_that_a_reset_gave_again_bury_nothing_and_hide_nothing(loop: Loop) -> None:
    """The stored numbers are made those that the next project gets, as on a server that begins at 1 again."""
    before = loop.project()
    old = loop.sent(before, 3)
    old_numbers = [loop.answer(task, POSITIVE) for task in old]
    found(loop, before)
    loop.labels.bury(before.annotation(old_numbers[0]), old[0].text_id)
    loop.delete(f"/api/projects/{before.id}/")
    now = loop.project()
    new = loop.sent(now, 3)
    new_numbers = [loop.answer(task, NEGATIVE) for task in new]
    projects = {before.id: now.id}
    annotations = dict(zip(old_numbers, new_numbers, strict=True))
    tasks = {was.task_id: task.task_id for was, task in zip(old, new, strict=True)}
    rewrite(loop, ProjectRow, project_id=projects)
    rewrite(loop, TaskRow, project_id=projects, task_id=tasks)
    rewrite(loop, AnnotationRow, project_id=projects, task_id=tasks, annotation_id=annotations)
    rewrite(loop, TombstoneRow, project_id=projects, annotation_id=annotations)
    assert loop.project() == now
    assert (before.id, before.epoch) != (now.id, now.epoch)
    loop.tasks.mark_left_behind(now)
    assert found(loop, now) == Reconciled(tasks=3, answers=3)
    assert [label(loop, task) for task in old] == [None, POSITIVE, POSITIVE]
    assert [label(loop, task) for task in new] == [NEGATIVE] * 3
    assert found(loop, now) == Reconciled(tasks=3)


def test_a_backup_that_was_put_back_gives_numbers_to_other_texts_and_nothing_is_mixed_up(loop: Loop) -> None:
    """The project is the same, and the numbers of the last tasks and annotations are given once more."""
    project = loop.project()
    kept, lost = loop.sent(project, 2)
    numbers = [loop.answer(task, POSITIVE) for task in (kept, lost)]
    found(loop, project)
    loop.delete(f"/api/tasks/{lost.task_id}/")
    loop.labels.bury(project.annotation(numbers[1]), lost.text_id)
    (new,) = loop.sent(project, 1)
    again = loop.answer(new, NEGATIVE)
    rewrite(loop, AnnotationRow, task_id={lost.task_id: new.task_id}, annotation_id={numbers[1]: again})
    rewrite(loop, TombstoneRow, annotation_id={numbers[1]: again})
    rewrite(loop, TaskRow, task_id={lost.task_id: new.task_id})
    assert found(loop, project) == Reconciled(tasks=3, answers=1, missing=1)
    assert [label(loop, task) for task in (kept, lost, new)] == [POSITIVE, None, NEGATIVE]


def test_texts_whose_numbers_were_swapped_are_found_at_their_new_numbers(loop: Loop) -> None:
    project = loop.project()
    one, other = loop.sent(project, 2)
    loop.answer(one, POSITIVE)
    found(loop, project)
    swapped = {one.task_id: other.task_id, other.task_id: one.task_id}
    rewrite(loop, TaskRow, task_id=swapped)
    rewrite(loop, AnnotationRow, task_id=swapped)
    assert found(loop, project) == Reconciled(tasks=2)
    assert [loop.tasks.get(task.text_id) for task in (one, other)] == [replace(one, state=TaskState.ANSWERED), other]
    assert label(loop, one) == POSITIVE


def test_a_text_that_was_edited_there_gets_no_answer_and_loses_none(loop: Loop) -> None:
    project = loop.project()
    answered, edited = loop.sent(project, 2)
    loop.answer(answered, POSITIVE)
    found(loop, project)
    for task in (answered, edited):
        loop.studio.api.tasks.update(str(task.task_id), data={"text_id": task.text_id, "text": "Profit fell."})
        loop.answer(task, NEGATIVE)
    assert found(loop, project) == Reconciled(tasks=2, missing=2)
    assert [label(loop, task) for task in (answered, edited)] == [POSITIVE, None]

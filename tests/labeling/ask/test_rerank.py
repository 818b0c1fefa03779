"""After a promotion the tasks that nobody has looked at stand in the order of the new champion's doubts."""

from dataclasses import replace
from typing import Any

import pytest

from labeling.ask.rerank import rerank
from labeling.studio.queue_tab import TITLE, ensure_tab
from storage.labels.projects import Project
from storage.records import LabelTask, Purpose
from tests.fixtures_labeling import Loop, a_choice
from tests.schemes import LABELS

NEW = "8"


def rescore(loop: Loop, tasks: list[LabelTask], margins: list[float], version: str = NEW) -> None:
    """What the score flow stores after a promotion."""
    for task, margin in zip(tasks, margins, strict=True):
        assert task.prediction is not None
        said = replace(task.prediction, label=LABELS[2], margin=margin, model_version=version)
        loop.texts.record_predictions([(task.text_id, said)])


def data(loop: Loop, project: Project) -> dict[str, dict[str, Any]]:
    return {task["data"]["text_id"]: task["data"] for task in loop.there(project)}


def ranked(loop: Loop, project: Project) -> int:
    return rerank(loop.studio, project, loop.tasks, loop.texts, loop.scheme, NEW)


def test_the_new_champions_doubts_come_first_with_its_answers(loop: Loop) -> None:
    project = loop.project()
    sent = loop.sent(project, 3)
    rescore(loop, sent, [0.3, 0.1, 0.2])
    assert ranked(loop, project) == 3
    there = data(loop, project)
    assert [there[task.text_id]["worth"] for task in sent] == [3, 1, 2]
    assert {one["model_version"] for one in there.values()} == {NEW}
    assert {one["suggestion"] for one in there.values()} == {f"The model's answer: {loop.scheme.label(LABELS[2])}"}
    stored = [loop.tasks.get(task.text_id) for task in sent]
    assert [one.worth for one in stored if one] == [3, 1, 2]
    assert {one.prediction.model_version for one in stored if one and one.prediction} == {NEW}
    assert all(there[task.text_id]["reason"] and there[task.text_id]["text"] == task.text for task in sent)


def test_a_second_run_changes_nothing_and_a_run_after_a_crash_completes_the_first(loop: Loop) -> None:
    project = loop.project()
    sent = loop.sent(project, 3)
    rescore(loop, sent, [0.3, 0.1, 0.2])
    before = {task["id"]: task["data"] for task in loop.there(project)}
    assert (ranked(loop, project), ranked(loop, project)) == (3, 0)
    after = data(loop, project)
    loop.studio.update_data(sent[0].task_id or 0, before[sent[0].task_id])  # as if the first run had died before this
    assert ranked(loop, project) == 1
    assert data(loop, project) == after


def test_what_somebody_answered_or_began_stays_as_it_was(loop: Loop) -> None:
    project = loop.project()
    answered, skipped, begun, waiting = loop.sent(project, 4)
    before = data(loop, project)
    loop.answer(answered, LABELS[0])
    loop.answer(skipped, None)
    draft = {"result": [a_choice(LABELS[0])], "lead_time": 1.0}
    loop.post(f"/api/tasks/{begun.task_id}/drafts", draft)
    rescore(loop, [answered, skipped, begun, waiting], [0.1, 0.2, 0.3, 0.4])
    assert ranked(loop, project) == 1
    after = data(loop, project)
    assert [one.text_id for one in (answered, skipped, begun) if after[one.text_id] != before[one.text_id]] == []
    assert (after[waiting.text_id]["worth"], after[waiting.text_id]["model_version"]) == (1, NEW)


def test_the_audit_and_texts_that_were_not_scored_anew_are_left_alone(loop: Loop) -> None:
    project = loop.project()
    audit = loop.sent(project, 2, Purpose.AUDIT)
    loop.sent(project, 2)
    for task in audit:
        text = loop.texts.get([task.text_id])[task.text_id]
        assert text.prediction is not None
        loop.texts.record_predictions([(task.text_id, replace(text.prediction, model_version=NEW))])
    before = data(loop, project)
    assert ranked(loop, project) == 0
    assert data(loop, project) == before
    assert not any("reason" in before[task.text_id] or before[task.text_id]["suggestion"] for task in audit)


@pytest.mark.parametrize("count", [12])
def test_the_tab_and_its_queue_go_by_worth_as_a_number(loop: Loop, count: int) -> None:
    project = loop.project()
    sent = loop.sent(project, count)
    rescore(loop, sent, [1 - index / 100 for index in range(count)])
    ranked(loop, project)
    ensure_tab(loop.studio, project.id)
    views = loop.studio.get("/api/dm/views", {"project": project.id})
    (tab,) = [view for view in views if view["data"].get("title") == TITLE]
    listed = loop.studio.get("/api/tasks", {"project": project.id, "view": tab["id"], "fields": "task_only"})
    assert [task["data"]["worth"] for task in listed["tasks"]] == list(range(1, count + 1))


def test_the_tab_shows_the_text_and_hides_only_columns_that_there_are(loop: Loop) -> None:
    project = loop.project()
    loop.sent(project, 1)
    ensure_tab(loop.studio, project.id)
    (tab,) = loop.studio.get("/api/dm/views", {"project": project.id})
    columns = loop.studio.get("/api/dm/columns", {"project": project.id})["columns"]
    there = {f"tasks:{'data.' if one.get('parent') else ''}{one['id']}" for one in columns}
    shown = there - set(tab["data"]["hiddenColumns"]["explore"])
    assert shown - {"tasks:data"} == {
        *("tasks:id", "tasks:total_annotations", "tasks:cancelled_annotations"),
        *("tasks:data.text", "tasks:data.feed", "tasks:data.worth", "tasks:data.reason"),
    }

"""Ranks the tasks that nobody has looked at by a new champion, so that annotators meet the newest doubts first.

The data of a task in Label Studio are compared with what they shall be, and only differences are sent: a second run
changes nothing, and a run after a crash completes the first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from labeling.ask.reasons import Kind
from labeling.ask.send import answer_shown
from labeling.studio.client import Studio
from labeling.studio.task_data import text_carried
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import LabelTask, Prediction, Purpose
from storage.scheme import Scheme
from storage.texts.store import TextStore

Ranked = tuple[LabelTask, Prediction]
"""A task, and the newest prediction of its text."""


def rerank(studio: Studio, project: Project, tasks: Tasks, texts: TextStore, scheme: Scheme, version: str) -> int:
    """Order the open tasks of select by this version's scores, and show its answers. Returns how many tasks changed.

    Tasks with an annotation or a draft keep what their annotator sees, and so do tasks that this version has not
    scored. The audit's tasks are never touched. Raises NotThere, Unreachable or Refused.
    """
    waiting = {task.text_id: task for task in tasks.open(project.server, project.id) if task.purpose is Purpose.SELECT}
    if not waiting:
        return 0
    there = _untouched(studio, project, {text_id: task.text for text_id, task in waiting.items()})
    scored = texts.get(there)
    ranked = _in_order(
        [
            (waiting[text_id], text.prediction)
            for text_id, text in scored.items()
            if text.prediction is not None and text.prediction.model_version == version
        ]
    )
    changed = 0
    for worth, (task, prediction) in enumerate(ranked, start=1):
        number, data = there[task.text_id]
        wanted = {**data, "worth": worth, **answer_shown(prediction, scheme)}
        if wanted != data:
            studio.update_data(number, wanted)
            changed += 1
    tasks.rank([(task.text_id, prediction) for task, prediction in ranked])
    return changed


def _untouched(studio: Studio, project: Project, asked: Mapping[str, str]) -> dict[str, tuple[int, dict[str, Any]]]:
    """Text id -> number and data, of the tasks there that carry one of these texts and have no answer or draft."""
    listed = list(studio.tasks(project.id, "id,data,total_annotations,cancelled_annotations"))
    touched = studio.answered_tasks(project.id) | studio.drafted_tasks(project.id)
    return {
        text_id: (int(task["id"]), dict(task["data"]))
        for task in listed
        if (text_id := text_carried(task["data"], asked)) is not None
        and int(task["id"]) not in touched
        and not task["total_annotations"] + task["cancelled_annotations"]
    }


def _in_order(tasks: Sequence[Ranked]) -> list[Ranked]:
    """The least sure first, and the random part of a batch spread evenly among them, in the order of its draw.

    By their margins the random tasks would come last, and an annotator who stops early would answer none.
    """
    random = sorted((one for one in tasks if _is_random(one[0])), key=lambda one: (one[0].worth or 0, one[0].text_id))
    others = sorted((one for one in tasks if not _is_random(one[0])), key=lambda one: (one[1].margin, one[0].text_id))
    placed = [((place + 0.5) / len(part), one) for part in (others, random) for place, one in enumerate(part)]
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


def _is_random(task: LabelTask) -> bool:
    return task.reason is not None and task.reason.get("kind") == Kind.RANDOM

"""Where our texts are in Label Studio. A task's number is only an address: after a reset, or when a backup was put
back, a text may have another number or none, and its old number may be another text's.

A list says which texts the tasks carry. A task that the list lacks is asked for alone before it is called gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from labeling.studio.client import Studio
from labeling.studio.task_data import text_carried
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import LabelTask, TaskState


@dataclass(slots=True)
class Settled:
    """How many tasks we sent to the project and did not withdraw, and how many of them are gone."""

    tasks: int = 0
    missing: int = 0


@dataclass(slots=True)
class _Changes:
    found: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def texts_there(studio: Studio, project: Project, asked: Mapping[str, str]) -> dict[int, str]:
    """Task id -> id of the text of ours that the task carries; 3 s for 5,000 tasks. Raises NotThere."""
    tasks = studio.tasks(project.id, "id,data")
    return {int(task["id"]): text_id for task in tasks if (text_id := text_carried(task["data"], asked)) is not None}


def settle_addresses(
    studio: Studio, project: Project, tasks: Tasks, asked: Mapping[str, str], there: Mapping[int, str]
) -> Settled:
    """Store where each text is now, and mark the tasks that are gone. `there` is what `texts_there` returned.

    Tasks of an earlier project whose text is in this one are found here too.
    """
    settled, changes = Settled(), _Changes()
    # Of two tasks for one text, the older counts.
    at = {there[task_id]: task_id for task_id in sorted(there, reverse=True)}
    for task in tasks.sent():
        ours = (task.server, task.project_id, task.epoch) == (project.server, project.id, project.epoch)
        wanted = ours and task.state is not TaskState.WITHDRAWN
        settled.tasks += wanted
        number = _number_of(task, ours, there, at)
        if number is None and ours and not _known_to_be_gone(task) and _is_there(studio, project, task, asked):
            number = task.task_id
        if number is None:
            settled.missing += wanted
            changes.missing += [task.text_id] if ours and not task.missing else []
        elif not ours or task.missing or number != task.task_id:
            changes.found[task.text_id] = number
    tasks.mark_gone(changes.missing)  # by text: the number may be another text's by now
    tasks.mark_found(project, changes.found)
    return settled


def _number_of(task: LabelTask, ours: bool, there: Mapping[int, str], at: Mapping[str, int]) -> int | None:
    if ours and task.task_id is not None and there.get(task.task_id) == task.text_id:
        return task.task_id
    return at.get(task.text_id)


def _known_to_be_gone(task: LabelTask) -> bool:
    """A missing task without an answer is looked for each time, because it is asked again."""
    return task.missing and task.state is not TaskState.SENT


def _is_there(studio: Studio, project: Project, task: LabelTask, asked: Mapping[str, str]) -> bool:
    alone = None if task.task_id is None else studio.task(project.id, task.task_id)
    return alone is not None and text_carried(alone["data"], asked) == task.text_id

"""Takes back the tasks that a new champion is sure of, so that annotators' time goes where the doubt is.

A task is first marked as withdrawn in the label database, then deleted in Label Studio. A crash between the two leaves
the mark, and the next `sync` or `select` deletes the task. Each deletion comes after a look at that task alone: a task
with an answer, a skip or a draft waits on. An answer that comes between the look and the deletion is not lost, because
its webhook carries the text.
"""

from labeling.ask.reasons import Kind, Reason
from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from labeling.studio.task_data import text_carried
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import LabelTask, Purpose


def mark_sure(project: Project, tasks: Tasks, version: str, above: float) -> int:
    """Mark the open tasks whose margin has risen above a bound by this version. Returns how many were marked.

    Only tasks that a strategy chose, while their margin was not above the bound, are marked. The audit measures, the
    random part of a batch is the yardstick of asking, a quota's text was asked about for its rare label, and some
    strategies choose sure texts: doubt was not the reason for any of them.
    """
    sure = [
        task.text_id
        for task in tasks.open(project.server, project.id)
        if task.prediction is not None
        and task.prediction.model_version == version
        and task.prediction.margin > above
        and _for_doubt(task, above)
    ]
    tasks.withdraw(sure)
    return len(sure)


def withdraw_marked(studio: Studio, project: Project, tasks: Tasks) -> int:
    """Delete the marked tasks that nobody has touched, and let the others wait on. Returns how many were deleted.

    Raises NotThere, Unreachable or Refused; what is marked then stays marked.
    """
    deleted = 0
    for task in tasks.withdrawn(project):
        there = None if task.task_id is None else studio.task(project.id, task.task_id)
        if task.task_id is None or there is None or not text_carried(there["data"], {task.text_id: task.text}):
            tasks.mark_gone([task.text_id])  # where it has another number, `sync` finds it
        elif there["annotations"] or task.task_id in studio.drafted_tasks(project.id):
            tasks.keep([task.text_id])
        else:
            deleted += _deleted(studio, task.task_id)
            tasks.mark_gone([task.text_id])
    return deleted


def _deleted(studio: Studio, task_id: int) -> bool:
    try:
        studio.delete_task(task_id)
    except NotThere:  # another process was quicker
        return False
    return True


def _for_doubt(task: LabelTask, above: float) -> bool:
    if task.purpose is not Purpose.SELECT or task.reason is None:
        return False
    reason = Reason.model_validate(task.reason)
    return reason.kind is Kind.STRATEGY and reason.margin is not None and reason.margin <= above

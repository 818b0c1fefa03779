"""Finds what the webhooks missed: Label Studio sends a webhook only once, and a receiver may be down for a night.

A first request lists the id and number of answers of every task (0.1 s for 500 tasks). A second gets the answers of the
tasks that have answers there or here. Our labels are read before Label Studio is asked: an answer that arrives between
the two is recorded twice, and never taken for a deleted one.
"""

from dataclasses import asdict, dataclass

from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from labeling.studio.payloads import saved
from storage.errors import BadInput
from storage.labels.annotations import Labels
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import Annotation, AnnotationKey
from storage.scheme import Scheme

LISTED = "id,total_annotations,cancelled_annotations"
ANSWERS = "id,annotations,result,was_cancelled,completed_by,updated_at,task"


@dataclass(slots=True)
class Reconciled:
    """The changes in Label Studio that we did not know. Labels of `missing` tasks or a gone project stay."""

    tasks: int = 0
    answers: int = 0
    updates: int = 0
    deletions: int = 0
    unusable: int = 0
    missing: int = 0
    project_gone: int = 0

    def counts(self) -> dict[str, int]:
        """Each number by its name."""
        return asdict(self)


def reconcile(studio: Studio, project: Project, tasks: Tasks, labels: Labels, scheme: Scheme) -> Reconciled:
    """Bring the label store up to date with Label Studio, for every task that we sent.

    Where a task exists, an annotation that is gone was deleted. Where a task is gone, its labels stay. Raises
    Unreachable or Refused.
    """
    found, server, number = Reconciled(), project.server, project.id
    here = labels.on_task(server, number)
    sent = {task.task_id: task.text_id for task in tasks.on_server(server, number) if task.task_id is not None}
    try:
        listed = {int(task["id"]): _answers(task) for task in studio.tasks(number, LISTED)}
        asked = {task_id for task_id in sent if listed.get(task_id, 1) or here.get(task_id)}
        there = {int(task["id"]): task["annotations"] for task in studio.chosen_tasks(number, ANSWERS, asked)}
    except NotThere:
        found.project_gone = 1
        return found
    for task_id, annotations in there.items():
        _compare(annotations, here.get(task_id, {}), sent[task_id], project, labels, scheme, found)
    gone = asked - there.keys()
    tasks.mark_missing(server, number, gone)
    tasks.mark_found(server, number, sent.keys() - gone)
    found.tasks, found.missing = len(sent), len(gone)
    return found


def _answers(task: dict[str, int]) -> int:
    return task["total_annotations"] + task["cancelled_annotations"]


def _compare(
    there: list[dict[str, object]],
    here: dict[int, Annotation],
    text_id: str,
    project: Project,
    labels: Labels,
    scheme: Scheme,
    found: Reconciled,
) -> None:
    for annotation in there:
        try:
            event = saved(annotation, scheme)
        except BadInput:
            found.unusable += 1
            continue
        known = here.get(event.annotation_id)
        if known is not None and known.updated_at >= event.updated_at:
            continue
        if labels.record(event.of_text(project, text_id)).new:
            found.updates += known is not None
            found.answers += known is None
    for annotation_id in here.keys() - {annotation["id"] for annotation in there}:
        labels.bury(AnnotationKey(project.server, project.id, annotation_id))
        found.deletions += 1

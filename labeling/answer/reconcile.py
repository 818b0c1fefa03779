"""Finds what the webhooks missed: Label Studio sends a webhook only once, and a receiver may be down for a night.

A list says which of our texts each task carries (3 s for 5,000 tasks). The answers of the tasks that have answers,
there or here, come in further lists. Counters and lists are hints only: where they contradict each other, or lack an
answer that we know, that task is asked for alone before anything is called deleted. Our labels are read before Label
Studio is asked: an answer that arrives between the two is recorded twice, and never taken for a deleted one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from labeling.answer.addresses import settle_addresses
from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from labeling.studio.payloads import saved
from labeling.studio.task_data import text_carried
from storage.errors import BadInput
from storage.labels.annotations import Labels
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import Annotation
from storage.scheme import Scheme

LISTED = "id,data,total_annotations,cancelled_annotations"
ANSWERS = (
    "id,annotations,result,was_cancelled,completed_by,updated_by,updated_at,lead_time,parent_prediction,task,"
    "import_id,bulk_created,last_action"
)

Answers = Sequence[Mapping[str, Any]]
"""The annotations of one task as Label Studio has them."""


@dataclass(slots=True)
class Reconciled:
    """The changes in Label Studio that we did not know. Labels of `missing` tasks or a gone project stay.

    `unusable_annotations` hold no label of the scheme; `copies` of the model's answers were given by nobody.
    """

    tasks: int = 0
    answers: int = 0
    updates: int = 0
    deletions: int = 0
    copies: int = 0
    missing: int = 0
    project_gone: int = 0
    unusable_annotations: set[int] = field(default_factory=set)

    def counts(self) -> dict[str, int]:
        """Each number by its name."""
        counted = asdict(self)
        return {**counted, "unusable_annotations": len(self.unusable_annotations)}


def reconcile(studio: Studio, project: Project, tasks: Tasks, labels: Labels, scheme: Scheme) -> Reconciled:
    """Bring the label store up to date with Label Studio, for every task there that carries a text of ours.

    Where a task carries the text of an annotation that it does not have any more, the annotation was deleted. Where the
    task is gone or carries another text, its labels stay. Raises Unreachable or Refused.
    """
    found, here = Reconciled(), _known(labels, project)
    asked = tasks.asked()
    try:
        there = _list(studio, project, asked)
        wanted = {task_id for task_id, task in there.items() if task.answers or (task_id, task.text_id) in here}
        listed = {int(task["id"]): task["annotations"] for task in studio.chosen_tasks(project.id, ANSWERS, wanted)}
        for task_id in sorted(wanted):
            text_id, answers = there[task_id].text_id, listed.get(task_id)
            known = here.get((task_id, text_id), {})
            if answers is None or len(answers) < there[task_id].answers or known.keys() - _numbers(answers):
                answers = _alone(studio, project, task_id, text_id, asked)
            if answers is not None:
                _compare(answers, known, text_id, project, tasks, labels, scheme, found)
        texts = {task_id: task.text_id for task_id, task in there.items()}
        settled = settle_addresses(studio, project, tasks, asked, texts)
        found.tasks, found.missing = settled.tasks, settled.missing
    except NotThere:
        found.project_gone = 1
    return found


@dataclass(frozen=True, slots=True)
class _Task:
    """A task as a list has it: the text of ours that it carries, and how many answers it has at least."""

    text_id: str
    answers: int


def _known(labels: Labels, project: Project) -> dict[tuple[int, str], dict[int, Annotation]]:
    """(task id, text id) -> annotation id -> annotation, of all that we know."""
    known: dict[tuple[int, str], dict[int, Annotation]] = {}
    for one in labels.in_project(project):
        known.setdefault((one.task_id, one.text_id), {})[one.key.annotation_id] = one
    return known


def _list(studio: Studio, project: Project, asked: Mapping[str, str]) -> dict[int, _Task]:
    """The tasks of the project that carry a text of ours, by task id."""
    listed = [
        (int(task["id"]), text_id, task["total_annotations"] + task["cancelled_annotations"])
        for task in studio.tasks(project.id, LISTED)
        if (text_id := text_carried(task["data"], asked)) is not None
    ]
    answered = studio.answered_tasks(project.id)
    return {task_id: _Task(text_id, max(count, int(task_id in answered))) for task_id, text_id, count in listed}


def _alone(studio: Studio, project: Project, task_id: int, text_id: str, asked: Mapping[str, str]) -> Answers | None:
    """The answers of one task, asked for alone; None where the task is gone or is not about that text any more."""
    task = studio.task(project.id, task_id)
    if task is None or text_carried(task["data"], asked) != text_id:
        return None
    return list(task["annotations"])


def _numbers(answers: Answers) -> set[int]:
    return {int(answer["id"]) for answer in answers}


def _compare(
    there: Answers,
    here: Mapping[int, Annotation],
    text_id: str,
    project: Project,
    tasks: Tasks,
    labels: Labels,
    scheme: Scheme,
    found: Reconciled,
) -> None:
    task = tasks.get(text_id)
    if task is None:
        return
    for annotation in there:
        try:
            event = saved(annotation, scheme)
        except BadInput:
            found.unusable_annotations.add(int(annotation["id"]))
            continue
        known, given = here.get(event.annotation_id), event.of_task(project, task)
        if event.open:
            found.unusable_annotations.add(event.annotation_id)
        found.copies += given is None
        if given is None or (known is not None and known.updated_at >= event.updated_at):
            continue
        if labels.record(given).new and not given.open:
            found.updates += known is not None
            found.answers += known is None
    for annotation_id in here.keys() - _numbers(there):
        labels.bury(project.annotation(annotation_id), text_id)
        found.deletions += 1

"""Turns committed webhooks into labels. Two processes may work on one webhook, in any order: an answer is recorded
before its webhook is closed, and recording an answer twice changes nothing.

An answer may arrive before the sender has stored the task's id, or after the sender died. The text id in the task's
data then names the text. It counts only where it is the hash of the task's text, and where our task of this text has no
other id yet.
"""

from dataclasses import dataclass

from labeling.studio.payloads import AnnotationDeleted, AnnotationSaved, Event, TasksDeleted, events, project_of
from storage.errors import BadInput
from storage.labels.annotations import Labels
from storage.labels.inbox import Delivery, Inbox, InboxState
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import AnnotationKey, LabelTask
from storage.scheme import Scheme
from storage.text import text_id as identity_of


@dataclass(slots=True)
class Outcome:
    """How many webhooks ended in each state, and how many labels changed."""

    done: int = 0
    ignored: int = 0
    failed: int = 0
    labels_changed: int = 0


def record_waiting(inbox: Inbox, tasks: Tasks, labels: Labels, scheme: Scheme, project: Project) -> Outcome:
    """Process every waiting webhook, oldest first. An unusable webhook is kept as failed, with its reason."""
    outcome = Outcome()
    while rows := inbox.waiting():
        for row in rows:
            state, reason = _record_one(row, tasks, labels, scheme, project, outcome)
            inbox.close(row.id, state, reason)
            outcome.done += state is InboxState.DONE
            outcome.ignored += state is InboxState.IGNORED
            outcome.failed += state is InboxState.FAILED
    return outcome


def _record_one(
    row: Delivery, tasks: Tasks, labels: Labels, scheme: Scheme, project: Project, outcome: Outcome
) -> tuple[InboxState, str | None]:
    if project_of(row.payload) != project.id:
        return InboxState.IGNORED, f"project {project_of(row.payload)} is not ours"
    try:
        happened = events(row.action, row.payload, scheme)
    except BadInput as error:
        return InboxState.FAILED, str(error)
    if not happened:
        return InboxState.IGNORED, f"{row.action} says nothing about answers"
    foreign = [reason for event in happened if (reason := _apply(event, tasks, labels, project, outcome))]
    if len(foreign) == len(happened):
        return InboxState.IGNORED, foreign[0]
    return InboxState.DONE, foreign[0] if foreign else None


def _apply(event: Event, tasks: Tasks, labels: Labels, project: Project, outcome: Outcome) -> str | None:
    """Record an event. Returns the reason why the event is not about our tasks, or None."""
    match event:
        case AnnotationDeleted(annotation_id):
            recorded = labels.bury(AnnotationKey(project.server, project.id, annotation_id))
        case TasksDeleted(task_ids):
            tasks.mark_missing(project.server, project.id, task_ids)
            return None
        case AnnotationSaved():
            text_id = _text_of(event, tasks, project)
            if text_id is None:
                return f"task {event.task_id} is not one of ours"
            recorded = labels.record(event.of_text(project, text_id))
    outcome.labels_changed += recorded.label_changed
    return None


def _text_of(event: AnnotationSaved, tasks: Tasks, project: Project) -> str | None:
    task = tasks.by_task_id(project.server, project.id, event.task_id)
    if task is not None:
        return task.text_id
    if event.text_id is None or event.text is None or identity_of(event.text) != event.text_id:
        return None
    task = tasks.get(event.text_id)
    if task is None:
        return None
    # The sender may have stored the id after `by_task_id` looked for it.
    return task.text_id if task.task_id is None or _is_at(task, project, event.task_id) else None


def _is_at(task: LabelTask, project: Project, task_id: int) -> bool:
    return (task.server, task.project_id, task.task_id) == (project.server, project.id, task_id)

"""Turns webhooks that were committed into labels. Every step may be done twice, by two processes at once, and in any
order: what a row says is recorded before the row is closed, and recording is idempotent.

An annotator may be faster than our commit of the task ids, or the sender may have died before it. The answer is then
known by the text id in its task's data, if that text is the very one that we reserved and never noted as sent.
"""

from dataclasses import dataclass

from labeling.studio.payloads import AnnotationDeleted, AnnotationSaved, Event, TasksDeleted, events, project_of
from storage.errors import BadInput
from storage.labels.annotations import Labels
from storage.labels.inbox import Delivery, Inbox, InboxState
from storage.labels.tasks import Tasks
from storage.records import AnnotationKey, LabelTask
from storage.text import text_id as identity_of


@dataclass(slots=True)
class Outcome:
    """What one call did: webhooks by what became of them, and how many labels moved."""

    done: int = 0
    ignored: int = 0
    failed: int = 0
    labels_changed: int = 0


def record_waiting(inbox: Inbox, tasks: Tasks, labels: Labels, server: str, project_id: int) -> Outcome:
    """Work on every waiting webhook, oldest first. A row that says nonsense is kept as failed, with its reason."""
    outcome = Outcome()
    while rows := inbox.waiting():
        for row in rows:
            state, reason = _record_one(row, tasks, labels, server, project_id, outcome)
            inbox.close(row.id, state, reason)
            outcome.done += state is InboxState.DONE
            outcome.ignored += state is InboxState.IGNORED
            outcome.failed += state is InboxState.FAILED
    return outcome


def _record_one(
    row: Delivery, tasks: Tasks, labels: Labels, server: str, project_id: int, outcome: Outcome
) -> tuple[InboxState, str | None]:
    if project_of(row.payload) != project_id:
        return InboxState.IGNORED, f"project {project_of(row.payload)} is not ours"
    try:
        happened = events(row.action, row.payload)
    except BadInput as error:
        return InboxState.FAILED, str(error)
    if not happened:
        return InboxState.IGNORED, f"{row.action} says nothing about answers"
    foreign = [reason for event in happened if (reason := _apply(event, tasks, labels, server, project_id, outcome))]
    if len(foreign) == len(happened):
        return InboxState.IGNORED, foreign[0]
    return InboxState.DONE, foreign[0] if foreign else None


def _apply(event: Event, tasks: Tasks, labels: Labels, server: str, project_id: int, outcome: Outcome) -> str | None:
    """Record an event; returns why it is none of our business, if it is."""
    match event:
        case AnnotationDeleted(annotation_id):
            recorded = labels.bury(AnnotationKey(server, project_id, annotation_id))
        case TasksDeleted(task_ids):
            tasks.mark_missing(server, project_id, task_ids)
            return None
        case AnnotationSaved():
            text_id = _text_of(event, tasks, server, project_id)
            if text_id is None:
                return f"task {event.task_id} is not one of ours"
            recorded = labels.record(event.of_text(server, project_id, text_id))
    outcome.labels_changed += recorded.label_changed
    return None


def _text_of(event: AnnotationSaved, tasks: Tasks, server: str, project_id: int) -> str | None:
    task = tasks.by_task_id(server, project_id, event.task_id)
    if task is not None:
        return task.text_id
    if event.text_id is None or event.text is None or identity_of(event.text) != event.text_id:
        return None
    task = tasks.get(event.text_id)
    if task is None:
        return None
    # The sender may have noted the id since we asked for it.
    return task.text_id if task.task_id is None or _is_at(task, server, project_id, event.task_id) else None


def _is_at(task: LabelTask, server: str, project_id: int, task_id: int) -> bool:
    return (task.server, task.project_id, task.task_id) == (server, project_id, task_id)

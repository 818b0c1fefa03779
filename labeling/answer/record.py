"""Turns committed webhooks into labels. Two processes may work on one webhook, in any order: an answer is recorded
before its webhook is closed, and recording an answer twice changes nothing.

The text id in the task's data names the text, and the text beside it must be the one that we sent. The task's number is
not asked: an answer may arrive before the sender has stored the number, and after a reset the number is another text's.
A webhook belongs to the project whose marker it carries: one of an earlier project may have waited in the inbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeling.studio.marker import marked_epochs
from labeling.studio.payloads import (
    AnnotationDeleted,
    AnnotationSaved,
    Event,
    TasksDeleted,
    Unreadable,
    events,
    project_of,
)
from labeling.studio.task_data import text_carried
from storage.errors import BadInput
from storage.labels.annotations import Labels
from storage.labels.inbox import Delivery, Inbox, InboxState
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import LabelTask
from storage.scheme import Scheme


@dataclass(slots=True)
class Outcome:
    """How many webhooks ended in each state, and how many labels changed."""

    done: int = 0
    ignored: int = 0
    failed: int = 0
    labels_changed: int = 0


def record_waiting(
    inbox: Inbox, tasks: Tasks, labels: Labels, scheme: Scheme, project: Project, before: Sequence[Project] = ()
) -> Outcome:
    """Process every waiting webhook, oldest first. An unusable webhook is kept as failed, with its reason.

    `before` are our earlier projects on the same server.
    """
    outcome = Outcome()
    while rows := inbox.waiting():
        for row in rows:
            state, reason = _record_one(row, tasks, labels, scheme, [project, *before], outcome)
            inbox.close(row.id, state, reason)
            outcome.done += state is InboxState.DONE
            outcome.ignored += state is InboxState.IGNORED
            outcome.failed += state is InboxState.FAILED
    return outcome


def _record_one(
    row: Delivery, tasks: Tasks, labels: Labels, scheme: Scheme, ours: Sequence[Project], outcome: Outcome
) -> tuple[InboxState, str | None]:
    if (project := _project_of(row.payload, ours)) is None:
        return InboxState.IGNORED, f"project {project_of(row.payload)} is not ours"
    try:
        happened = events(row.action, row.payload, scheme)
    except BadInput as error:
        return InboxState.FAILED, str(error)
    if not happened:
        return InboxState.IGNORED, f"{row.action} says nothing about answers"
    unread = [reason for event in happened if (reason := _unread(event))]
    foreign = [reason for event in happened if (reason := _apply(event, tasks, labels, project, outcome))]
    if unread:
        return InboxState.FAILED, unread[0]
    if len(foreign) == len(happened):
        return InboxState.IGNORED, foreign[0]
    return InboxState.DONE, foreign[0] if foreign else None


def _unread(event: Event) -> str | None:
    """Why an event holds an answer that is no label of ours, or None."""
    match event:
        case Unreadable(reason):
            return reason
        case AnnotationSaved(open=reason):
            return reason or None
    return None


def _project_of(payload: Mapping[str, Any], ours: Sequence[Project]) -> Project | None:
    """Our project that a webhook is about: by number and marker, or by number alone where there is no marker."""
    there, number = payload.get("project"), project_of(payload)
    epochs = marked_epochs(there.get("description")) if isinstance(there, Mapping) else []
    return next((one for one in ours if one.id == number and (not epochs or one.epoch in epochs)), None)


def _apply(event: Event, tasks: Tasks, labels: Labels, project: Project, outcome: Outcome) -> str | None:
    """Record an event. Returns the reason why the event is not about our tasks, or None."""
    match event:
        case AnnotationDeleted(annotation_id):
            recorded = labels.bury(project.annotation(annotation_id))
        case TasksDeleted(task_ids):
            tasks.mark_missing(project, task_ids)
            return None
        case AnnotationSaved():
            if (task := _task_of(event, tasks)) is None:
                return f"task {event.task_id} carries no text that we sent"
            if (annotation := event.of_task(project, task)) is None:
                return f"nobody gave annotation {event.annotation_id}: it copies the model's answer"
            recorded = labels.record(annotation)
        case Unreadable():
            return None
    outcome.labels_changed += recorded.label_changed
    return None


def _task_of(event: AnnotationSaved, tasks: Tasks) -> LabelTask | None:
    """The task whose text the annotator saw. A webhook without the text is left to `sync`, which asks Label Studio."""
    task = None if event.text_id is None else tasks.get(event.text_id)
    if task is None:
        return None
    carried = text_carried({"text_id": event.text_id, "text": event.text}, {task.text_id: task.text})
    return task if carried is not None else None

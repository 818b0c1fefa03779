"""Sends reserved texts to annotators, and finds out after a crash which of them had arrived.

An import is not idempotent, and it may be done while its answer is lost. So it is sent once; whoever takes a batch
over asks first which of its texts Label Studio has. Only who holds the batch's lease sends.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from labeling.ask.batch import BATCH_LEASE
from labeling.studio.client import Studio
from labeling.studio.interface import check_tasks, choice
from labeling.studio.project import MODEL_NAME
from storage.errors import Busy, FinloopError
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import LabelTask, Purpose, TaskState
from storage.scheme import Scheme
from storage.texts.paging import batches

CHUNK = 500
"""Tasks in one import: about 0.6 s and a quarter of a megabyte."""

IMPORT_SECONDS = 60.0
"""How long a server with background jobs may take to make the tasks of one import."""


def send_batch(
    studio: Studio, project: Project, tasks: Tasks, scheme: Scheme, batch_id: str, owner: str
) -> list[LabelTask]:
    """Import the reserved tasks of a batch and note their ids; returns those that were sent by this call.

    Raises Busy where the batch has passed to another, Unreachable or Refused where Label Studio does not take it: what
    was not noted as sent is sent by `recover_batches` when the lease has run out.
    """
    waiting = [task for task in tasks.batch(batch_id) if task.state is TaskState.RESERVED]
    for chunk in batches(waiting, CHUNK):
        if not tasks.renew(batch_id, owner, BATCH_LEASE):
            raise Busy(f"batch {batch_id} has passed to another process, which sends the rest of it")
        sending = [payload(task, scheme) for task in chunk]
        check_tasks(scheme, sending)
        task_ids = studio.import_tasks(project.id, sending)
        if len(task_ids) == len(chunk):
            made = {task.text_id: int(task_id) for task, task_id in zip(chunk, task_ids, strict=True)}
        else:
            made = _await_import(studio, project, batch_id, chunk)
        tasks.mark_sent(project.server, project.id, made)
    sent = {task.text_id for task in waiting}
    return [task for task in tasks.batch(batch_id) if task.text_id in sent]


def recover_batches(studio: Studio, project: Project, tasks: Tasks, scheme: Scheme) -> list[LabelTask]:
    """Finish what a crashed sender left: batches whose lease ran out. Texts that Label Studio has are only noted.

    Returns the tasks that this call noted or sent.
    """
    owner, done = uuid.uuid4().hex, []
    for batch_id in tasks.take_over(owner, BATCH_LEASE):
        waiting = {task.text_id for task in tasks.batch(batch_id) if task.state is TaskState.RESERVED}
        found = {text_id: task for text_id, task in _arrived(studio, project, batch_id).items() if text_id in waiting}
        tasks.mark_sent(project.server, project.id, found)
        send_batch(studio, project, tasks, scheme, batch_id, owner)
        done += [task for task in tasks.batch(batch_id) if task.text_id in waiting]
    return done


def payload(task: LabelTask, scheme: Scheme) -> dict[str, Any]:
    """A task as Label Studio takes it; the model's answer is prefilled, except where accuracy is measured."""
    data: dict[str, Any] = {
        "text": task.text,
        "text_id": task.text_id,
        "feed": task.source,  # `source` in a labelling config is the whole task, whatever the data says
        "batch_id": task.batch_id,
        "purpose": task.purpose.value,
    }
    if task.prediction is None or task.purpose is Purpose.AUDIT:
        return {"data": data}
    prediction = {
        "model_version": MODEL_NAME,
        "score": task.prediction.confidence,
        "result": [choice(scheme, task.prediction.label)],
    }
    return {"data": {**data, "model_version": task.prediction.model_version}, "predictions": [prediction]}


def _await_import(studio: Studio, project: Project, batch_id: str, chunk: Sequence[LabelTask]) -> dict[str, int]:
    """The task ids of an import that the server does in the background, found by text id."""
    wanted = {task.text_id for task in chunk}

    def look() -> dict[str, int]:
        return {text_id: task for text_id, task in _arrived(studio, project, batch_id).items() if text_id in wanted}

    made: dict[str, int] = Retrying(
        retry=retry_if_result(lambda found: len(found) < len(wanted)),
        wait=wait_fixed(1),
        stop=stop_after_delay(IMPORT_SECONDS),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )(look)
    if len(made) < len(wanted):
        raise FinloopError(
            f"Label Studio made {len(made)} of {len(wanted)} tasks within {IMPORT_SECONDS:.0f} s; "
            "`finloop sync` looks again and sends what is missing"
        )
    return made


def _arrived(studio: Studio, project: Project, batch_id: str) -> dict[str, int]:
    """Text id -> task id of every task of a batch that Label Studio has; of two the older, as sent first."""
    of_batch = {"filter": "filter:tasks:data.batch_id", "operator": "equal", "type": "String", "value": batch_id}
    query = {"filters": {"conjunction": "and", "items": [of_batch]}}
    found: dict[str, int] = {}
    for task in studio.tasks(project.id, "id,data", query):
        text_id = str(task["data"].get("text_id"))
        found[text_id] = min(int(task["id"]), found.get(text_id, int(task["id"])))
    return found

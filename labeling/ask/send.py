"""Sends every reserved text to annotators once, also after a crash.

An import is not idempotent, and Label Studio may do an import whose response is lost. So an import is sent once, by the
holder of the batch's lease. A process that takes over a batch first asks which of its texts Label Studio has.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from labeling.ask.batch import BATCH_LEASE
from labeling.ask.reasons import Reason
from labeling.studio.client import Studio
from labeling.studio.interface import check_tasks
from labeling.studio.task_data import text_carried
from storage.errors import Busy, FinloopError
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import LabelTask, Prediction, Purpose, TaskState
from storage.scheme import Scheme
from storage.texts.paging import batches

CHUNK = 500
"""Tasks in one import: about 0.6 s and a quarter of a megabyte."""

IMPORT_SECONDS = 60.0
"""How long a server with background jobs may take to make the tasks of one import."""


def send_batch(
    studio: Studio, project: Project, tasks: Tasks, scheme: Scheme, batch_id: str, owner: str
) -> list[LabelTask]:
    """Import the reserved tasks of a batch and store their ids. Returns the tasks that this call sent.

    Raises Busy where another process has the batch now, Unreachable or Refused where Label Studio does not take the
    tasks. `recover_batches` sends the rest after the lease has expired.
    """
    waiting = [task for task in tasks.batch(batch_id) if task.state is TaskState.RESERVED]
    waiting.sort(key=lambda task: (task.worth or 0, task.text_id))  # Label Studio's own queue goes by task number
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
        tasks.mark_sent(project, made)
    sent = {task.text_id for task in waiting}
    return [task for task in tasks.batch(batch_id) if task.text_id in sent]


def recover_batches(studio: Studio, project: Project, tasks: Tasks, scheme: Scheme) -> list[LabelTask]:
    """Send the batches of crashed senders, whose lease has expired. Texts that Label Studio has are not sent again.

    Returns the tasks of these batches that were not marked as sent.
    """
    owner, done = uuid.uuid4().hex, []
    for batch_id in tasks.take_over(owner, BATCH_LEASE):
        waiting = {task.text_id: task.text for task in tasks.batch(batch_id) if task.state is TaskState.RESERVED}
        found = _arrived(studio, project, batch_id, waiting)
        tasks.mark_sent(project, found)
        send_batch(studio, project, tasks, scheme, batch_id, owner)
        done += [task for task in tasks.batch(batch_id) if task.text_id in waiting]
    return done


def payload(task: LabelTask, scheme: Scheme) -> dict[str, Any]:
    """A task in Label Studio's form. It shows the model's answer beside the text; a task of the audit shows none.

    The answer is no prediction of Label Studio's, which would tick the choice: its key would then take the tick away,
    and one click would turn hundreds of predictions into annotations that nobody gave. The reason of the choice is data
    to sort and filter by, and the annotator's page does not show it, because it would bias the answer.
    """
    data: dict[str, Any] = {
        "text": task.text,
        "text_id": task.text_id,
        "feed": task.source,  # `source` in a labelling config is the whole task, whatever the data says
        "batch_id": task.batch_id,
        "purpose": task.purpose.value,
        "suggestion": "",
    }
    if task.worth is not None:
        data["worth"] = task.worth
    if task.reason is not None:
        data["reason"] = said(task)
    if task.prediction is None or task.purpose is Purpose.AUDIT:
        return {"data": data}
    return {"data": {**data, **answer_shown(task.prediction, scheme)}}


def answer_shown(prediction: Prediction, scheme: Scheme) -> dict[str, str]:
    """What a task's data says of the model's answer."""
    shown = f"The model's answer: {scheme.label(prediction.label)}"
    return {"suggestion": shown, "model_version": prediction.model_version}


def said(task: LabelTask) -> str:
    """Why a text was chosen, in a sentence; empty for a task of the audit, or of an older home."""
    return Reason.model_validate(task.reason).sentence if task.reason is not None else ""


def _await_import(studio: Studio, project: Project, batch_id: str, chunk: Sequence[LabelTask]) -> dict[str, int]:
    """The task ids of an import that the server does in the background, found by text id."""
    wanted = {task.text_id: task.text for task in chunk}
    made: dict[str, int] = Retrying(
        retry=retry_if_result(lambda found: len(found) < len(wanted)),
        wait=wait_fixed(1),
        stop=stop_after_delay(IMPORT_SECONDS),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )(_arrived, studio, project, batch_id, wanted)
    if len(made) < len(wanted):
        raise FinloopError(
            f"Label Studio made {len(made)} of {len(wanted)} tasks within {IMPORT_SECONDS:.0f} s; "
            "`finloop sync` looks again and sends what is missing"
        )
    return made


def _arrived(studio: Studio, project: Project, batch_id: str, wanted: Mapping[str, str]) -> dict[str, int]:
    """Text id -> task id of the batch's texts that are in Label Studio. Of two tasks for one text, the older counts."""
    of_batch = {"filter": "filter:tasks:data.batch_id", "operator": "equal", "type": "String", "value": batch_id}
    query = {"filters": {"conjunction": "and", "items": [of_batch]}}
    found: dict[str, int] = {}
    for task in studio.tasks(project.id, "id,data", query):
        if (text_id := text_carried(task["data"], wanted)) is not None:
            found[text_id] = min(int(task["id"]), found.get(text_id, int(task["id"])))
    return found

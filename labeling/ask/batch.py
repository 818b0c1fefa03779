"""Chooses the texts that annotators are asked about next. A text is reserved before it is sent, so that annotators
never get a text twice: not from two selects at once, and not after a crash.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

from storage.labels.tasks import Tasks
from storage.records import LabelTask, Purpose, Text
from storage.texts.store import TextStore

BATCH_LEASE = timedelta(minutes=5)
"""After this time another process may take over a reserved batch; sending takes seconds."""

PAGE = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """Reserved texts; `owner` must send them before the lease expires."""

    batch_id: str
    owner: str
    tasks: tuple[LabelTask, ...]


def choose(store: TextStore, tasks: Tasks, champion_version: str, size: int) -> Batch:
    """Reserve the `size` texts without a task that have the lowest margin, by the scores of this version only.

    Where another select reserves some of them first, the next texts take their place. Fewer are reserved only where
    there are no more. Texts of the audit share are never chosen.
    """
    return _reserve(store.lowest_margin(champion_version), tasks, Purpose.SELECT, size)


def choose_audit(store: TextStore, tasks: Tasks, size: int, seed: int) -> Batch:
    """Reserve `size` random texts of the audit share, without predictions, which would bias the annotators."""
    texts = (replace(text, prediction=None) for text in store.random_audit(seed))
    return _reserve(texts, tasks, Purpose.AUDIT, size)


def _reserve(texts: Iterator[Text], tasks: Tasks, purpose: Purpose, size: int) -> Batch:
    batch_id, owner = uuid.uuid4().hex, uuid.uuid4().hex
    ours: list[LabelTask] = []
    waiting: list[Text] = []
    while len(ours) < size:
        if not waiting:
            page = list(islice(texts, PAGE))
            if not page:
                break
            known = tasks.known([text.text_id for text in page])
            waiting = [text for text in page if text.text_id not in known]
        wanted = size - len(ours)
        ours = tasks.reserve(waiting[:wanted], purpose, batch_id, owner, BATCH_LEASE)
        waiting = waiting[wanted:]
    return Batch(batch_id, owner, tuple(ours))

"""Which texts are asked next. Reserving comes before sending, so that selects that run beside each other, and a crash
between the two, never put one text before annotators twice.
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
"""How long a reserved batch waits for its sender before another may take it over; sending takes seconds."""

PAGE = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts that are now ours to send; `owner` must send them before the lease runs out."""

    batch_id: str
    owner: str
    tasks: tuple[LabelTask, ...]


def choose(store: TextStore, tasks: Tasks, champion_version: str, size: int) -> Batch:
    """Reserve the `size` texts of lowest margin, by this version's scores only, that nobody was asked about.

    Where another select takes some of them at the same time, the next ones take their place; fewer are reserved only
    where there are no more. Texts of the audit share are never among them.
    """
    return _reserve(store.lowest_margin(champion_version), tasks, Purpose.SELECT, size)


def choose_audit(store: TextStore, tasks: Tasks, size: int, seed: int) -> Batch:
    """Reserve `size` random texts of the audit share, without the model's answer: a hint would bias the measurement."""
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

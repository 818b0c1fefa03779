"""Chooses the texts that annotators are asked about next. A text is reserved before it is sent, so that annotators
never get a text twice: not from two selects at once, and not after a crash.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice

import numpy as np

from labeling.ask.candidates import Candidates
from labeling.ask.compose import Composition
from labeling.ask.pool import Positions
from storage.labels.tasks import Tasks
from storage.records import LabelTask, Purpose, Text
from storage.texts.store import TextStore

BATCH_LEASE = timedelta(minutes=5)
"""After this time another process may take over a reserved batch; sending takes seconds."""

PAGE = 500


Compose = Callable[[Positions, int], Composition]
"""Composes a batch of at most so many texts among these rows of the candidates; the rows chosen are rows of these."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Reserved texts; `owner` must send them before the lease expires.

    `left_out` maps a reason to the number of texts that were left out for that reason.
    """

    batch_id: str
    owner: str
    tasks: tuple[LabelTask, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def choose(store: TextStore, tasks: Tasks, candidates: Candidates, compose: Compose, size: int) -> Batch:
    """Reserve the texts of a composed batch, each with the reason and in the order of the composition.

    Where another select reserves some of them first, others take their place. Fewer than `size` are reserved only where
    there are no more. Without a champion no task carries a prediction: a version that is gone would answer.
    """
    batch_id, owner = uuid.uuid4().hex, uuid.uuid4().hex
    ours: list[LabelTask] = []
    tried: set[str] = set()
    left_out = Counter(candidates.left_out)
    while len(ours) < size and len(rows := _open(candidates, tasks, tried)):
        composition = compose(rows, size - len(ours))
        left_out.update({} if tried else composition.left_out)
        reasons = {candidates.text_ids[rows[one.position]]: one.reason.model_dump() for one in composition.chosen}
        if not reasons:
            break
        found = store.get(reasons)
        texts = [found[text_id] for text_id in reasons if text_id in found]
        if not candidates.is_scored:
            texts = [replace(text, prediction=None) for text in texts]
        first = len(ours) + 1
        ours = tasks.reserve(texts, Purpose.SELECT, batch_id, owner, BATCH_LEASE, reasons=reasons, first=first)
        tried |= reasons.keys()
    return Batch(batch_id, owner, tuple(ours), dict(left_out))


def choose_audit(store: TextStore, tasks: Tasks, size: int, seed: int) -> Batch:
    """Reserve `size` random texts of the audit share, without predictions, which would bias the annotators.

    Near-duplicates stay in: production sees each copy, so the accuracy on production must count each copy.
    """
    texts = (replace(text, prediction=None) for text in store.random_audit(seed))
    return _reserve(texts, tasks, Purpose.AUDIT, size)


def _open(candidates: Candidates, tasks: Tasks, tried: set[str]) -> Positions:
    """The rows of the candidates that have no task yet."""
    gone = tasks.known(candidates.text_ids) | tried
    return np.array([row for row, one in enumerate(candidates.text_ids) if one not in gone], dtype=np.intp)


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
        ours = tasks.reserve(waiting[:wanted], purpose, batch_id, owner, BATCH_LEASE, first=len(ours) + 1)
        waiting = waiting[wanted:]
    return Batch(batch_id, owner, tuple(ours))

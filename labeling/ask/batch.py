"""Chooses the texts that annotators are asked about next. A text is reserved before it is sent, so that annotators
never get a text twice: not from two selects at once, and not after a crash.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, islice

from storage.labels.tasks import Tasks
from storage.records import LabelTask, Purpose, Text
from storage.text import cluster_key
from storage.texts.store import TextStore

BATCH_LEASE = timedelta(minutes=5)
"""After this time another process may take over a reserved batch; sending takes seconds."""

PAGE = 500


Near = Callable[[Sequence[str], Iterable[str]], set[int]]
"""The positions of texts that are near one of the others, or near an earlier text: what the merge calls near."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Reserved texts; `owner` must send them before the lease expires."""

    batch_id: str
    owner: str
    tasks: tuple[LabelTask, ...]


def choose(store: TextStore, tasks: Tasks, champion_version: str, size: int, near: Near) -> Batch:
    """Reserve the `size` texts without a task that have the lowest margin, by the scores of this version only.

    Where another select reserves some of them first, the next texts take their place. Fewer are reserved only where
    there are no more. Texts of the audit share are never chosen, nor are texts near them, because these cannot train.
    One text of a near-duplicate group is chosen, and none of a group that annotators were asked about. Of texts that
    differ only in numbers, links, cashtags or mentions, one is chosen at a time.
    """
    return _reserve(_distinct(store, tasks, champion_version, near), tasks, Purpose.SELECT, size)


def choose_audit(store: TextStore, tasks: Tasks, size: int, seed: int) -> Batch:
    """Reserve `size` random texts of the audit share, without predictions, which would bias the annotators.

    Near-duplicates stay in: production sees each copy, so the accuracy on production must count each copy.
    """
    texts = (replace(text, prediction=None) for text in store.random_audit(seed))
    return _reserve(texts, tasks, Purpose.AUDIT, size)


def _distinct(store: TextStore, tasks: Tasks, version: str, near: Near) -> Iterator[Text]:
    """Texts by ascending margin, the first of each near-duplicate group.

    The audit share is read only for a page that has a new group, so that a flood of copies is passed quickly.
    """
    candidates, seen, keys = store.lowest_margin(version), list[str](), set[str]()
    while page := list(islice(candidates, PAGE)):
        known = tasks.known([text.text_id for text in page])
        first = _first_of_each_key([text for text in page if text.text_id not in known], keys)
        fresh = _without(near, first, seen)
        if fresh:
            seen += [text.text for text in fresh]
            aside = (text.text for text in store.random_audit(seed=0))
            yield from _without(near, fresh, chain(tasks.asked().values(), aside))


def _first_of_each_key(texts: Iterable[Text], keys: set[str]) -> list[Text]:
    """The texts whose cluster key is not in `keys` yet; their keys are added.

    Short copies of one news that differ in numbers and links share too few 5-grams to be near.
    """
    found = []
    for text in texts:
        if (key := cluster_key(text.text)) not in keys:
            keys.add(key)
            found.append(text)
    return found


def _without(near: Near, texts: list[Text], others: Iterable[str]) -> list[Text]:
    left_out = near([text.text for text in texts], others)
    return [text for position, text in enumerate(texts) if position not in left_out]


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

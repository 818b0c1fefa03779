"""Batches and the seeded orders of texts, which must be the same in every store."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last one shorter; nothing is read ahead of the list that is asked for."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def seeded_order(text_ids: Iterable[str], seed: int) -> list[str]:
    """The ids in a random order that depends on the seed and the ids alone.

    The ids are sorted by a hash of seed and id. A text that is ingested later takes a place between the others and
    moves none of them, so that the first n texts of an audit stay nearly the same.
    """
    return sorted(text_ids, key=lambda identity: hashlib.sha256(f"{seed}:{identity}".encode()).digest())


def random_id(seed: int) -> str:
    """A text id that the seed fixes, uniform over all ids; no text need have it."""
    return hashlib.sha256(f"from:{seed}".encode()).hexdigest()[:32]

"""Cutting streams of texts into pieces, the same way for every store: batches to write, one seeded order to read."""

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
    """The ids in an order that is random for a seed, the same in every store and whatever order they came in.

    By a hash of seed and id instead of a shuffle: a text that is ingested later falls between the others and does
    not deal them again, so the first n of an audit stay nearly the first n.
    """
    return sorted(text_ids, key=lambda identity: hashlib.sha256(f"{seed}:{identity}".encode()).digest())

"""Draws texts of the stream that need no label: those from which a retrained model learns once more, among others."""

from collections.abc import Iterator
from itertools import chain, islice

from storage.records import DatasetVersion, Split, Text
from storage.texts.paging import batches
from storage.texts.store import TextStore

PAGE = 500


def scored_texts(texts: TextStore, seed: int) -> Iterator[Text]:
    """The texts outside the audit share that any version scored, each version's in the seed's random order.

    The version that scored most of them comes first.
    """
    parts = sorted(texts.counts().predicted.items(), key=lambda one: (-one[1], one[0]))
    return chain.from_iterable(texts.random_texts(version, seed) for version, _ in parts)


def unlabelled_texts(texts: TextStore, dataset: DatasetVersion, size: int, seed: int) -> list[str]:
    """At most `size` random texts of the stream that may train without a label. Any version may have scored them.

    They are outside the audit share, are no rows of the dataset, and are near no audit text and near no test row, so
    that nothing which judges ever trains.
    """
    if size == 0:
        return []
    from training.data.clusters import near_any

    rows = {row.text_id for row in dataset.rows}
    test = [row.text for row in dataset.rows if row.split is Split.TEST]
    drawn = (text.text for text in scored_texts(texts, seed) if text.text_id not in rows)
    found: list[str] = []
    for page in batches(islice(drawn, 3 * size), max(PAGE, size)):
        aside = chain(test, (text.text for text in texts.random_audit(seed=0)))
        near = near_any(page, chain(aside, found))
        found += [text for at, text in enumerate(page) if at not in near]
        if len(found) >= size:
            break
    return found[:size]

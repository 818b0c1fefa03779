"""Draws the texts without a label from which a retrained model learns once more."""

from itertools import chain, islice

from storage.models.registry import Registry
from storage.records import DatasetVersion, Split
from storage.texts.paging import batches
from storage.texts.store import TextStore

PAGE = 500


def unlabelled_texts(texts: TextStore, registry: Registry, dataset: DatasetVersion, size: int, seed: int) -> list[str]:
    """At most `size` random texts of the stream that may train without a label; none without a champion.

    They are outside the audit share, are no rows of the dataset, and are near no audit text and near no test row, so
    that nothing which judges ever trains.
    """
    champion = registry.champion()
    if champion is None or size == 0:
        return []
    from training.data.clusters import near_any

    rows = {row.text_id for row in dataset.rows}
    test = [row.text for row in dataset.rows if row.split is Split.TEST]
    drawn = (text.text for text in texts.random_texts(champion.version, seed) if text.text_id not in rows)
    found: list[str] = []
    for page in batches(islice(drawn, 3 * size), max(PAGE, size)):
        aside = chain(test, (text.text for text in texts.random_audit(seed=0)))
        near = near_any(page, chain(aside, found))
        found += [text for at, text in enumerate(page) if at not in near]
        if len(found) >= size:
            break
    return found[:size]

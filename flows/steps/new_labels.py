"""Counts the labels that the next retrain would learn from, by the merge itself.

The trap: the label store knows which labels are new, and only the merge knows which of these may train. A retrain that
started on the store's count would build the dataset of the last retrain again, where all new labels lie near audit or
test texts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.intents import Retrain
from storage.datasets.versions import Datasets
from storage.errors import FinloopError, Unreachable
from storage.labels.annotations import Labels
from storage.texts.store import TextStore
from storage.work.outbox import Outbox

if TYPE_CHECKING:
    from training.data.seed import SeedData


@dataclass(frozen=True, slots=True)
class NewLabels:
    """The trainable labels that no dataset has read: how many annotators gave, and how many the merge keeps."""

    given: int
    kept: int


def count_new(
    labels: Labels, texts: TextStore, datasets: Datasets, read_seed: Callable[[], "SeedData"], at_least: int = 1
) -> NewLabels:
    """Count the labels since the newest dataset. Fewer than `at_least` are not merged, and all of them count as kept.

    A merge takes 1.3 s for the PhraseBank, 300 labels and 1,000 audit texts. All labels count as kept where the seed
    data cannot be read: the retrain says so. Raises Unreachable where the text store is away.
    """
    watermark = datasets.watermark()
    given = labels.trainable_since(watermark)
    if given < max(1, at_least):
        return NewLabels(given, given)
    from flows.steps.dataset import merged
    from training.data.merge import MergePolicy

    try:
        seed = read_seed()
    except (FinloopError, OSError):
        return NewLabels(given, given)
    snapshot = labels.snapshot()
    new = {label.text_id for label in snapshot.trainable if label.sequence > watermark}
    rows = merged(snapshot, texts, datasets, seed, MergePolicy()).rows
    return NewLabels(len(new), sum(row.origin == "label" and row.text_id in new for row in rows))


def announce(
    labels: Labels,
    texts: TextStore,
    datasets: Datasets,
    outbox: Outbox,
    read_seed: Callable[[], "SeedData"],
    threshold: int,
) -> bool:
    """Intend a retrain where the merge keeps `threshold` new labels. True: this call intended the retrain.

    The receiver and sync both call this. The watermark is the intent's key, so that only one of them intends it.
    """
    watermark = datasets.watermark()
    if outbox.get(Retrain(watermark, 0).key) is not None:
        return False
    try:
        new = count_new(labels, texts, datasets, read_seed, at_least=threshold)
    except Unreachable:  # the text store is away: the retrain needs the store too, and the next sync counts again
        return False
    return new.kept >= threshold and outbox.intend(Retrain(watermark, new.kept))

"""Decides whether there are enough new labels for a retrain: trainable labels after the newest dataset's watermark."""

from dataclasses import dataclass

from storage.labels.annotations import Labels


@dataclass(frozen=True, slots=True)
class NewLabels:
    """How many trainable labels changed after a watermark, and whether they are enough."""

    count: int
    enough: bool


def new_labels(labels: Labels, watermark: int, threshold: int) -> NewLabels:
    """Count, in SQL, the labels after `watermark`; `threshold` of them are enough."""
    count = labels.trainable_since(watermark)
    return NewLabels(count, count >= threshold)

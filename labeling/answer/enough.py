"""Says once that there are enough new labels. They are counted in SQL since the last dataset's watermark, and the
watermark is the intent's key: receiver and sync may both say it, and one event goes out.
"""

from storage.labels.annotations import Labels
from storage.work.outbox import Outbox

KIND = "enough-labels"


def announce(labels: Labels, watermark: int, threshold: int, outbox: Outbox) -> bool:
    """Intend the event if `threshold` trainable labels changed after `watermark`; True where it is intended now first.

    The event says since when and how many; the flow that it starts counts again.
    """
    count = labels.trainable_since(watermark)
    if count < threshold:
        return False
    return outbox.add(f"retrain:{watermark}", KIND, {"watermark": watermark, "labels": count})

"""Deletes what was only needed for a while, so that an idle house does not grow for ever.

Labels, annotations, tombstones, datasets and models are never deleted here.
"""

from dataclasses import asdict, dataclass
from datetime import timedelta

from flows.intents import Resume, Retrain
from storage.clock import now
from storage.datasets.versions import Datasets
from storage.labels.inbox import Inbox
from storage.work.outbox import Entry, Outbox
from storage.work.problems import Problems


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows were deleted."""

    webhooks: int
    intents: int
    problems: int

    def said(self) -> str:
        """`12 webhooks, 3 intents, 0 problems`."""
        return ", ".join(f"{count} {name}" for name, count in asdict(self).items())


def prune(inbox: Inbox, outbox: Outbox, problems: Problems, datasets: Datasets, keep: timedelta) -> Pruned:
    """Delete processed webhooks, finished intents and ended problems that are older than `keep`.

    The intents of a retrain stay while its labels are in no judged dataset: their keys say what was started already.
    """
    before, watermark = now() - keep, datasets.watermark()
    old = [entry for entry in outbox.finished(before) if not _may_count_again(entry, watermark)]
    outbox.forget(old)
    return Pruned(inbox.prune(before), len(old), problems.prune(before))


def _may_count_again(entry: Entry, watermark: int) -> bool:
    return entry.kind in (Retrain.kind, Resume.kind) and entry.payload["watermark"] >= watermark

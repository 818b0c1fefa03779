"""Does what a verdict says: the verdict is kept, a promoted candidate is to be deployed, its dataset is closed."""

from flows.prefect_events import CHALLENGER
from storage.datasets.versions import Datasets
from storage.models.registry import Registry
from storage.models.verdict import Verdict
from storage.records import DatasetVersion
from storage.work.outbox import Outbox

PROMOTE = "promote"
UNFINISHED = "unfinished"
"""The kind of an intent that nobody brings about: it says in `finloop status` that a training was given up."""


def record_decision(
    verdict: Verdict, dataset: DatasetVersion, registry: Registry, datasets: Datasets, outbox: Outbox
) -> None:
    """Keep the verdict; a promoted candidate becomes the challenger, and its deployment is intended.

    The intents are committed before the dataset is closed. A crash in between repeats the judging, which intends the
    same under the same keys.
    """
    version = verdict.candidate
    registry.record_verdict(version, verdict)
    if verdict.promoted:
        registry.set_alias("challenger", version)
        outbox.add(f"{PROMOTE}:{version}", PROMOTE, {"version": version})
        outbox.add(f"deploy:{version}:1", CHALLENGER, {"version": version})
    _close(dataset, datasets, outbox)


def decided_before(
    dataset: DatasetVersion, recipe_hash: str, registry: Registry, datasets: Datasets, outbox: Outbox
) -> bool:
    """Whether the newest labels led back to a dataset whose model, of the same recipe, was judged: nothing is new.

    The dataset is closed again, because newer labels were read into it.
    """
    if not datasets.judged(dataset.version):
        return False
    known = registry.find(dataset.version, recipe_hash)
    if known is None or known.verdict is None:
        return False
    _close(dataset, datasets, outbox)
    return True


def _close(dataset: DatasetVersion, datasets: Datasets, outbox: Outbox) -> None:
    """Mark the dataset as judged, and end the trouble over the labels in it.

    Labels that came after its watermark are not in it: trouble over them stays.
    """
    datasets.mark_judged(dataset.version)
    read, since = dataset.label_watermark, f"{UNFINISHED}:{dataset.label_watermark}"
    for intent in outbox.troubled(UNFINISHED):
        if intent.payload["watermark"] <= read and intent.key != since:
            outbox.overtake(intent.key)

"""Does what a verdict says: the verdict is kept, a promoted candidate is to be deployed, its dataset is closed."""

from flows.intents import Deploy, Promote
from flows.steps.recover import end_unfinished
from storage.datasets.versions import Datasets
from storage.models.registry import Registry
from storage.models.verdict import Verdict
from storage.records import DatasetVersion
from storage.work.outbox import Outbox
from storage.work.problems import Problems


def record_decision(
    verdict: Verdict,
    dataset: DatasetVersion,
    registry: Registry,
    datasets: Datasets,
    outbox: Outbox,
    problems: Problems,
) -> None:
    """Keep the verdict; a promoted candidate becomes the challenger, and its deployment is intended.

    The intents are committed before the dataset is closed. A crash in between repeats the judging, which intends the
    same under the same keys.
    """
    version = verdict.candidate
    registry.record_verdict(version, verdict)
    if verdict.promoted:
        registry.set_alias("challenger", version)
        outbox.intend(Promote(version))
        outbox.intend(Deploy(version, attempt=1))
    _close(dataset, datasets, problems)


def decided_before(
    dataset: DatasetVersion, recipe_hash: str, registry: Registry, datasets: Datasets, problems: Problems
) -> bool:
    """Whether the newest labels led back to a dataset whose model, of the same recipe, was judged: nothing is new.

    The dataset is closed again, because newer labels were read into it.
    """
    if not datasets.judged(dataset.version):
        return False
    known = registry.find(dataset.version, recipe_hash)
    if known is None or known.verdict is None:
        return False
    _close(dataset, datasets, problems)
    return True


def _close(dataset: DatasetVersion, datasets: Datasets, problems: Problems) -> None:
    """Mark the dataset as judged, and end the problems of trainings on the labels that are in it."""
    datasets.mark_judged(dataset.version)
    end_unfinished(problems, dataset.label_watermark)

"""Carries a verdict out: stores it, intends the deployment of a promoted candidate, and closes the dataset."""

from flows.intents import Deploy, Promote
from flows.steps.recover import end_unfinished, end_unusable
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
    """Store the verdict. A promoted candidate becomes the challenger, and its deployment is intended.

    The intents are committed before the dataset is closed. After a crash between the two, the next retrain judges
    again and intends the same keys.
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
    """Whether nothing is new: the dataset's model of this recipe has a verdict.

    The dataset is then closed again, because newer labels may have been read into it.
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
    end_unusable(problems)

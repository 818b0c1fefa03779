"""Runs champion and candidate on the same frozen rows, and has the gate decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.clock import now
from storage.datasets.versions import Datasets
from storage.labels.annotations import Labels
from storage.models.manifest import ADOPTED
from storage.models.registry import ModelVersion, Registry
from storage.models.unlabelled import read_unlabelled
from storage.models.verdict import Verdict
from storage.records import DatasetVersion, Split
from storage.scheme import Scheme

if TYPE_CHECKING:
    from training.judge.evaluate import Examples
    from training.judge.gate import GatePolicy, Judgement


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict on a candidate, and the judgement with both models' predictions."""

    verdict: Verdict
    candidate: ModelVersion
    judgement: "Judgement"


def judge(
    candidate: ModelVersion,
    dataset: DatasetVersion,
    registry: Registry,
    labels: Labels,
    datasets: Datasets,
    scheme: Scheme,
    policy: "GatePolicy",
) -> Judged:
    """Judge a candidate against the champion on the audit slice, the dataset's test rows and the obvious cases.

    The audit slice holds no near-duplicate of a row that either model trained on.
    """
    from training.judge import gate
    from training.judge.evaluate import rows_as_examples
    from training.model.classifier import Classifier

    champion = registry.champion()
    if champion is not None and champion.version == candidate.version:
        champion = None
    judgement = gate.judge(
        None if champion is None else Classifier.load(registry.folder(champion.version), scheme.names),
        Classifier.load(registry.folder(candidate.version), scheme.names),
        audit_slice(labels, datasets, registry, [candidate, *([champion] if champion else [])]),
        rows_as_examples(row for row in dataset.rows if row.split is Split.TEST),
        scheme.obvious,
        policy,
    )
    verdict = Verdict(
        decision=judgement.ruling.decision,
        reason=judgement.ruling.reason,
        checks=judgement.ruling.checks,
        champion=champion.version if champion else None,
        candidate=candidate.version,
        dataset=dataset.version,
        judged_at=now(),
    )
    return Judged(verdict, candidate, judgement)


def audit_slice(labels: Labels, datasets: Datasets, registry: Registry, versions: Sequence[ModelVersion]) -> "Examples":
    """The answered audit rows that are no near-duplicate of a text that trained any of these model versions."""
    from training.judge.evaluate import examples

    answered = labels.audit()
    seen = near_trained(datasets, registry, versions, [label.text for label in answered])
    return examples(
        (label.text, label.label)
        for index, label in enumerate(answered)
        if index not in seen and label.label is not None
    )


def near_trained(
    datasets: Datasets, registry: Registry, versions: Sequence[ModelVersion], texts: Sequence[str]
) -> set[int]:
    """The positions of the texts that are near a text that trained any of these versions.

    Such texts are the train and validation rows, and the texts from which a version learnt without a label. Raises
    CorruptModel where the file of these is damaged; the weights are not looked at.
    """
    from training.data.clusters import near_duplicates

    names = {version.manifest.dataset_version for version in versions}
    known = {name for name in names if not name.startswith(ADOPTED)}
    trained = {row.text for name in known for row in datasets.load(name).rows if row.split is not Split.TEST}
    for version in versions:
        trained.update(read_unlabelled(registry.source(version.version), version.manifest))
    return {mine for mine, _ in near_duplicates(texts, list(trained))}

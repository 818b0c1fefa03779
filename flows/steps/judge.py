"""Runs champion and candidate on the same frozen rows, and has the gate decide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.clock import now
from storage.datasets.parents import LABEL
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
        audit_slice(labels, [learnt_by(one, registry, datasets) for one in (candidate, champion) if one is not None]),
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


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a version learnt from: how many annotators' labels, and the texts that trained it."""

    labels: int
    texts: set[str]


def learnt_by(version: ModelVersion, registry: Registry, datasets: Datasets) -> Learnt:
    """What a version learnt from: its train and validation rows, and texts without a label.

    Raises UnknownVersion where its dataset is gone, CorruptModel where the file of texts is damaged; the weights are
    not looked at. A version that was trained elsewhere has no rows here.
    """
    name = version.manifest.dataset_version
    rows = () if name.startswith(ADOPTED) else datasets.load(name).rows
    texts = {row.text for row in rows if row.split is not Split.TEST}
    texts.update(read_unlabelled(registry.source(version.version), version.manifest))
    return Learnt(sum(row.origin == LABEL for row in rows), texts)


def audit_slice(labels: Labels, learnt: Iterable[Learnt]) -> "Examples":
    """The answered audit rows that are no near-duplicate of a text that trained one of the versions."""
    from training.judge.evaluate import examples

    answered = labels.audit()
    seen = near_trained([label.text for label in answered], learnt)
    return examples(
        (label.text, label.label)
        for index, label in enumerate(answered)
        if index not in seen and label.label is not None
    )


def near_trained(texts: Sequence[str], learnt: Iterable[Learnt]) -> set[int]:
    """The positions of the texts that are near a text that trained one of the versions."""
    from training.data.clusters import near_duplicates

    trained = set[str]().union(*(one.texts for one in learnt))
    return {mine for mine, _ in near_duplicates(texts, list(trained))}

"""Measures what labels brought, by running earlier versions again on the audit rows that none of them trained near.

This comes after the verdict, and no deployment waits for it. A run that dies meanwhile leaves the version without
evidence, which harms nobody; `finloop retrain` measures again with the next labels.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from flows.steps.judge import Learnt, audit_slice, learnt_by
from storage.datasets.versions import Datasets
from storage.errors import BadInput, CorruptModel, UnknownVersion
from storage.labels.annotations import Labels
from storage.models.registry import ModelVersion, Registry
from storage.models.worth import LEAST_AUDIT_ROWS, CurvePoint, Evidence, LearningCurve
from storage.scheme import Scheme

if TYPE_CHECKING:
    from training.judge.evaluate import Evaluation
    from training.model.classifier import Classifier

Made = TypeVar("Made")

MOST = 8
"""Versions on a curve: each is loaded and reads every audit row."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Versions of one recipe on the same audit rows: the evaluation of each, and the learning curve that they make."""

    curve: LearningCurve
    by_version: "Mapping[str, Evaluation]" = field(default_factory=dict)

    @classmethod
    def unknown(cls, fault: str) -> Self:
        """No version was evaluated, and why not."""
        return cls(LearningCurve(audit_rows=0, points=(), fault=fault))


def learning_curve(
    candidate: ModelVersion, registry: Registry, labels: Labels, datasets: Datasets, scheme: Scheme
) -> Evaluated:
    """The candidate and the promoted versions of its recipe on the same audit rows, and what more labels are worth.

    A version whose model or dataset cannot be read is left out. With too few audit rows no model is run.
    """
    from training.judge.evaluate import evaluate

    found = _readable(milestones(candidate, registry), registry, datasets)
    rows = audit_slice(labels, [learnt for _, learnt in found])
    if len(rows) < LEAST_AUDIT_ROWS:
        return Evaluated(LearningCurve(audit_rows=len(rows), points=()))
    ran = [
        (one, learnt.labels, evaluation)
        for one, learnt in found
        if (evaluation := made_by(one, registry, scheme, partial(evaluate, given=rows))) is not None
    ]
    return Evaluated(_curve(ran, len(rows)), {one.version: evaluation for one, _, evaluation in ran})


def milestones(candidate: ModelVersion, registry: Registry) -> list[ModelVersion]:
    """The candidate and the earlier promoted versions of its recipe, oldest first: MOST, the first always among them.

    Versions of another recipe or base model are no part: they differ by more than their labels.
    """
    found = [
        one
        for one in registry.versions()
        if one.manifest.recipe_hash == candidate.manifest.recipe_hash
        and int(one.version) < int(candidate.version)
        and one.verdict is not None
        and one.verdict.promoted
    ]
    return [*found[:1], *found[1:][-(MOST - 2) :], candidate]


def made_by(
    version: ModelVersion, registry: Registry, scheme: Scheme, use: "Callable[[Classifier], Made]"
) -> Made | None:
    """What `use` makes with a version's model; None where its folder is gone or damaged."""
    from training.model.classifier import Classifier

    with suppress(CorruptModel, BadInput):
        return use(Classifier.load(registry.folder(version.version), scheme.names))
    return None


def keep(version: str, registry: Registry, **measured: object) -> Evidence:
    """Store what was measured beside a version, with what was stored before."""
    evidence = registry.resolve(version).evidence.model_copy(update=measured)
    registry.record_evidence(version, evidence)
    return evidence


def _readable(
    versions: list[ModelVersion], registry: Registry, datasets: Datasets
) -> list[tuple[ModelVersion, Learnt]]:
    found = []
    for one in versions:
        with suppress(UnknownVersion, CorruptModel):
            found.append((one, learnt_by(one, registry, datasets)))
    return found


def _curve(ran: "list[tuple[ModelVersion, int, Evaluation]]", rows: int) -> LearningCurve:
    """The curve of evaluations, oldest first. Where two models never differ, one row's weight is the error."""
    from training.judge.curves import Gain, worth_of_more

    points, gains = list[CurvePoint](), list[Gain]()
    for version, labels, evaluation in ran:
        difference = evaluation.against(ran[0][2])
        error = max(difference.error, 1 / rows)
        if points:
            gains.append(Gain(labels, difference.macro_f1, error))
        points.append(
            CurvePoint(
                version=version.version,
                labels=labels,
                macro_f1=evaluation.scores().macro_f1,
                gain=difference.macro_f1,
                error=error if points else 0.0,
            )
        )
    worth = worth_of_more(gains, points[0].labels) if gains else None
    return LearningCurve(audit_rows=rows, points=tuple(points), worth=worth)

"""Trains a model on the random share of the labels alone, to tell what the candidate's gain would have cost at random.

The model is never registered, and its folder is removed. It has no manifest, so that a killed run leaves nothing that
the next retrain could take for a candidate.
"""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.steps.judge import audit_slice
from flows.steps.worth import milestones, ran_on
from labeling.ask.reasons import Kind
from storage.datasets.parents import LABEL
from storage.datasets.versions import Datasets
from storage.errors import CorruptModel
from storage.labels.annotations import Labels
from storage.labels.tasks import Tasks
from storage.models.places import UNREGISTERED
from storage.models.registry import ModelVersion, Registry
from storage.models.unlabelled import read_unlabelled
from storage.models.worth import LEAST_AUDIT_ROWS, Yardstick
from storage.records import Row
from storage.scheme import Scheme

if TYPE_CHECKING:
    from training.judge.evaluate import Evaluation, Examples
    from training.model.base_model import BaseModel
    from training.model.recipe import Recipe

LEAST_RANDOM = 20
"""With fewer random labels, what they brought is luck."""


@dataclass(frozen=True, slots=True)
class Trainer:
    """What a training needs beside its rows."""

    base_model: "BaseModel"
    recipe: "Recipe"
    progress: Callable[[float, str], None] | None = None


def yardstick(
    candidate: ModelVersion,
    trainer: Trainer,
    registry: Registry,
    labels: Labels,
    tasks: Tasks,
    datasets: Datasets,
    scheme: Scheme,
) -> Yardstick:
    """What the candidate's gain over its recipe's first version would have cost at random. The caller holds the lease.

    The random model trains on the candidate's own rows, less the labels that were not drawn at random.
    """
    first, rows = milestones(candidate, registry)[0], datasets.load(candidate.manifest.dataset_version).rows
    drawn = {one.text_id for one in tasks.sent() if one.reason is not None and one.reason.get("kind") == Kind.RANDOM}
    kept = [row for row in rows if row.origin != LABEL or row.text_id in drawn]
    asked, random = (sum(row.origin == LABEL for row in some) for some in (rows, kept))
    damaged = _damaged([first, candidate], registry)
    audit = audit_slice(labels, datasets, registry, [] if damaged else [first, candidate])
    found = Yardstick(version=candidate.version, audit_rows=len(audit), labels=asked, gain=0.0, random_labels=random)
    fault = damaged or _fault(first, candidate, random, len(audit))
    before, after = (None, None) if fault else (ran_on(one, audit, registry, scheme) for one in (first, candidate))
    if before is None or after is None:
        return found.model_copy(update={"fault": fault or f"version {first.version} or its own cannot be loaded"})
    stream = read_unlabelled(registry.source(candidate.version), candidate.manifest)
    return _measured(found, before, after, _trained(kept, stream, trainer, registry, scheme, audit))


def _damaged(versions: list[ModelVersion], registry: Registry) -> str | None:
    for one in versions:
        try:
            registry.folder(one.version)
        except CorruptModel:
            return f"version {one.version} cannot be loaded"
    return None


def _fault(first: ModelVersion, candidate: ModelVersion, random: int, audit: int) -> str | None:
    if first.version == candidate.version:
        return "there is no earlier version of its recipe"
    if audit < LEAST_AUDIT_ROWS:
        return f"{audit} answered audit rows of at least {LEAST_AUDIT_ROWS}; run `finloop audit` and answer its tasks"
    if random < LEAST_RANDOM:
        return f"{random} of its labels were drawn at random, of at least {LEAST_RANDOM}"
    return None


def _trained(
    rows: list[Row], stream: list[str], trainer: Trainer, registry: Registry, scheme: Scheme, audit: "Examples"
) -> "Evaluation":
    """A model of these rows, and of the same texts without a label as the candidate, on the audit rows."""
    from training.judge.evaluate import evaluate
    from training.model.classifier import Classifier
    from training.model.finetune import finetune

    folder = registry.artifacts / UNREGISTERED / "yardstick"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        finetune(rows, trainer.base_model, trainer.recipe, folder, scheme.names, trainer.progress, unlabelled=stream)
        return evaluate(Classifier.load(folder, scheme.names), audit)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(found: Yardstick, first: "Evaluation", chosen: "Evaluation", random: "Evaluation") -> Yardstick:
    from training.judge.yardstick import cost_at_random

    cost = cost_at_random(first, chosen, random, found.random_labels)
    bounds = {"cost": cost.labels, "low": cost.low, "high": cost.high}
    return found.model_copy(
        update={
            "gain": chosen.against(first).macro_f1,
            "random_gain": random.against(first).macro_f1,
            **{name: value if math.isfinite(value) else None for name, value in bounds.items()},
        }
    )

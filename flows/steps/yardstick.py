"""Trains a model on the random share of the labels alone, to tell what the candidate's gain would have cost at random.

The model is never registered, and its folder is removed. It has no manifest, so that a killed run leaves nothing that
the next retrain could take for a candidate.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from flows.steps.judge import audit_slice, learnt_by
from flows.steps.random_share import RandomShare
from flows.steps.worth import made_by
from storage.datasets.versions import Datasets
from storage.labels.annotations import Labels
from storage.models.places import UNREGISTERED
from storage.models.registry import Registry
from storage.models.unlabelled import read_unlabelled
from storage.models.worth import Yardstick
from storage.records import Row
from storage.scheme import Scheme

if TYPE_CHECKING:
    from training.judge.evaluate import Evaluation, Examples
    from training.model.base_model import BaseModel
    from training.model.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Trainer:
    """What a training needs beside its rows."""

    base_model: "BaseModel"
    recipe: "Recipe"
    progress: Callable[[float, str], None] | None = None


def yardstick(
    share: RandomShare, trainer: Trainer, registry: Registry, labels: Labels, datasets: Datasets, scheme: Scheme
) -> Yardstick:
    """What the candidate's gain would have cost at random, by a model of the share. The caller holds the lease."""
    from training.judge.evaluate import evaluate

    pair = [share.first, share.candidate]
    audit = audit_slice(labels, [learnt_by(one, registry, datasets) for one in pair])
    before, after = (made_by(one, registry, scheme, partial(evaluate, given=audit)) for one in pair)
    if before is None or after is None:
        return share.found(len(audit), fault=f"version {share.first.version} or its own cannot be loaded")
    stream = read_unlabelled(registry.source(share.candidate.version), share.candidate.manifest)
    return _measured(share, before, after, _trained(share.rows, stream, trainer, registry, scheme, audit))


def _trained(
    rows: Sequence[Row],
    stream: Sequence[str],
    trainer: Trainer,
    registry: Registry,
    scheme: Scheme,
    audit: "Examples",
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


def _measured(share: RandomShare, first: "Evaluation", chosen: "Evaluation", random: "Evaluation") -> Yardstick:
    from training.judge.yardstick import cost_at_random

    cost = cost_at_random(first, chosen, random, share.random)
    bounds = {"cost": cost.labels, "low": cost.low, "high": cost.high}
    return share.found(len(chosen.truth), chosen.against(first).macro_f1).model_copy(
        update={
            "random_gain": random.against(first).macro_f1,
            **{name: value if math.isfinite(value) else None for name, value in bounds.items()},
        }
    )

"""Trains a model on the random share of the labels alone, to tell what the candidate's gain would have cost at random.

The model is never registered, and its folder is removed. It has no manifest, so that a killed run leaves nothing that
the next retrain could take for a candidate.
"""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.steps.random_share import RandomShare
from flows.steps.worth import Evaluated
from storage.models.places import UNREGISTERED
from storage.models.registry import Registry
from storage.models.unlabelled import read_unlabelled
from storage.models.worth import Yardstick
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
    share: RandomShare, evaluated: Evaluated, trainer: Trainer, registry: Registry, scheme: Scheme
) -> Yardstick:
    """What the candidate's gain would have cost at random, by a model of the share on the audit rows of the curve.

    The caller holds the lease, and `told_by_curve` has found nothing missing: both versions of the share are evaluated.
    """
    from training.judge.evaluate import Examples

    first, chosen = (evaluated.by_version[one.version] for one in (share.first, share.candidate))
    audit = Examples(chosen.texts, chosen.truth)
    return _measured(share, first, chosen, _trained(share, trainer, registry, scheme, audit))


def _trained(
    share: RandomShare, trainer: Trainer, registry: Registry, scheme: Scheme, audit: "Examples"
) -> "Evaluation":
    """A model of the share's rows, and of the same texts without a label as the candidate, on the audit rows."""
    from training.judge.evaluate import evaluate
    from training.model.classifier import Classifier
    from training.model.finetune import finetune

    base, recipe, progress = trainer.base_model, trainer.recipe, trainer.progress
    stream = read_unlabelled(registry.source(share.candidate.version), share.candidate.manifest)
    folder = registry.artifacts / UNREGISTERED / "yardstick"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        finetune(share.rows, base, recipe, folder, scheme.names, progress, unlabelled=stream)
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

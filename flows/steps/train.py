"""Trains a candidate: a model folder with its manifest, registered once for each dataset and recipe."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from storage.clock import now
from storage.models.manifest import Manifest, write_manifest
from storage.models.registry import ModelVersion, Registry
from storage.records import DatasetVersion, Row
from storage.scheme import Scheme

if TYPE_CHECKING:
    from training.model.base_model import BaseModel
    from training.model.finetune import Recipe

Progress = Callable[[float, str], None]


def train(
    dataset: DatasetVersion,
    base_model: "BaseModel",
    registry: Registry,
    recipe: "Recipe",
    scheme: Scheme,
    home: Path,
    progress: Progress | None = None,
) -> ModelVersion:
    """Train on a dataset from the base model, and register the model. A model that is registered is only returned.

    The caller holds the lease on retraining, because the folders of earlier trainings in `home` are removed.
    """
    known = registry.find(dataset.version, recipe.hash_on(base_model.name))
    if known is not None:
        return known
    home = home.resolve()
    for left in home.glob("training-*"):
        shutil.rmtree(left, ignore_errors=True)
    workplace = Path(tempfile.mkdtemp(prefix="training-", dir=home))
    try:
        make_model(dataset.rows, dataset.version, base_model, recipe, scheme, workplace / "model", progress)
        return registry.register(workplace / "model")
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def make_model(
    rows: Sequence[Row],
    dataset_version: str,
    base_model: "BaseModel",
    recipe: "Recipe",
    scheme: Scheme,
    folder: Path,
    progress: Progress | None = None,
) -> Manifest:
    """Train on rows into an empty or new folder, and write its manifest. Raises BadInput before it writes."""
    from training.model.finetune import finetune

    made = finetune(rows, base_model, recipe, folder, scheme.names, progress)
    return write_manifest(
        folder,
        Manifest(
            base_model=base_model.name,
            exposed=base_model.exposed,
            dataset_version=dataset_version,
            recipe=recipe.model_dump(mode="json"),
            recipe_hash=recipe.hash_on(base_model.name),
            metrics={**made.metrics, "training_seconds": made.seconds},
            scheme=scheme.name,
            labels=made.labels,
            created_at=now(),
        ),
    )

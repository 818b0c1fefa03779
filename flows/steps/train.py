"""Trains a candidate: a model folder with its manifest, registered once for each dataset and recipe."""

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from storage.clock import now
from storage.errors import CorruptModel, FinloopError
from storage.models.manifest import Manifest, write_manifest
from storage.models.mlflow_store import of_folder
from storage.models.places import room_for, unregistered
from storage.models.registry import ModelVersion, Registry
from storage.models.unlabelled import write_unlabelled
from storage.records import DatasetVersion, Row
from storage.scheme import Scheme

if TYPE_CHECKING:
    from training.model.base_model import BaseModel
    from training.model.recipe import Recipe

Progress = Callable[[float, str], None]


def train(
    dataset: DatasetVersion,
    base_model: "BaseModel",
    registry: Registry,
    recipe: "Recipe",
    scheme: Scheme,
    progress: Progress | None = None,
    unlabelled: Sequence[str] = (),
) -> ModelVersion:
    """Train on a dataset from the base model, and register the model. A model that is registered is only returned.

    The model also learns from the `unlabelled` texts, where its recipe says so.

    What cannot be registered is known before the training. A trained model whose registration fails, or whose process
    is killed, stays in the registry's folder, and the next call registers it. The caller holds the lease on retraining,
    because what earlier trainings left half-made is removed.
    """
    recipe_hash = recipe.hash_on(base_model.name)
    known = registry.find(dataset.version, recipe_hash)
    if known is not None:
        return known
    for said in registry.prepare(_size(base_model.folder)):
        print(said)  # noqa: T201 - Prefect logs what a flow prints
    registry.champion()  # a champion that is not ours could not be judged against
    trained = registry.kept(dataset.version, recipe_hash)
    if trained is None:
        trained = room_for(dataset.version, recipe_hash, registry.artifacts)
        with _removed_if_it_fails(trained), _disk_named(trained):
            make_model(dataset.rows, dataset.version, base_model, recipe, scheme, trained, progress, unlabelled)
    return _register(registry, trained)


def _register(registry: Registry, folder: Path) -> ModelVersion:
    try:
        made = registry.register(folder)
    except CorruptModel:
        raise
    except FinloopError as error:
        said = f"The trained model is kept in {folder}; the next retrain registers it."
        error.args = (f"{error.args[0]}\n{said}", *error.args[1:])
        raise
    if folder in unregistered(registry.artifacts):
        shutil.rmtree(folder, ignore_errors=True)
    return made


@contextmanager
def _removed_if_it_fails(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def _disk_named(folder: Path) -> Iterator[None]:
    """Name a disk that is full, also where the library that writes the weights has an error of its own."""
    try:
        yield
    except FinloopError:
        raise
    except Exception as error:
        full = "No space left on device" in str(error) or "StorageFull" in str(error)
        if isinstance(error, OSError) or full:
            named = error if isinstance(error, OSError) and error.errno else OSError(errno.ENOSPC, str(error))
            raise of_folder(named, folder) from error
        raise


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def make_model(
    rows: Sequence[Row],
    dataset_version: str,
    base_model: "BaseModel",
    recipe: "Recipe",
    scheme: Scheme,
    folder: Path,
    progress: Progress | None = None,
    unlabelled: Sequence[str] = (),
) -> Manifest:
    """Train on rows into an empty or new folder, and write its manifest. Raises BadInput before it writes."""
    from training.model.finetune import finetune

    made = finetune(rows, base_model, recipe, folder, scheme.names, progress, unlabelled=unlabelled)
    write_unlabelled(folder, made.unlabelled)
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

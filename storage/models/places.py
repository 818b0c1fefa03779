"""Where the files of models lie, relative to the home's folder of models: a home that was moved still finds them.

MLflow keeps absolute addresses, which are those of the day on which the model was registered.

    <run id>/artifacts/model      a registered model
    unregistered/<name>           a model in training; one with a manifest waits for its registration
"""

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from storage.errors import CorruptModel
from storage.models.manifest import MANIFEST_NAME, Manifest, check_manifest

FOLDER = "model"
PLACE_TAG = "folder"
UNREGISTERED = "unregistered"


def place_of(run: str) -> PurePosixPath:
    """The place of a run's model, relative to the folder of models."""
    return PurePosixPath(run, "artifacts", FOLDER)


def folder_of(entry: Any, artifacts: Path) -> Path:
    """The folder of one of MLflow's model versions. Raises CorruptModel where its address is no folder."""
    said = str(entry.tags.get(PLACE_TAG, ""))
    if said and not PurePosixPath(said).is_absolute() and ".." not in PurePosixPath(said).parts:
        return artifacts / said
    address = source_of(entry)
    for tail in (place_of(entry.run_id) if entry.run_id else None, PurePosixPath(*address.parts[-3:])):
        if tail is not None and (artifacts / tail).is_dir():
            return artifacts / tail
    return address


def source_of(entry: Any) -> Path:
    """The folder that MLflow has for a version. Raises CorruptModel where the address is none of a folder."""
    address = urlsplit(entry.source or "")
    if address.scheme not in ("", "file") or not address.path:
        raise CorruptModel(
            f"the model at {entry.source} does not lie in a folder; finloop reads models from shared folders only"
        )
    return Path(unquote(address.path) if address.scheme else str(entry.source))


def copy_model(folder: Path, to: Path) -> Manifest:
    """Copy the files of a model folder and check the copy. Raises OSError or CorruptModel; the caller removes `to`."""
    for path in sorted(folder.rglob("*")):
        target = to / path.relative_to(folder)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return check_manifest(to)


def room_for(dataset_version: str, recipe_hash: str, artifacts: Path) -> Path:
    """The place of a model to be trained, after every training that was killed half-way is removed.

    A model is trained where it waits for its registration, so that nothing that ends the process loses the model. One
    process at a time may train into these artifacts.
    """
    waiting = artifacts / UNREGISTERED
    waiting.mkdir(parents=True, exist_ok=True)
    place = waiting / f"{dataset_version[:12]}-{recipe_hash[:12]}"
    for left in waiting.iterdir():
        if left == place or not (left / MANIFEST_NAME).is_file():
            shutil.rmtree(left, ignore_errors=True)
    return place


def unregistered(artifacts: Path) -> list[Path]:
    """The folders of trained models that wait for their registration."""
    return sorted(path.parent for path in artifacts.glob(f"{UNREGISTERED}/*/{MANIFEST_NAME}"))


def kept(artifacts: Path) -> Iterator[tuple[Path, Manifest]]:
    """The trained models that wait for their registration, and those whose versions were deleted in MLflow.

    A folder that is damaged is passed over.
    """
    for path in [
        *artifacts.glob(f"{UNREGISTERED}/*/{MANIFEST_NAME}"),
        *artifacts.glob(f"*/*/{FOLDER}/{MANIFEST_NAME}"),
    ]:
        try:
            yield path.parent, check_manifest(path.parent)
        except CorruptModel:
            continue

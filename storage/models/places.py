"""Where the files of models lie, relative to the home's folder of models: a home that was moved still finds them.

MLflow keeps absolute addresses, which are those of the day on which the model was registered.

    <run id>/artifacts/model      a registered model
    unregistered/<name>           a trained model whose registration failed; the next try takes it
"""

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from storage.errors import CorruptModel
from storage.models.manifest import MANIFEST_NAME, Manifest, check_manifest, read_manifest

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


def keep(folder: Path, artifacts: Path) -> Path:
    """Move a trained model, which cannot be registered now, into the home's folder of models. Returns its place."""
    manifest = read_manifest(folder)
    place = artifacts / UNREGISTERED / f"{manifest.dataset_version[:12]}-{manifest.recipe_hash[:12]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        shutil.rmtree(place)
    return folder.rename(place)


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

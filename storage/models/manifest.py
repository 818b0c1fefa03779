"""The manifest of a model folder, so that a damaged or half-copied model is refused before it is loaded.

The manifest names the dataset, base model and recipe of the model, and the SHA-256 sum of every other file.
"""

import hashlib
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from storage.errors import BadInput, CorruptModel
from storage.scheme import DEFAULT, MOST_LABELS

MANIFEST_NAME = "manifest.json"
FORMAT = 2
"""Format 1 names no label scheme, because there was only one."""
ADOPTED = "adopted-"
"""Begins the dataset version of a model that somebody else trained, whose rows nobody here knows."""


class Manifest(BaseModel):
    """Where a model came from, how it was made, and the sums of its files (relative posix path -> SHA-256).

    `exposed`: the base model had already seen PhraseBank labels. `labels`: the labels of the scheme, in the order of
    the model's outputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    base_model: str
    exposed: bool
    dataset_version: str
    recipe: dict[str, Any]
    recipe_hash: str
    metrics: dict[str, float]
    scheme: str
    labels: Annotated[tuple[str, ...], Field(min_length=2, max_length=MOST_LABELS)]
    created_at: datetime
    files: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _as_of_now(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("format") == 1:
            return {**given, "format": FORMAT, "scheme": DEFAULT}
        if isinstance(given, dict) and given.get("format", FORMAT) != FORMAT:
            raise ValueError(f"format {given['format']}; this finloop reads formats 1 and {FORMAT}")
        return given


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write `manifest.json` with the SHA-256 sum of every other file of `folder`, and return the written manifest.

    The file is written elsewhere and renamed, so that a folder never holds half a manifest. Raises BadInput where
    `folder` holds no other file.
    """
    files = {name: _sum(folder / name) for name in sorted(_names(folder)) if name != MANIFEST_NAME}
    if not files:
        raise BadInput(f"{folder} holds no model files")
    written = manifest.model_copy(update={"files": files})
    aside = folder.with_name(f".{folder.name}.{MANIFEST_NAME}")
    aside.write_text(written.model_dump_json(indent=2) + "\n", encoding="utf-8")
    aside.replace(folder / MANIFEST_NAME)
    return written


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`; the sums are not checked. Raises CorruptModel where it is missing or unreadable."""
    path = folder / MANIFEST_NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CorruptModel(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise CorruptModel(f"{path} is not a manifest that can be read: {reason}") from error


def check_manifest(folder: Path) -> Manifest:
    """Compare every file of `folder` with the manifest, and return the manifest.

    Raises CorruptModel that names a file which is missing, additional, changed, a link, or outside the folder.
    """
    manifest = read_manifest(folder)
    for name in manifest.files:
        if not _inside(name):
            raise CorruptModel(f"{folder / MANIFEST_NAME} names {name!r}, a path outside the model folder")
    present = _names(folder) - {MANIFEST_NAME}
    for name in sorted(present | set(manifest.files)):
        if name not in present:
            raise CorruptModel(f"{folder / name} is missing; the manifest names it")
        if name not in manifest.files:
            raise CorruptModel(f"{folder / name} is not in the manifest")
        check_named(folder, name, manifest)
    return manifest


def check_named(folder: Path, name: str, manifest: Manifest) -> None:
    """Compare one file with the manifest that names it. Raises CorruptModel where it is missing, changed or a link."""
    if (folder / name).is_symlink():
        raise CorruptModel(f"{folder / name} is a link; a model folder holds its own files")
    if _sum(folder / name) != manifest.files[name]:
        raise CorruptModel(f"{folder / name} does not match its SHA-256 sum in the manifest")


def _names(folder: Path) -> set[str]:
    # A link to a directory counts as a file, so that it is refused rather than followed.
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _sum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorruptModel(f"{path} cannot be read: {error.strerror}") from error

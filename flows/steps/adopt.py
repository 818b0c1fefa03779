"""Takes over a model that finloop did not train: a folder, or a version that somebody made in MLflow."""

import hashlib
import tempfile
from pathlib import Path
from shutil import copytree

from storage.clock import now
from storage.errors import BadInput
from storage.models.manifest import ADOPTED, MANIFEST_NAME, Manifest, check_manifest, write_manifest
from storage.models.registry import ModelVersion, Registry
from storage.scheme import Scheme


def adopt(name: str, registry: Registry, scheme: Scheme) -> ModelVersion:
    """Give a folder a version, or a foreign version (by number or alias) the facts of one of ours.

    The model must load as a classifier of the scheme's labels, from safetensors and without code of its own. Nothing is
    known of its training, so it counts as exposed to the seed data. Raises BadInput, CorruptModel or UnknownVersion
    with the reason; then nothing is changed.
    """
    from training.model.classifier import Classifier

    folder = Path(name) if Path(name).is_dir() else registry.source(name)
    number = None if Path(name).is_dir() else _foreign(name, registry)
    Classifier.load(folder, scheme.names)
    with tempfile.TemporaryDirectory(prefix="finloop-") as place:
        copy = Path(place, "model")
        copytree(folder, copy)
        if (copy / MANIFEST_NAME).exists():
            check_manifest(copy)
        else:
            _write_manifest(copy, folder, scheme)
        return registry.register(copy) if number is None else registry.adopt(number, copy)


def _foreign(name: str, registry: Registry) -> str:
    for one in registry.foreign():
        if name == one.version or name in one.aliases:
            return one.version
    raise BadInput(f"{name} is a version of finloop already")


def _write_manifest(copy: Path, folder: Path, scheme: Scheme) -> None:
    sums = hashlib.sha256()
    for path in sorted(copy.rglob("*.safetensors")):
        sums.update(path.read_bytes())
    unknown = f"{ADOPTED}{sums.hexdigest()[:16]}"
    write_manifest(
        copy,
        Manifest(
            base_model=f"adopted from {folder.name}",
            exposed=True,
            dataset_version=unknown,
            recipe={},
            recipe_hash=unknown,
            metrics={},
            scheme=scheme.name,
            labels=scheme.names,
            created_at=now(),
        ),
    )

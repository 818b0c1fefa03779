"""The texts without a label from which a model learnt: a file beside its weights, so that none of them ever judges."""

import json
from collections.abc import Sequence
from pathlib import Path

from storage.errors import CorruptModel
from storage.models.manifest import Manifest, check_named

UNLABELLED = "unlabelled.json"


def write_unlabelled(folder: Path, texts: Sequence[str]) -> None:
    """Write the texts into a model's folder, before its manifest sums the files. No file is written for no text."""
    if texts:
        (folder / UNLABELLED).write_text(json.dumps(sorted(texts), ensure_ascii=False, indent=0), "utf-8")


def read_unlabelled(folder: Path, manifest: Manifest) -> list[str]:
    """The texts, none where the manifest names no such file. Raises CorruptModel for a file that does not match it.

    Only this file is summed: who asks which texts a model learnt from does not load its weights.
    """
    if UNLABELLED not in manifest.files:
        return []
    check_named(folder, UNLABELLED, manifest)
    try:
        texts: list[str] = json.loads((folder / UNLABELLED).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptModel(f"{folder / UNLABELLED} cannot be read: {error}") from error
    return texts

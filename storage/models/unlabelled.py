"""The texts without a label from which a model learnt: a file beside its weights, so that none of them ever judges."""

import json
from collections.abc import Sequence
from pathlib import Path

from storage.errors import CorruptModel

UNLABELLED = "unlabelled.json"


def write_unlabelled(folder: Path, texts: Sequence[str]) -> None:
    """Write the texts into a model's folder, before its manifest sums the files. No file is written for no text."""
    if texts:
        (folder / UNLABELLED).write_text(json.dumps(sorted(texts), ensure_ascii=False, indent=0), "utf-8")


def read_unlabelled(folder: Path) -> list[str]:
    """The texts, none where there is no such file. Raises CorruptModel for a file that cannot be read."""
    try:
        texts: list[str] = json.loads((folder / UNLABELLED).read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise CorruptModel(f"{folder / UNLABELLED} cannot be read: {error}") from error
    return texts

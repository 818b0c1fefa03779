"""Tells whether a training would get the same inputs again, so that a refused one is repeated only with others."""

import hashlib
import json
from pathlib import Path

from flows.wiring.settings import Settings

CHOSEN = ("base_model", "seed_data", "agreement", "scheme")
"""The settings that choose what a training reads."""


def training_inputs(settings: Settings) -> str:
    """A hash of the settings in CHOSEN, and of names, sizes and times of the files in the folders that they name.

    A file that is put into the base model's folder, or an edited CSV, gives another hash.
    """
    values = {name: str(getattr(settings, name)) for name in CHOSEN}
    files = {name: _files(Path(value).expanduser()) for name, value in values.items()}
    return hashlib.sha256(json.dumps([values, files], sort_keys=True).encode()).hexdigest()


def _files(path: Path) -> list[tuple[str, int, int]]:
    """Name, bytes and time of change of a file, or of each file in a folder; none where the path is no path."""
    try:
        found = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
        return sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in found)
    except OSError:
        return []

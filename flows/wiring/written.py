"""Reads FINLOOP_HOME/finloop.env, which lies in a home that may have been moved or copied since `finloop up` wrote it.

The folder in which the file lies is the home, whatever the file says. A path into the home of that day, or beside the
home, is the path in the home of today.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from storage.errors import BadInput

WRITTEN_BY_UP = "finloop.env"
WRITTEN_IN = "WRITTEN_IN"
"""The home in which the file was written. Older files have FINLOOP_HOME instead."""

PATHS = ("finloop_seed_data", "finloop_phrasebank", "finloop_base_model", "finloop_scheme", "finloop_label_studio")


OURS = ("label_studio", "prefect", "serving", "receiver")
LOOPBACK = "http://127.0.0.1:"
"""Where the servers of `finloop up` are, as the file writes their addresses."""


def check_readable(path: Path) -> None:
    """Raise BadInput for a file of settings that is no text or cannot be read. A file that is not there is none."""
    if not path.is_file():
        return
    try:
        path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        cure = f"remove it; `finloop up` writes {WRITTEN_BY_UP}" if path.name == WRITTEN_BY_UP else "correct it"
        raise BadInput(f"{path} cannot be read: {reason}.\nPut a sound copy back, or {cure}.") from error


def as_of_today(values: Mapping[str, str | None], home: Path) -> dict[str, str | None]:
    """The file's values, names in lower case, as they are meant where the file lies now.

    A path beside the old home is taken beside the new one only where something lies there: a copied project brings its
    files along, a moved home does not. In another folder, the servers that `up` started are left out: they belong to
    the home of that day, and the Prefect of a copied project's original would run our flows there.
    """
    home = home.resolve()
    written_in = values.get(WRITTEN_IN.lower()) or values.get("finloop_home")
    elsewhere = Path(written_in or home).is_absolute() and Path(written_in or home).resolve() != home
    found = {name: value for name, value in values.items() if not (elsewhere and _is_ours(name, value))}
    for name in PATHS:
        value = found.get(name)
        if value and written_in and os.path.isabs(value):  # noqa: PTH117 - a setting may be no path
            found[name] = _moved(Path(value), Path(written_in), home)
    executable = found.get("finloop_label_studio")
    if executable and not Path(executable).exists():
        del found["finloop_label_studio"]  # the repository was moved: its own is the default
    return {**found, "finloop_home": str(home)}


def _is_ours(name: str, value: str | None) -> bool:
    return name in [f"finloop_{one}_url" for one in OURS] and str(value).startswith(LOOPBACK)


def _moved(path: Path, old_home: Path, home: Path) -> str:
    if path.is_relative_to(old_home):
        return str(home / path.relative_to(old_home))
    if path.is_relative_to(old_home.parent):
        beside = home.parent / path.relative_to(old_home.parent)
        return str(beside if beside.exists() else path)
    return str(path)

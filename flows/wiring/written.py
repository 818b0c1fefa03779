"""Reads FINLOOP_HOME/finloop.env, which lies in a home that may have been moved or copied since `finloop up` wrote it.

The folder in which the file lies is the home, whatever the file says. A path into the home of that day, or beside the
home, is the path in the home of today.
"""

import os
from collections.abc import Mapping
from pathlib import Path

WRITTEN_BY_UP = "finloop.env"
WRITTEN_IN = "WRITTEN_IN"
"""The home in which the file was written. Older files have FINLOOP_HOME instead."""

PATHS = ("finloop_seed_data", "finloop_phrasebank", "finloop_base_model", "finloop_scheme", "finloop_label_studio")


def as_of_today(values: Mapping[str, str | None], home: Path) -> dict[str, str | None]:
    """The file's values, names in lower case, as they are meant where the file lies now.

    A path beside the old home is taken beside the new one only where something lies there: a copied project brings its
    files along, a moved home does not.
    """
    home = home.resolve()
    written_in = values.get(WRITTEN_IN.lower()) or values.get("finloop_home")
    found = dict(values)
    for name in PATHS:
        value = found.get(name)
        if value and written_in and os.path.isabs(value):  # noqa: PTH117 - a setting may be no path
            found[name] = _moved(Path(value), Path(written_in), home)
    executable = found.get("finloop_label_studio")
    if executable and not Path(executable).exists():
        del found["finloop_label_studio"]  # the repository was moved: its own is the default
    return {**found, "finloop_home": str(home)}


def _moved(path: Path, old_home: Path, home: Path) -> str:
    if path.is_relative_to(old_home):
        return str(home / path.relative_to(old_home))
    if path.is_relative_to(old_home.parent):
        beside = home.parent / path.relative_to(old_home.parent)
        return str(beside if beside.exists() else path)
    return str(path)

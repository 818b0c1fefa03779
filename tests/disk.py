"""States of a disk that a test can bring about: a folder that cannot be written to, and what a folder holds."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """A copy of the folder that this process can read and not write to. Root becomes another user for the block."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        copy = Path(place, folder.name)
        shutil.copytree(folder, copy)
        for one in (copy, *copy.rglob("*")):
            one.chmod(0o555 if one.is_dir() else 0o444)
        was = os.geteuid()
        try:
            if was == 0:
                os.seteuid(NOBODY)
            yield copy
        finally:
            if was == 0:
                os.seteuid(was)
            for one in (copy, *copy.rglob("*")):
                one.chmod(0o755)


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Path -> size and time of change of every file below the folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }

"""The file of an SQLite database: its URL, its place, and what can be wrong with the file before SQLite sees it.

A home may have any name. In a URL, `?`, `#` and `%` mean something else, so a path with one of them is written as
SQLite's own file URI.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from storage.errors import BadInput, Part, Unreachable

if TYPE_CHECKING:
    from sqlalchemy import URL

FRESH_SECONDS = 60
"""An empty file may be a database that another process makes at this moment, for so long."""


def sqlite_url(path: Path, driver: str = "sqlite", **options: str) -> str:
    """The URL of a database file, for SQLAlchemy and everything that is built on it. `options` are SQLite's own.

    With a driver in the name (`sqlite+pysqlite`), MLflow makes no folder of a file URI's name.
    """
    place = str(path.absolute())
    if not options and not set(place) & set("?#%"):
        return f"{driver}:///{place}"
    if driver == "sqlite":
        driver = "sqlite+pysqlite"
    given = "".join(f"{name}={value}&" for name, value in options.items())
    return f"{driver}:///file:{quote(place)}?{given}uri=true"


def file_of(url: "URL") -> Path | None:
    """The file of an SQLite URL; None for a database in memory."""
    name = url.database or ""
    if name.startswith("file:"):
        return Path(unquote(name.removeprefix("file:")))
    return Path(name) if name and name != ":memory:" else None


def private_folder(path: Path) -> None:
    """Make a folder that its owner alone may enter, whatever the umask is. A folder that is there stays as it is."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)


def private_file(path: Path) -> None:
    """Make an empty file that its owner alone may read. A file that is there stays as it is."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def check_file(path: Path, part: Part) -> None:
    """Raise BadInput or Unreachable for a folder in the file's place, for a file in the folder's place, or no content.

    A copy that was cut, or a disk that was full, leaves an empty file, which SQLite would take for a new database.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise BadInput(f"the folder of {path} cannot be made: Not a directory", part)
    if path.is_dir():
        raise Unreachable(part, str(path), "unable to open database file", name="database")
    try:
        found = path.stat()
    except OSError:
        return
    if found.st_size == 0 and time.time() - found.st_mtime > FRESH_SECONDS and not _has_content(_beside(path, "-wal")):
        reason = "the file is empty; remove it only if nothing was in it"
        raise Unreachable(part, str(path), reason, name="database")


def is_writable(path: Path) -> bool:
    """Whether this process may write to the file and make files beside it, which SQLite must in order to write."""
    effective = os.access in os.supports_effective_ids
    return all(os.access(one, os.W_OK, effective_ids=effective) for one in (path, path.parent))


def read_only_url(path: Path) -> str | None:
    """The URL that reads a database in a folder that cannot be written to; None where only a copy can be read.

    A log beside the file holds newer rows. SQLite reads the log where its index lies there too.
    """
    if not _has_content(_beside(path, "-wal")):
        return sqlite_url(path, mode="ro", immutable="1")
    return sqlite_url(path, mode="ro") if _beside(path, "-shm").exists() else None


def files_of(path: Path) -> list[Path]:
    """The database file and its log, where there is one: what a copy must hold."""
    return [one for one in (path, _beside(path, "-wal")) if one.exists()]


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0

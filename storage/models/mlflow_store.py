"""Connects to MLflow's database: in a home of any name, for reading only where needed, and with errors that are named.

MLflow is not asked about a file before the file was looked at: its own message for a newer database gives wrong advice.
"""

import errno
import importlib.util
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import make_url

from storage.errors import BadInput, FinloopError, Full, Part, Unreachable
from storage.sql.database import kind_of
from storage.sql.files import check_file, file_of, is_writable, read_only_url, sqlite_url

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def connect(uri: str) -> "MlflowClient":
    """A client that may write. MLflow makes its schema where it is missing, in about 4.5 s."""
    # MLflow sends usage data to its makers unless this switch is set; it reads the switch only on import.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # MLflow tries a file that cannot be opened for 10 s, and warns in many lines each time.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def connect_to_read(uri: str) -> "MlflowClient | None":
    """A client for reads, or None where there is no schema yet. Nothing is made, not even a file.

    Raises Unreachable or BadInput where the file is no sound database of this MLflow.
    """
    path = database_file(uri)
    if path is None:
        return connect(uri)
    if not has_schema(path):
        return None
    if is_writable(path):
        return connect(uri)
    read_only = read_only_url(path)
    if read_only is None:
        raise Unreachable(
            Part.EMBEDDED_DATABASE, str(path), "its log cannot be read in a folder without write access", "database"
        )
    return connect(read_only)


def has_schema(path: Path) -> bool:
    """Whether the file holds MLflow's schema, complete. Raises Unreachable or BadInput for what cannot be used."""
    check_file(path, Part.EMBEDDED_DATABASE)
    if not path.exists():
        return False
    url = (None if is_writable(path) else read_only_url(path)) or sqlite_url(path, mode="ro")
    try:
        with closing(sqlite3.connect(url.partition(":///")[2].removesuffix("&uri=true"), uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            rows = database.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else ()
            written_by = [str(row[0]) for row in rows]
    except sqlite3.Error as error:
        raise _of_sqlite(error, path) from error
    known = _revisions()
    if strange := [revision for revision in written_by if known and revision not in known]:
        raise BadInput(
            f"{path} was written by a newer MLflow, or by another program: its revision {strange[0]} is not known here",
            Part.EMBEDDED_DATABASE,
        )
    return bool(written_by) and {"registered_models", "experiments", "runs"} <= tables


def database_file(uri: str) -> Path | None:
    """The SQLite file of an address, or None for an MLflow server."""
    return file_of(make_url(uri)) if uri.startswith("sqlite") else None


@contextmanager
def named(uri: str, artifacts: Path) -> Iterator[None]:
    """Turn every error of MLflow, of its database and of the artifacts' folder into a named one."""
    try:
        yield
    except FinloopError:
        raise
    except Exception as error:
        found = _named(error, uri, artifacts)
        if found is None:
            raise
        raise found from error


def of_folder(error: OSError, folder: Path) -> FinloopError:
    """The named error of a folder in the home that cannot be read or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Full(Part.HOME, str(folder), error.strerror or str(error))
    return BadInput(f"{error.filename or folder} cannot be used: {error.strerror or error}", Part.HOME)


def _named(error: Exception, uri: str, artifacts: Path) -> FinloopError | None:
    path, cause = database_file(uri), error
    seen: list[BaseException] = []
    link: BaseException | None = cause
    while link is not None and link not in seen:
        seen.append(link)
        if isinstance(link, sqlite3.Error) and path is not None:
            return _of_sqlite(link, path)
        link = getattr(link, "orig", None) or link.__cause__ or link.__context__
    if isinstance(error, OSError):
        return of_folder(error, artifacts)
    if type(error).__module__.startswith(("mlflow", "sqlalchemy", "alembic")):
        place = str(path) if path is not None else (urlsplit(uri).hostname or uri)
        reason = str(error).strip().partition("\n")[0]
        return Unreachable(Part.EMBEDDED_DATABASE, place, reason, name="model registry")
    return None


def _of_sqlite(error: sqlite3.Error, path: Path) -> FinloopError:
    kind = kind_of(error) or Unreachable
    return kind(Part.EMBEDDED_DATABASE, str(path), str(error).partition("\n")[0], name="database")


def _revisions() -> set[str]:
    """The revisions of the schema that the installed MLflow knows: the beginnings of its migrations' file names."""
    package = importlib.util.find_spec("mlflow")
    if package is None or package.origin is None:
        return set()
    folder = Path(package.origin).parent / "store" / "db_migrations" / "versions"
    return {path.name.partition("_")[0] for path in folder.glob("*.py")}

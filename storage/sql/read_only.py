"""Opens an SQLite database for a reader that leaves the home as it is: no folder, no lock file, no migration.

A home on a read-only disk, a backup or somebody else's home can be read so. The schema must still be the newest: an
older database is migrated where that is possible, and else a copy of it is.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.pool import StaticPool

from storage.errors import Part, Unreachable
from storage.sql.database import is_current, migrate, name_the_part, open_database
from storage.sql.files import check_file, file_of, files_of, is_writable, read_only_url, sqlite_url

LOCKED_OUT_SECONDS = 3.0
"""A reader never waits for a writer. A process that locks readers out does so for long, and a person waits here."""


def open_to_read(url: str, *, embedded: bool = False) -> Engine:
    """An engine for reads only, its schema the newest. A database that is not there is an empty one, in memory.

    Raises what `open_database` and `migrate` raise.
    """
    part = Part.EMBEDDED_DATABASE if embedded else Part.DATABASE
    path = file_of(make_url(url)) if url.startswith("sqlite") else None
    if path is None:
        return _migrated(open_database(url, embedded=embedded))
    check_file(path, part)
    if not path.exists():
        return _migrated(_in_memory(part))
    if is_writable(path):
        return _reader(url, part) if _current(url, part) else _migrated(open_database(url, embedded=embedded))
    read_only = read_only_url(path)
    if read_only is not None and _current(read_only, part):
        return _reader(read_only, part)
    return _copied(path, part)


def _current(url: str, part: Part) -> bool:
    engine = _reader(url, part)
    try:
        return is_current(engine)
    finally:
        engine.dispose()


def _migrated(engine: Engine) -> Engine:
    try:
        migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _in_memory(part: Part) -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    name_the_part(engine, part)
    return engine


def _reader(url: str, part: Part) -> Engine:
    engine = create_engine(url, connect_args={"timeout": LOCKED_OUT_SECONDS})
    event.listen(engine, "connect", _only_read)
    name_the_part(engine, part)
    return engine


def _copied(path: Path, part: Part) -> Engine:
    """An engine on a copy of the database, which is removed with the engine."""
    folder = tempfile.TemporaryDirectory(prefix="finloop-")
    try:
        for one in files_of(path):
            shutil.copyfile(one, Path(folder.name, one.name))
        engine = open_database(sqlite_url(Path(folder.name, path.name)), embedded=part is Part.EMBEDDED_DATABASE)
    except OSError as error:
        folder.cleanup()
        raise Unreachable(part, str(path), f"no copy can be made to read it: {error.strerror}", "database") from error
    event.listen(engine, "engine_disposed", lambda _engine: folder.cleanup())
    return _migrated(engine)


def _only_read(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA query_only=ON")

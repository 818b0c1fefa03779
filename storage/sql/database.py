"""Opens the label store's database and brings its schema up to date.

SQLite runs with WAL and synchronous FULL: an acknowledged label survives a power cut. Writers begin with
BEGIN IMMEDIATE, because a deferred transaction that turns to writing fails at once instead of waiting its turn.
PostgreSQL runs READ COMMITTED, whatever the server's default is: a statement that waited for a lock must see the rows
that the lock's holder committed.
"""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError

from storage.errors import BadInput, Full, Locked, Part, TurnedAway, Unreachable
from storage.sql.files import check_file, file_of, private_file, private_folder

if TYPE_CHECKING:
    from alembic.config import Config

CONNECT_SECONDS = 4
"""The limit for each address of a host: a host with two addresses (IPv6 and IPv4) fails within 10 s."""

KINDS: dict[int, type[Unreachable]] = {
    **dict.fromkeys(
        (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_NOTADB,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_PERM,
        ),
        Unreachable,
    ),
    sqlite3.SQLITE_FULL: Full,
    **dict.fromkeys((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL), Locked),
}
"""Errors of the file itself. SQLite may find them only after connecting, at a read, a write or a commit."""


def open_database(url: str, *, embedded: bool = False) -> Engine:
    """An engine for SQLite or PostgreSQL (with the driver psycopg).

    The engine does not connect yet. Later, it raises Unreachable where the database does not respond. Raises BadInput
    for any other database, and for a folder that cannot be made. `embedded`: the user gave no address, so errors name
    the file.
    """
    part = Part.EMBEDDED_DATABASE if embedded else Part.DATABASE
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise BadInput(f"that is not a database URL: {error}", part) from error
    if parsed.get_backend_name() == "postgresql":
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": CONNECT_SECONDS},
            # Without this option an INSERT ... ON CONFLICT DO NOTHING reports -1 rows, whether its row was new or not.
            execution_options={"preserve_rowcount": True},
        )
    elif parsed.get_backend_name() == "sqlite":
        _make_folder(file_of(parsed), part)
        engine = create_engine(parsed, connect_args={"timeout": 30})
        event.listen(engine, "do_connect", _private)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        raise BadInput(f"a {parsed.get_backend_name()} database cannot be used, only sqlite or postgresql", part)
    name_the_part(engine, part)
    return engine


def reading(engine: Engine) -> Engine:
    """The same engine for work that only reads: on SQLite it neither waits for writers nor makes them wait."""
    return engine.execution_options(finloop_reading=True)


def snapshot(engine: Engine) -> Engine:
    """The same engine for several reads that must agree: all of them see the database of the first read."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return reading(engine)


def take_turn(connection: Connection, number: int) -> None:
    """Run transactions of the same number one after another; each sees the rows that the one before committed.

    On SQLite, BEGIN IMMEDIATE has done this already.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({number})")


def migrate(engine: Engine, to: str = "head") -> None:
    """Bring the schema to the newest migration, or to a named one, in one transaction.

    Safe when several processes start at once. A database of the newest schema is only read, so that nobody waits for
    a writer. Raises Unreachable where the database does not respond, and BadInput where a newer finloop, or something
    else, wrote the database.
    """
    from alembic import command
    from alembic.util import CommandError

    if to == "head" and is_current(engine):
        return
    config = _migrations()
    # On SQLite, alembic's own transactions end after each step, and another process could start between two steps.
    with engine.begin() as connection:
        take_turn(connection, 4711)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, to)
        except CommandError as error:
            where = f"the database at {_address(engine)}"
            raise BadInput(f"{where} is not one that this finloop can read: {error}", _part(engine)) from error
        except DBAPIError as error:
            where = f"the database at {_address(engine)}"
            raise BadInput(f"{where} is not one that this finloop can read: {error.orig}", _part(engine)) from error


def is_current(engine: Engine) -> bool:
    """Whether the schema is that of the newest migration. Nothing is written. Raises Unreachable as `migrate` does."""
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory.from_config(_migrations()).get_current_head()
    with reading(engine).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.scalars(text("SELECT version_num FROM alembic_version")).all() == [newest]


def _migrations() -> "Config":
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _make_folder(database: Path | None, part: Part) -> None:
    if database is not None:
        try:
            private_folder(database.parent)
        except OSError as error:
            raise BadInput(f"the folder of {database} cannot be made: {error.strerror}", part) from error
        check_file(database, part)


def name_the_part(engine: Engine, part: Part) -> None:
    """Turn every failure to connect, and every file that cannot be used, into Unreachable, Full or Locked.

    A failed ping is not a failure: the pool connects again.
    """
    engine.update_execution_options(finloop_part=part)

    def unreachable(context: ExceptionContext) -> Unreachable | None:
        error = context.sqlalchemy_exception
        if context.is_pre_ping or not isinstance(error, DBAPIError):
            return None
        kind = kind_of(error.orig) or (Unreachable if context.connection is None else None)
        if kind is None:
            return None
        reason = str(error.orig).strip().partition("\n")[0]
        if (refusal := str(error.orig).partition("FATAL:")[2].strip()) and kind is Unreachable:  # PostgreSQL's word
            kind, reason = TurnedAway, refusal.partition("\n")[0]
        return kind(_part(engine), _address(engine), reason, name="database")

    event.listen(engine, "handle_error", unreachable)


def kind_of(error: BaseException | None) -> type[Unreachable] | None:
    """The named error for an error of SQLite that is about the file, or None for every other error."""
    if not isinstance(error, sqlite3.Error):
        return None
    if str(error).startswith(("no such table", "no such column")):
        return Unreachable  # another program's file, or a damaged one: the migrations have run
    # The lowest byte of the code is the kind of error; the other bytes are details.
    return KINDS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def _part(engine: Engine) -> Part:
    return Part(engine.get_execution_options()["finloop_part"])


def _address(engine: Engine) -> str:
    """The address for messages: the path of an embedded database, else the URL without its password."""
    if _part(engine) is Part.EMBEDDED_DATABASE:
        return str(file_of(engine.url))
    return engine.url.render_as_string(hide_password=True)


def _begin_sqlite(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("finloop_reading", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _private(_dialect: object, _record: object, arguments: list[Any], _options: dict[str, Any]) -> None:
    # SQLite gives the log and its index the rights of the database's file.
    path = file_of(URL.create("sqlite", database=str(arguments[0])))
    if path is not None:
        try:
            private_file(path)
        except OSError:
            return  # SQLite says it in its own words


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions begin late and deferred, so `_begin_sqlite` begins them instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

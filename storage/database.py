"""Opens the label store's database and brings its schema up to date.

SQLite runs with WAL and synchronous FULL: an acknowledged label survives a power cut. Writers begin with
BEGIN IMMEDIATE, because a deferred transaction that turns to writing fails at once instead of waiting its turn.
PostgreSQL runs READ COMMITTED whatever the server's default is: after waiting for a lock, a statement must see
what the one before it committed.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError

from storage.errors import BadInput, Unreachable

SETTING = "FINLOOP_DATABASE_URL"
CURE = "Start it, correct the address, or unset the variable to keep labels in the embedded database."
CONNECT_SECONDS = 4
"""For each address of a host: a name that stands for two (IPv6 and IPv4) is given up within 10 s."""


def open_database(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL (`postgresql+psycopg://` is chosen for a bare `postgresql://`).

    Nothing is connected yet; whoever connects while no database answers gets Unreachable. Raises BadInput for any
    other database and for a folder that cannot be made.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise BadInput(f"{SETTING} is not a database URL: {error}") from error
    if parsed.get_backend_name() == "postgresql":
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": CONNECT_SECONDS},
            # Without it an INSERT ... ON CONFLICT DO NOTHING reports -1 rows here, and "was it new?" has no answer.
            execution_options={"preserve_rowcount": True},
        )
    elif parsed.get_backend_name() == "sqlite":
        _make_folder(parsed.database)
        engine = create_engine(parsed, connect_args={"timeout": 30})
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        raise BadInput(f"{SETTING} names {parsed.get_backend_name()}; finloop keeps labels in sqlite or postgresql")
    _name_the_setting(engine)
    return engine


def reading(engine: Engine) -> Engine:
    """The same engine for work that only reads: on SQLite it neither waits for writers nor makes them wait."""
    return engine.execution_options(finloop_reading=True)


def snapshot(engine: Engine) -> Engine:
    """The same engine for several reads that must agree: all see the database as it was at the first."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return reading(engine)


def take_turn(connection: Connection, number: int) -> None:
    """Let the transactions that ask for the same number pass one by one, each seeing what the last one committed.

    A writer on SQLite has had its turn since BEGIN IMMEDIATE.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({number})")


def migrate(engine: Engine, to: str = "head") -> None:
    """Bring the schema to the newest migration, or to a named one: all of it or nothing.

    Safe when several processes start at once. Raises Unreachable when the database does not answer and BadInput when
    a newer finloop wrote it.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with engine.connect() as connection:
        take_turn(connection, 4711)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, to)
        except CommandError as error:
            raise BadInput(f"{SETTING}: the database is not one that this finloop can read: {error}") from error
        connection.commit()


def _make_folder(database: str | None) -> None:
    if database:
        try:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{SETTING}: the folder of {database} cannot be made: {error.strerror}") from error


def _name_the_setting(engine: Engine) -> None:
    """Turn every failure to connect into Unreachable; a failed ping is only the pool's reason to connect anew."""

    def unreachable(context: ExceptionContext) -> Unreachable | None:
        error = context.sqlalchemy_exception
        if context.connection is not None or context.is_pre_ping or not isinstance(error, DBAPIError):
            return None
        reason = str(error.orig).strip().partition("\n")[0]
        return Unreachable("database", engine.url.render_as_string(hide_password=True), SETTING, reason, CURE)

    event.listen(engine, "handle_error", unreachable)


def _begin_sqlite(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("finloop_reading", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction control would begin late and deferred: leave BEGIN to the event above.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

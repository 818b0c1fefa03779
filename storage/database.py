"""Opens the label store's database and brings its schema up to date.

SQLite runs with WAL and synchronous FULL: an acknowledged label survives a power cut. Writers begin with
BEGIN IMMEDIATE, because a deferred transaction that turns to writing fails at once instead of waiting its turn.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from storage.errors import BadInput, Unreachable

SETTING = "FINLOOP_DATABASE_URL"


def open_database(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL (`postgresql+psycopg://` is chosen for a bare `postgresql://`).

    Raises BadInput for anything else. Nothing is connected yet.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadInput(f"{SETTING} is not a database URL: {error}") from error
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5},
            # Without it an INSERT ... ON CONFLICT DO NOTHING reports -1 rows here, and "was it new?" has no answer.
            execution_options={"preserve_rowcount": True},
        )
    if parsed.get_backend_name() != "sqlite":
        raise BadInput(f"{SETTING} names {parsed.get_backend_name()}; finloop keeps labels in sqlite or postgresql")
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": 30})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def reading(engine: Engine) -> Engine:
    """The same engine for work that only reads: on SQLite it neither waits for writers nor makes them wait."""
    return engine.execution_options(finloop_reading=True)


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest migration; safe when several processes start at once.

    Raises Unreachable when the database does not answer.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4711)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except OperationalError as error:
        raise Unreachable(
            "database",
            engine.url.render_as_string(hide_password=True),
            SETTING,
            str(error.orig).strip().splitlines()[0],
            "Start it, correct the address, or unset the variable to keep labels in the embedded database.",
        ) from error


def _begin_sqlite(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("finloop_reading", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction control would begin late and deferred: leave BEGIN to the event above.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

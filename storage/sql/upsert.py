"""INSERT ... ON CONFLICT for both SQL dialects, which SQLAlchemy keeps in separate modules."""

from sqlalchemy import ColumnElement, Connection, Insert
from sqlalchemy.dialects import postgresql, sqlite

from storage.sql.schema import Base


def insert_new(connection: Connection, table: type[Base]) -> Insert:
    """An INSERT that leaves out rows whose primary key exists."""
    return _insert(connection, table).on_conflict_do_nothing()


def insert_or_update(
    connection: Connection,
    table: type[Base],
    keys: list[str],
    columns: list[str],
    where: ColumnElement[bool] | None = None,
) -> Insert:
    """An INSERT that sets `columns` to the new values where the `keys` exist.

    With `where`, only existing rows that fulfil the condition are changed.
    """
    statement = _insert(connection, table)
    return statement.on_conflict_do_update(
        index_elements=keys, set_={column: statement.excluded[column] for column in columns}, where=where
    )


def _insert(connection: Connection, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)

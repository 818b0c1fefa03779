"""INSERT ... ON CONFLICT for both SQL dialects, which SQLAlchemy keeps in separate modules."""

from sqlalchemy import ColumnElement, Connection, Insert
from sqlalchemy.dialects import postgresql, sqlite

from storage.sql.schema import Base


def insert_new(connection: Connection, table: type[Base]) -> Insert:
    """An INSERT that leaves rows whose primary key is there already as they are."""
    return _insert(connection, table).on_conflict_do_nothing()


def insert_or_update(
    connection: Connection,
    table: type[Base],
    keys: list[str],
    columns: list[str],
    where: ColumnElement[bool] | None = None,
) -> Insert:
    """An INSERT that, where the keys are there already, sets the named columns to the new values.

    Given `where`, only a present row that fulfils it is changed.
    """
    statement = _insert(connection, table)
    return statement.on_conflict_do_update(
        index_elements=keys, set_={column: statement.excluded[column] for column in columns}, where=where
    )


def _insert(connection: Connection, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)

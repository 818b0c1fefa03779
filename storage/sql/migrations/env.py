"""Alembic's entry: runs on the connection that storage.sql.database.migrate holds, never on one of its own."""

from alembic import context

from storage.sql.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()

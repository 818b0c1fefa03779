"""A project has an epoch, and every task, annotation and tombstone belongs to one: numbers repeat after a reset.

What was stored before belongs to one epoch for each server. A tombstone names the text of its annotation.
"""

import uuid
import warnings

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEYS = {
    "annotation": ["server", "project_id", "epoch", "annotation_id", "text_id", "updated_at"],
    "tombstone": ["server", "project_id", "epoch", "annotation_id", "text_id"],
    "project": ["server", "epoch"],
}
KEYS_BEFORE = {
    "annotation": ["server", "project_id", "annotation_id", "updated_at"],
    "tombstone": ["server", "project_id", "annotation_id"],
    "project": ["server"],
}
OF_A_SERVER = ("label_task", *KEYS)
TEXT_OF_TOMBSTONES = """
UPDATE tombstone SET text_id = coalesce((
    SELECT min(annotation.text_id) FROM annotation
    WHERE annotation.server = tombstone.server AND annotation.project_id = tombstone.project_id
    AND annotation.annotation_id = tombstone.annotation_id), '')
"""


def upgrade() -> None:
    op.add_column("label_task", sa.Column("epoch", sa.String(32), nullable=True))
    for table in KEYS:
        op.add_column(table, sa.Column("epoch", sa.String(32), nullable=False, server_default=""))
    op.add_column("tombstone", sa.Column("text_id", sa.String(32), nullable=False, server_default=""))
    op.add_column("project", sa.Column("secret_hash", sa.String(64), nullable=True))
    op.add_column("project", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("project", sa.Column("left_why", sa.String(), nullable=True))
    connection = op.get_bind()
    servers = {row[0] for table in OF_A_SERVER for row in connection.execute(sa.text(f"SELECT server FROM {table}"))}
    for server in servers - {None}:
        values = {"epoch": uuid.uuid4().hex, "server": server}
        for table in OF_A_SERVER:
            connection.execute(sa.text(f"UPDATE {table} SET epoch = :epoch WHERE server = :server"), values)
    op.execute(TEXT_OF_TOMBSTONES)
    _set_keys(KEYS, drop_default={"annotation": ["epoch"], "tombstone": ["epoch", "text_id"], "project": ["epoch"]})


def downgrade() -> None:
    # Without epochs, the rows of an epoch that has ended need a server of their own.
    for table in OF_A_SERVER:
        op.execute(
            f"UPDATE {table} SET server = server || '#' || epoch WHERE (server, epoch) IN "
            "(SELECT server, epoch FROM project WHERE left_at IS NOT NULL)"
        )
    op.execute(
        "DELETE FROM tombstone WHERE EXISTS (SELECT 1 FROM tombstone AS other WHERE other.server = tombstone.server "
        "AND other.project_id = tombstone.project_id AND other.annotation_id = tombstone.annotation_id "
        "AND other.text_id < tombstone.text_id)"
    )
    _set_keys(KEYS_BEFORE, drop_default={})
    op.drop_column("label_task", "epoch")
    op.drop_column("tombstone", "text_id")
    for table in KEYS:
        op.drop_column(table, "epoch")
    for column in ("secret_hash", "left_at", "left_why"):
        op.drop_column("project", column)


def _set_keys(keys: dict[str, list[str]], drop_default: dict[str, list[str]]) -> None:
    """Give each table another primary key. SQLite writes the table anew, PostgreSQL changes the constraint."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, columns in keys.items():
        with warnings.catch_warnings(), op.batch_alter_table(table, recreate="always" if sqlite else "never") as batch:
            warnings.simplefilter("ignore", sa.exc.SAWarning)  # the columns of the old key are not those of the new
            if not sqlite:
                batch.drop_constraint(f"{table}_pkey", type_="primary")
            batch.create_primary_key(f"{table}_pkey", columns)
            for column in drop_default.get(table, ()):
                batch.alter_column(column, existing_type=sa.String(32), existing_nullable=False, server_default=None)

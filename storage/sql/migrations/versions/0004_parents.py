"""The parents of datasets get a table of their own, in place of the columns about the PhraseBank."""

import hashlib
import re

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DATASET = sa.table(
    "dataset",
    sa.column("version"),
    sa.column("phrasebank_sha256"),
    sa.column("phrasebank_source"),
    sa.column("agreement"),
    sa.column("policy"),
)
COLUMNS = ("dataset", "origin", "kind", "name", "hash", "policy")
PARENT = sa.table("dataset_parent", *(sa.column(name) for name in COLUMNS))
ROW = sa.table("dataset_row", *(sa.column(name) for name in ("dataset", "text_id", "label", "split", "origin")))


def upgrade() -> None:
    op.create_table(
        "dataset_parent",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.version"]),
        sa.PrimaryKeyConstraint("dataset", "origin"),
    )
    connection = op.get_bind()
    for found in connection.execute(sa.select(DATASET)).all():
        name = f"{found.phrasebank_source}, agreement {found.agreement}"
        bank = (found.version, "phrasebank", "phrasebank", name, found.phrasebank_sha256, found.policy)
        own = _hash_of_labels(connection, found.version)
        labels = (found.version, "label", "labels", "annotators' labels", own, found.policy)
        connection.execute(sa.insert(PARENT), [dict(zip(COLUMNS, parent, strict=True)) for parent in (bank, labels)])
    # Not as a batch: SQLite would drop and make the table again, and refuses to drop a table that others refer to.
    for name in ("phrasebank_sha256", "phrasebank_source", "agreement"):
        op.drop_column("dataset", name)


def downgrade() -> None:
    op.add_column("dataset", sa.Column("phrasebank_sha256", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("dataset", sa.Column("phrasebank_source", sa.String(length=300), nullable=False, server_default=""))
    op.add_column("dataset", sa.Column("agreement", sa.Integer(), nullable=False, server_default="0"))
    connection = op.get_bind()
    for found in connection.execute(sa.select(PARENT).where(PARENT.c.kind != "labels")).all():
        source, *agreement = re.split(r", agreement (?=\d+$)", found.name)
        values = {
            "phrasebank_sha256": found.hash,
            "phrasebank_source": source,
            "agreement": int((agreement or ["0"])[0]),
        }
        connection.execute(sa.update(DATASET).where(DATASET.c.version == found.dataset).values(values))
    op.drop_table("dataset_parent")


def _hash_of_labels(connection: sa.Connection, version: str) -> str:
    """The hash of the annotators' rows, made as in storage.datasets.parents."""
    query = sa.select(ROW).where(ROW.c.dataset == version, ROW.c.origin == "label")
    lines = sorted(f"{row.text_id} {row.label} {row.split} {row.origin}" for row in connection.execute(query))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

"""Labels come from a scheme: scores and logits by name, room for longer names, and the scheme that a home keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEME, LABELS = "sentiment", ("positive", "neutral", "negative")
HASH = "473b97d0bf35e9ec2bae97ea1eaf486a66360d8dae9a14fef3ef04cd25db2316"
USED = ("label_task", "dataset", "text")
"""A home in use has rows in at least one of these tables."""

LABELLED = {"annotation": True, "label": True, "dataset_row": False}
"""Tables with a column `label`, and whether it may be null."""


def upgrade() -> None:
    op.add_column("text", sa.Column("scores", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("text", sa.Column("logits", sa.JSON(none_as_null=True), nullable=True))
    op.execute(f"UPDATE text SET scores = {_named('')}, logits = {_named('logit_')} WHERE model_version IS NOT NULL")
    # SQLite copies the whole table once for each batch.
    with op.batch_alter_table("text") as batch:
        batch.alter_column("label", existing_type=sa.String(10), type_=sa.String(60), existing_nullable=True)
        for name in LABELS:
            batch.drop_column(name)
            batch.drop_column(f"logit_{name}")
    _resize_labels(10, 60)
    home = op.create_table(
        "home",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scheme", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    # Before this migration there was only one scheme.
    if any(op.get_bind().scalar(sa.text(f"SELECT 1 FROM {table} LIMIT 1")) for table in USED):
        op.bulk_insert(home, [{"id": 1, "scheme": SCHEME, "hash": HASH, "labels": list(LABELS)}])


def downgrade() -> None:
    columns = [(f"{prefix}{name}", values, name) for prefix, values in _PARTS for name in LABELS]
    for column, _, _ in columns:
        op.add_column("text", sa.Column(column, sa.Float(53), nullable=True))
    op.execute("UPDATE text SET " + ", ".join(f"{column} = {_value(values, name)}" for column, values, name in columns))
    with op.batch_alter_table("text") as batch:
        batch.alter_column("label", existing_type=sa.String(60), type_=sa.String(10), existing_nullable=True)
        batch.drop_column("scores")
        batch.drop_column("logits")
    _resize_labels(60, 10)
    op.drop_table("home")


_PARTS = (("", "scores"), ("logit_", "logits"))


def _resize_labels(before: int, after: int) -> None:
    for table, nullable in LABELLED.items():
        with op.batch_alter_table(table) as batch:
            batch.alter_column(
                "label", existing_type=sa.String(before), type_=sa.String(after), existing_nullable=nullable
            )


def _named(prefix: str) -> str:
    """An SQL expression: the columns with that prefix as one JSON object by label."""
    if op.get_bind().dialect.name == "postgresql":
        pairs = ", ".join(f"'{name}', {prefix}{name}" for name in LABELS)
        return f"json_build_object({pairs})"
    # SQLite's own json_object rounds to 15 digits; 17 bring back the same double.
    numbers = " || ', ' || ".join(f"""'"{name}": ' || printf('%!.17g', {prefix}{name})""" for name in LABELS)
    return "'{' || " + numbers + " || '}'"


def _value(column: str, name: str) -> str:
    if op.get_bind().dialect.name == "postgresql":
        return f"({column} ->> '{name}')::double precision"
    return f"json_extract({column}, '$.{name}')"

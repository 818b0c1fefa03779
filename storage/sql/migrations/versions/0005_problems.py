"""Problems that are only shown to people move from the outbox to a table of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OUT_OF_THE_OUTBOX = """
INSERT INTO problem (key, kind, reason, detail, noted_at, ended_at)
SELECT key, kind, coalesce(last_error, 'its runs ended without a verdict'), payload, created_at,
       CASE WHEN last_error IS NULL THEN closed_at END
FROM outbox WHERE kind = 'unfinished'
"""
INTO_THE_OUTBOX = """
INSERT INTO outbox (key, kind, payload, created_at, closed_at, attempts, last_error)
SELECT key, kind, detail, noted_at, coalesce(ended_at, noted_at), 0, CASE WHEN ended_at IS NULL THEN reason END
FROM problem
"""


def upgrade() -> None:
    op.create_table(
        "problem",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_problem_kind"), "problem", ["kind"], unique=False)
    op.execute(OUT_OF_THE_OUTBOX)
    op.execute("DELETE FROM outbox WHERE kind = 'unfinished'")


def downgrade() -> None:
    op.execute(INTO_THE_OUTBOX)
    op.drop_index(op.f("ix_problem_kind"), table_name="problem")
    op.drop_table("problem")

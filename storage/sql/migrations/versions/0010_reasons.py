"""A label task says why its text was chosen, and its place among the tasks that wait for an answer.

Tasks of older homes have neither: they keep their order in Label Studio until a new champion ranks them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("label_task", sa.Column("reason", sa.JSON(), nullable=True))
    op.add_column("label_task", sa.Column("worth", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("label_task", "worth")
    op.drop_column("label_task", "reason")

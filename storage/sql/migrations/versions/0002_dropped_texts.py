"""A dataset keeps the number of dropped texts by reason."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset", sa.Column("dropped", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("dataset", "dropped")

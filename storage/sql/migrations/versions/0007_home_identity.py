"""Every home gets an id of its own, which tells two homes apart on servers that they share."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("home", sa.Column("identity", sa.String(length=32), nullable=False, server_default=uuid.uuid4().hex))
    with op.batch_alter_table("home") as batch:
        batch.alter_column("identity", existing_type=sa.String(32), existing_nullable=False, server_default=None)


def downgrade() -> None:
    op.drop_column("home", "identity")

"""An annotation may hold no answer, and may be the model's prefilled answer as it stood.

Older annotations hold answers; whether these were prefilled is unknown, so none counts as untouched.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("open", "untouched"):
        op.add_column("annotation", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("annotation") as batch:
        for name in ("open", "untouched"):
            batch.alter_column(name, existing_type=sa.Boolean(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    for name in ("open", "untouched"):
        op.drop_column("annotation", name)

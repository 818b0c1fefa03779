"""A verdict is stored once, beside its model version; a dataset says only when a model of it was judged.

No verdict is lost: each was written beside its model version before it was copied beside the dataset.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("dataset", "verdict")  # not as a batch, which would drop a table that others refer to


def downgrade() -> None:
    op.add_column("dataset", sa.Column("verdict", sa.JSON(), nullable=True))

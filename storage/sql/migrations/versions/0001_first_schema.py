"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "annotation",
        sa.Column("server", sa.String(length=300), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("annotation_id", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("text_id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=10), nullable=True),
        sa.Column("annotator", sa.String(length=200), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("server", "project_id", "annotation_id", "updated_at"),
    )
    op.create_index(op.f("ix_annotation_text_id"), "annotation", ["text_id"], unique=False)
    op.create_table(
        "counter",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "dataset",
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("phrasebank_sha256", sa.String(length=64), nullable=False),
        sa.Column("phrasebank_source", sa.String(length=300), nullable=False),
        sa.Column("agreement", sa.Integer(), nullable=False),
        sa.Column("label_watermark", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_index(op.f("ix_dataset_label_watermark"), "dataset", ["label_watermark"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_inbox_state"), "inbox", ["state"], unique=False)
    op.create_table(
        "label_task",
        sa.Column("text_id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("prediction", sa.JSON(), nullable=True),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("server", sa.String(length=300), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("text_id"),
    )
    op.create_index(op.f("ix_label_task_batch_id"), "label_task", ["batch_id"], unique=False)
    op.create_index(op.f("ix_label_task_purpose"), "label_task", ["purpose"], unique=False)
    op.create_index(op.f("ix_label_task_state"), "label_task", ["state"], unique=False)
    op.create_index("task_by_server_id", "label_task", ["server", "project_id", "task_id"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "outbox",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_outbox_kind"), "outbox", ["kind"], unique=False)
    op.create_table(
        "project",
        sa.Column("server", sa.String(length=300), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("server"),
    )
    op.create_table(
        "split",
        sa.Column("text_id", sa.String(length=32), nullable=False),
        sa.Column("cluster", sa.String(length=32), nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("text_id"),
    )
    op.create_table(
        "text",
        sa.Column("text_id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("audit", sa.Boolean(), nullable=False),
        sa.Column("ingested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("label", sa.String(length=10), nullable=True),
        sa.Column("positive", sa.Float(precision=53), nullable=True),
        sa.Column("neutral", sa.Float(precision=53), nullable=True),
        sa.Column("negative", sa.Float(precision=53), nullable=True),
        sa.Column("logit_positive", sa.Float(precision=53), nullable=True),
        sa.Column("logit_neutral", sa.Float(precision=53), nullable=True),
        sa.Column("logit_negative", sa.Float(precision=53), nullable=True),
        sa.Column("confidence", sa.Float(precision=53), nullable=True),
        sa.Column("margin", sa.Float(precision=53), nullable=True),
        sa.Column("model_version", sa.String(length=40), nullable=True),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("text_id"),
    )
    op.create_index("text_by_margin", "text", ["audit", "model_version", "margin", "text_id"], unique=False)
    op.create_index("text_by_version", "text", ["model_version", "text_id"], unique=False)
    op.create_table(
        "tombstone",
        sa.Column("server", sa.String(length=300), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("annotation_id", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("server", "project_id", "annotation_id"),
    )
    op.create_table(
        "dataset_row",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("text_id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("label", sa.String(length=10), nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("cluster", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["dataset.version"],
        ),
        sa.PrimaryKeyConstraint("dataset", "text_id"),
    )
    op.create_table(
        "label",
        sa.Column("text_id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=10), nullable=True),
        sa.Column("annotations", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["text_id"],
            ["label_task.text_id"],
        ),
        sa.PrimaryKeyConstraint("text_id"),
    )
    op.create_index(op.f("ix_label_sequence"), "label", ["sequence"], unique=True)


def downgrade() -> None:
    op.drop_index(op.f("ix_label_sequence"), table_name="label")
    op.drop_table("label")
    op.drop_table("dataset_row")
    op.drop_table("tombstone")
    op.drop_index("text_by_version", table_name="text")
    op.drop_index("text_by_margin", table_name="text")
    op.drop_table("text")
    op.drop_table("split")
    op.drop_table("project")
    op.drop_index(op.f("ix_outbox_kind"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("lease")
    op.drop_index("task_by_server_id", table_name="label_task")
    op.drop_index(op.f("ix_label_task_state"), table_name="label_task")
    op.drop_index(op.f("ix_label_task_purpose"), table_name="label_task")
    op.drop_index(op.f("ix_label_task_batch_id"), table_name="label_task")
    op.drop_table("label_task")
    op.drop_index(op.f("ix_inbox_state"), table_name="inbox")
    op.drop_table("inbox")
    op.drop_index(op.f("ix_dataset_label_watermark"), table_name="dataset")
    op.drop_table("dataset")
    op.drop_table("counter")
    op.drop_index(op.f("ix_annotation_text_id"), table_name="annotation")
    op.drop_table("annotation")

"""The tables, as SQLAlchemy 2.0 typed classes. A test compares alembic's migrations with them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Float, ForeignKey, Index, Integer, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

LABEL_LENGTH = 60
"""The most characters in the name of a label (`storage.scheme.Word`)."""


EPOCH_LENGTH = 32
"""The digits of a project's epoch (`storage.labels.projects`)."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC with its zone. SQLite drops the zone, and compares times as text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time and store UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with its zone."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The base of all tables, which alembic compares with the migrations."""

    # The annotation is SQLAlchemy's own idiom, hence the noqa.
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012


class TextRow(Base):
    """A production text with its newest prediction (the embedded store; Elasticsearch holds the same)."""

    __tablename__ = "text"
    text_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    text: Mapped[str]
    source: Mapped[str] = mapped_column(String(100))
    audit: Mapped[bool]
    ingested_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    label: Mapped[str | None] = mapped_column(String(LABEL_LENGTH))
    scores: Mapped[dict[str, Any] | None]
    logits: Mapped[dict[str, Any] | None]
    confidence: Mapped[float | None] = mapped_column(Float(53))
    margin: Mapped[float | None] = mapped_column(Float(53))
    model_version: Mapped[str | None] = mapped_column(String(40))
    predicted_at: Mapped[datetime | None]
    __table_args__ = (
        Index("text_by_margin", "audit", "model_version", "margin", "text_id"),
        Index("text_by_version", "model_version", "text_id"),
    )


class TaskRow(Base):
    """A label task; the text id is the key, so that no text is reserved twice.

    `reason` is why the text was chosen; `worth` is its place in the order of asking, 1 is first.
    """

    __tablename__ = "label_task"
    text_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    text: Mapped[str]
    source: Mapped[str] = mapped_column(String(100))
    purpose: Mapped[str] = mapped_column(String(10), index=True)
    state: Mapped[str] = mapped_column(String(10), index=True)
    batch_id: Mapped[str] = mapped_column(String(32), index=True)
    prediction: Mapped[dict[str, Any] | None]
    reason: Mapped[dict[str, Any] | None]
    worth: Mapped[int | None]
    reserved_at: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]
    server: Mapped[str | None] = mapped_column(String(300))
    project_id: Mapped[int | None] = mapped_column(BigInteger)
    epoch: Mapped[str | None] = mapped_column(String(EPOCH_LENGTH))
    task_id: Mapped[int | None] = mapped_column(BigInteger)
    sent_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    __table_args__ = (Index("task_by_server_id", "server", "project_id", "task_id"),)


class InboxRow(Base):
    """A webhook as Label Studio sent it, committed before it is acknowledged."""

    __tablename__ = "inbox"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    received_at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(10), index=True)
    reason: Mapped[str | None]
    processed_at: Mapped[datetime | None]


class AnnotationRow(Base):
    """One revision of one annotation. A server that was reset or restored gives its numbers again, for other texts."""

    __tablename__ = "annotation"
    server: Mapped[str] = mapped_column(String(300), primary_key=True)
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    epoch: Mapped[str] = mapped_column(String(EPOCH_LENGTH), primary_key=True)
    annotation_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    text_id: Mapped[str] = mapped_column(String(32), primary_key=True, index=True)
    updated_at: Mapped[datetime] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[str | None] = mapped_column(String(LABEL_LENGTH))
    open: Mapped[bool] = mapped_column(default=False)
    untouched: Mapped[bool] = mapped_column(default=False)
    annotator: Mapped[str] = mapped_column(String(200))
    recorded_at: Mapped[datetime]


class TombstoneRow(Base):
    """A deleted annotation. The deletion is final, also where it arrives before the annotation.

    `text_id` is empty until an annotation of this number is known.
    """

    __tablename__ = "tombstone"
    server: Mapped[str] = mapped_column(String(300), primary_key=True)
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    epoch: Mapped[str] = mapped_column(String(EPOCH_LENGTH), primary_key=True)
    annotation_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    text_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    recorded_at: Mapped[datetime]


class LabelRow(Base):
    """The label of a text; `label` is null while its annotations agree on none."""

    __tablename__ = "label"
    text_id: Mapped[str] = mapped_column(ForeignKey("label_task.text_id"), primary_key=True)
    label: Mapped[str | None] = mapped_column(String(LABEL_LENGTH))
    annotations: Mapped[int]
    sequence: Mapped[int] = mapped_column(index=True, unique=True)
    changed_at: Mapped[datetime]


class HomeRow(Base):
    """What this home keeps about itself: its identity and its label scheme. The table has one row, with the id 1."""

    __tablename__ = "home"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    scheme: Mapped[str] = mapped_column(String(40))
    identity: Mapped[str] = mapped_column(String(32))
    hash: Mapped[str] = mapped_column(String(64))
    labels: Mapped[list[str]] = mapped_column(JSON)


class CounterRow(Base):
    """A number that only grows; the row's lock makes sure that no number is given twice."""

    __tablename__ = "counter"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int]


class IntentRow(Base):
    """An effect on a foreign system, committed before it is tried and closed after it is done."""

    __tablename__ = "outbox"
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), index=True)
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    attempts: Mapped[int]
    last_error: Mapped[str | None]


class ProblemRow(Base):
    """A problem that `finloop status` shows until it has ended."""

    __tablename__ = "problem"
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), index=True)
    reason: Mapped[str]
    detail: Mapped[dict[str, Any]]
    noted_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class LeaseRow(Base):
    """The owner of work that only one process may do, and when the lease expires."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]


class ProjectRow(Base):
    """A Label Studio project of ours and its webhook; `left_at` and `left_why` are set where another took its place.

    `secret_hash` is the hash of the secret that we wrote into the webhook.
    """

    __tablename__ = "project"
    server: Mapped[str] = mapped_column(String(300), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(EPOCH_LENGTH), primary_key=True)
    project_id: Mapped[int] = mapped_column(BigInteger)
    webhook_id: Mapped[int | None] = mapped_column(BigInteger)
    secret_hash: Mapped[str | None] = mapped_column(String(64))
    left_at: Mapped[datetime | None]
    left_why: Mapped[str | None]


class DatasetRow(Base):
    """A dataset version: the hash of its rows, and how far the labels were read into it."""

    __tablename__ = "dataset"
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime]
    label_watermark: Mapped[int] = mapped_column(index=True)
    policy: Mapped[str] = mapped_column(String(64))
    dropped: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    judged_at: Mapped[datetime | None]


class ParentRow(Base):
    """One parent of a dataset version; the rows from this parent have its origin."""

    __tablename__ = "dataset_parent"
    dataset: Mapped[str] = mapped_column(ForeignKey("dataset.version"), primary_key=True)
    origin: Mapped[str] = mapped_column(String(20), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(String(64))
    policy: Mapped[str] = mapped_column(String(64))


class ExampleRow(Base):
    """One row of one dataset version."""

    __tablename__ = "dataset_row"
    dataset: Mapped[str] = mapped_column(ForeignKey("dataset.version"), primary_key=True)
    text_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    text: Mapped[str]
    label: Mapped[str] = mapped_column(String(LABEL_LENGTH))
    split: Mapped[str] = mapped_column(String(10))
    origin: Mapped[str] = mapped_column(String(20))
    cluster: Mapped[str] = mapped_column(String(32))


class SplitRow(Base):
    """The split of a text, for ever."""

    __tablename__ = "split"
    text_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    cluster: Mapped[str] = mapped_column(String(32))
    split: Mapped[str] = mapped_column(String(10))

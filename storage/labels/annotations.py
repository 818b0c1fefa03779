"""Annotation revisions, tombstones, and the label of each text: the truth that datasets and audits read.

One transaction records an annotation and settles its text's label. Such transactions take turns, because a deletion
that runs beside the creation of its annotation would miss the annotation. Every change of a label takes the next number
of one counter, so that "the labels since the last dataset" compares numbers and needs no clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, select, update

from storage.clock import now
from storage.labels.projects import Project
from storage.labels.revisions import annotation as annotation_of
from storage.labels.revisions import living, newest
from storage.records import Annotation, AnnotationKey, Label, Purpose, TaskState
from storage.sql.database import reading, snapshot, take_turn
from storage.sql.schema import AnnotationRow, CounterRow, LabelRow, TaskRow, TombstoneRow
from storage.sql.upsert import insert_new, insert_or_update

Consensus = Callable[[Sequence[Annotation]], str | None]
"""The current annotations of a text, skips included, by annotation id -> the label that they agree on, or None."""

TURN = 4712
NO_TEXT = ""
"""The text of a tombstone that came before its annotation. It is for the first annotation of its number."""

_TRAINABLE = and_(TaskRow.purpose == Purpose.SELECT, LabelRow.label.is_not(None))
_IS_OUT = TaskRow.state.not_in([TaskState.RESERVED, TaskState.WITHDRAWN])
_AUDIT = and_(TaskRow.purpose == Purpose.AUDIT, LabelRow.label.is_not(None))


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whether the revision or tombstone was new, and whether the text's label changed."""

    new: bool
    label_changed: bool


@dataclass(frozen=True, slots=True)
class LabelSnapshot:
    """The labels and the watermark of one moment: every later change of a label has a number above `watermark`."""

    trainable: tuple[Label, ...]
    audit: tuple[Label, ...]
    watermark: int


class Labels:
    """Annotation revisions, tombstones and labels."""

    def __init__(self, engine: Engine, consensus: Consensus) -> None:
        self._engine, self._reader, self._consensus = engine, reading(engine), consensus

    def record(self, annotation: Annotation) -> Recorded:
        """Store a revision once and settle its text's label. An older or repeated revision changes no label.

        The text must have a label task: the caller leaves out the annotations of foreign tasks.
        """
        key = annotation.key
        with self._engine.begin() as connection:
            take_turn(connection, TURN)
            done = connection.execute(
                insert_new(connection, AnnotationRow).values(
                    server=key.server,
                    project_id=key.project_id,
                    epoch=key.epoch,
                    annotation_id=key.annotation_id,
                    updated_at=annotation.updated_at,
                    task_id=annotation.task_id,
                    text_id=annotation.text_id,
                    label=annotation.label,
                    open=annotation.open,
                    untouched=annotation.untouched,
                    annotator=annotation.annotator[:200],
                    recorded_at=now(),
                )
            )
            _note_arrival(connection, annotation)
            _claim_tombstone(connection, annotation)
            return Recorded(done.rowcount == 1, self._settle(connection, annotation.text_id))

    def bury(self, key: AnnotationKey, text_id: str | None = None) -> Recorded:
        """Store a tombstone for a deleted annotation, and settle the label of its text. A deletion is final.

        Without `text_id`, the newest annotation of that number is meant, or the one that is still to come.
        """
        with self._engine.begin() as connection:
            take_turn(connection, TURN)
            text_id = text_id or _text_of(connection, key)
            done = connection.execute(
                insert_new(connection, TombstoneRow).values(
                    server=key.server,
                    project_id=key.project_id,
                    epoch=key.epoch,
                    annotation_id=key.annotation_id,
                    text_id=text_id or NO_TEXT,
                    recorded_at=now(),
                )
            )
            return Recorded(done.rowcount == 1, text_id is not None and self._settle(connection, text_id))

    def revisions(self, text_id: str) -> list[Annotation]:
        """Every stored revision of a text's annotations, oldest first, deleted ones included."""
        table = AnnotationRow.__table__
        query = select(table).where(AnnotationRow.text_id == text_id)
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(AnnotationRow.updated_at, AnnotationRow.annotation_id))
            return [annotation_of(row) for row in rows.mappings()]

    def current(self, text_id: str) -> list[Annotation]:
        """The newest revision of each annotation of a text that holds an answer and was not deleted, by number."""
        with self._reader.connect() as connection:
            return _current(connection, text_id)

    def untouched(self) -> int:
        """How many current answers are the model's prefilled answer, accepted as it stood."""
        with self._reader.connect() as connection:
            return sum(one.untouched and not one.open for one in newest(connection.execute(living()).mappings()))

    def in_project(self, project: Project) -> list[Annotation]:
        """The newest revision of every annotation of a project that was not deleted."""
        here = (AnnotationRow.server == project.server, AnnotationRow.project_id == project.id)
        with self._reader.connect() as connection:
            rows = connection.execute(living().where(*here, AnnotationRow.epoch == project.epoch))
            return newest(rows.mappings())

    def get(self, text_id: str) -> Label | None:
        """The label of a text, or None before its first annotation."""
        with self._reader.connect() as connection:
            return next(iter(_labels(connection, LabelRow.text_id == text_id)), None)

    def trainable(self) -> list[Label]:
        """The labels that may train, by sequence: those of texts that select sent and whose annotations agree."""
        with self._reader.connect() as connection:
            return _labels(connection, _TRAINABLE)

    def audit(self) -> list[Label]:
        """The audit slice, by sequence: the labels of audit texts whose annotations agree. These never train."""
        with self._reader.connect() as connection:
            return _labels(connection, _AUDIT)

    def snapshot(self) -> LabelSnapshot:
        """All labels and the watermark of one moment, so that no label falls between a dataset and its watermark."""
        with snapshot(self._engine).connect() as connection:
            watermark = connection.scalar(select(func.max(LabelRow.sequence))) or 0
            return LabelSnapshot(tuple(_labels(connection, _TRAINABLE)), tuple(_labels(connection, _AUDIT)), watermark)

    def trainable_since(self, watermark: int) -> int:
        """How many trainable labels changed after a watermark."""
        query = select(func.count()).select_from(LabelRow).join(TaskRow, TaskRow.text_id == LabelRow.text_id)
        with self._reader.connect() as connection:
            return connection.scalar(query.where(_TRAINABLE, LabelRow.sequence > watermark)) or 0

    def watermark(self) -> int:
        """The number of the newest label change; 0 before the first. `snapshot` reads it together with the labels."""
        with self._reader.connect() as connection:
            return connection.scalar(select(func.max(LabelRow.sequence))) or 0

    def _settle(self, connection: Connection, text_id: str) -> bool:
        annotations = _current(connection, text_id)
        label = self._consensus(annotations)
        before = connection.execute(
            select(LabelRow.label, LabelRow.sequence).where(LabelRow.text_id == text_id)
        ).first()
        if before is None and not annotations:
            return False
        changed = before is None or before.label != label
        number = _next_number(connection, "label") if before is None or changed else before.sequence
        columns = ["label", "annotations", "sequence", "changed_at"] if changed else ["annotations"]
        connection.execute(
            insert_or_update(connection, LabelRow, ["text_id"], columns).values(
                text_id=text_id,
                label=label,
                annotations=len(annotations),
                sequence=number,
                changed_at=now(),
            )
        )
        # A task that is about to be sent again, or was withdrawn, stays so, whatever is deleted elsewhere.
        asked = (TaskRow.text_id == text_id,) if annotations else (TaskRow.text_id == text_id, _IS_OUT)
        connection.execute(update(TaskRow).where(*asked).values(state=_state(annotations)))
        return changed


def _note_arrival(connection: Connection, annotation: Annotation) -> None:
    """Mark the annotation's task as sent: the sender may have died before it could do so."""
    key = annotation.key
    here = {
        "server": key.server,
        "project_id": key.project_id,
        "epoch": key.epoch,
        "task_id": annotation.task_id,
    }
    connection.execute(
        update(TaskRow)
        .where(TaskRow.text_id == annotation.text_id, TaskRow.task_id.is_(None))
        .values(state=TaskState.SENT, sent_at=now(), lease_owner=None, lease_until=None, **here)
    )


def _claim_tombstone(connection: Connection, annotation: Annotation) -> None:
    """Give a tombstone that came before the annotation its text."""
    row, key = TombstoneRow, annotation.key
    same = (row.server == key.server, row.project_id == key.project_id, row.epoch == key.epoch)
    early = (*same, row.annotation_id == key.annotation_id, row.text_id == NO_TEXT)
    connection.execute(update(row).where(*early).values(text_id=annotation.text_id))


def _text_of(connection: Connection, key: AnnotationKey) -> str | None:
    """The text of the newest annotation with that number, deleted or not, or None where there is none yet."""
    row = AnnotationRow
    same = (row.server == key.server, row.project_id == key.project_id, row.epoch == key.epoch)
    query = select(row.text_id).where(*same, row.annotation_id == key.annotation_id)
    return connection.scalar(query.order_by(row.updated_at.desc()).limit(1))


def _current(connection: Connection, text_id: str) -> list[Annotation]:
    found = newest(connection.execute(living().where(AnnotationRow.text_id == text_id)).mappings())
    return [one for one in found if not one.open]


def _labels(connection: Connection, condition: ColumnElement[bool]) -> list[Label]:
    query = (
        select(TaskRow.text, TaskRow.purpose, LabelRow)
        .join(TaskRow, TaskRow.text_id == LabelRow.text_id)
        .where(condition)
        .order_by(LabelRow.sequence)
    )
    return [
        Label(row.text_id, row.text, Purpose(row.purpose), row.label, row.annotations, row.sequence)
        for row in connection.execute(query)
    ]


def _state(annotations: Sequence[Annotation]) -> TaskState:
    if not annotations:
        return TaskState.SENT
    return TaskState.SKIPPED if all(one.label is None for one in annotations) else TaskState.ANSWERED


def _next_number(connection: Connection, name: str) -> int:
    connection.execute(insert_new(connection, CounterRow).values(name=name, value=0))
    grown = update(CounterRow).where(CounterRow.name == name).values(value=CounterRow.value + 1)
    return int(connection.execute(grown.returning(CounterRow.value)).scalar_one())

"""Annotations by revision, tombstones, and the label that each text's annotations agree on: the truth of the loop.

Recording an annotation and settling its text's label are one transaction. Every change of a label takes the next
number of one counter, so that "labels since the last dataset" is a comparison that no clock can upset.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, and_, func, select, update

from storage.clock import now
from storage.database import reading
from storage.records import Annotation, AnnotationKey, Label, Purpose, Sentiment, TaskState
from storage.schema import AnnotationRow, CounterRow, LabelRow, TaskRow, TombstoneRow
from storage.upsert import insert_new, insert_or_update

Consensus = Callable[[Sequence[Annotation]], Sentiment | None]
"""What a text's current annotations (skips included) agree on, or None."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one recording changed: whether the revision was new, and whether the text's label moved."""

    new: bool
    label_changed: bool


class Labels:
    """Annotation revisions, tombstones and labels."""

    def __init__(self, engine: Engine, consensus: Consensus) -> None:
        self._engine, self._reader, self._consensus = engine, reading(engine), consensus

    def record(self, annotation: Annotation) -> Recorded:
        """Store a revision once and settle its text's label; an older or repeated revision changes no label.

        The text must have a label task: an annotation of a foreign task is the caller's to ignore.
        """
        with self._engine.begin() as connection:
            key = annotation.key
            done = connection.execute(
                insert_new(connection, AnnotationRow).values(
                    server=key.server,
                    project_id=key.project_id,
                    annotation_id=key.annotation_id,
                    updated_at=annotation.updated_at,
                    task_id=annotation.task_id,
                    text_id=annotation.text_id,
                    label=annotation.label,
                    annotator=annotation.annotator[:200],
                    recorded_at=now(),
                )
            )
            return Recorded(done.rowcount == 1, self._settle(connection, annotation.text_id))

    def bury(self, key: AnnotationKey) -> Recorded:
        """Note that an annotation was deleted, for ever, and settle the label of the text it had answered."""
        with self._engine.begin() as connection:
            done = connection.execute(
                insert_new(connection, TombstoneRow).values(
                    server=key.server, project_id=key.project_id, annotation_id=key.annotation_id, recorded_at=now()
                )
            )
            here = (
                AnnotationRow.server == key.server,
                AnnotationRow.project_id == key.project_id,
                AnnotationRow.annotation_id == key.annotation_id,
            )
            texts = list(connection.scalars(select(AnnotationRow.text_id).where(*here).distinct()))
            changed = [self._settle(connection, text_id) for text_id in texts]
            return Recorded(done.rowcount == 1, any(changed))

    def revisions(self, text_id: str) -> list[Annotation]:
        """Every stored revision of a text's annotations, oldest first, deleted ones included."""
        table = AnnotationRow.__table__
        query = select(table).where(AnnotationRow.text_id == text_id).order_by(AnnotationRow.updated_at)
        with self._reader.connect() as connection:
            return [_annotation(row) for row in connection.execute(query).mappings()]

    def current(self, text_id: str) -> list[Annotation]:
        """The newest revision of each annotation of a text that was not deleted."""
        with self._reader.connect() as connection:
            return self._current(connection, text_id)

    def on_task(self, server: str, project_id: int) -> dict[int, dict[int, Annotation]]:
        """The living annotations of a project: task id -> annotation id -> newest revision."""
        query = _living().where(AnnotationRow.server == server, AnnotationRow.project_id == project_id)
        found: dict[int, dict[int, Annotation]] = {}
        with self._reader.connect() as connection:
            for annotation in _newest(connection.execute(query).mappings()):
                found.setdefault(annotation.task_id, {})[annotation.key.annotation_id] = annotation
        return found

    def get(self, text_id: str) -> Label | None:
        """The label row of a text, if it was ever answered."""
        return next(iter(self._labels(LabelRow.text_id == text_id)), None)

    def trainable(self) -> list[Label]:
        """Labels that may train: of selected texts, agreed on."""
        return self._labels(and_(TaskRow.purpose == Purpose.SELECT, LabelRow.label.is_not(None)))

    def audit(self) -> list[Label]:
        """The audit slice: agreed labels of audit texts; these never train."""
        return self._labels(and_(TaskRow.purpose == Purpose.AUDIT, LabelRow.label.is_not(None)))

    def trainable_since(self, watermark: int) -> int:
        """How many trainable labels changed after a watermark."""
        query = select(func.count()).select_from(LabelRow).join(TaskRow, TaskRow.text_id == LabelRow.text_id)
        since = (TaskRow.purpose == Purpose.SELECT, LabelRow.label.is_not(None), LabelRow.sequence > watermark)
        with self._reader.connect() as connection:
            return connection.scalar(query.where(*since)) or 0

    def watermark(self) -> int:
        """The number of the newest change of any label; 0 before the first."""
        with self._reader.connect() as connection:
            return connection.scalar(select(func.max(LabelRow.sequence))) or 0

    def _settle(self, connection: Connection, text_id: str) -> bool:
        # The task row's lock makes two webhooks of one text take turns; SQLite writers take turns anyway.
        connection.execute(select(TaskRow.text_id).where(TaskRow.text_id == text_id).with_for_update())
        annotations = self._current(connection, text_id)
        label = self._consensus(annotations)
        before = connection.execute(
            select(LabelRow.label, LabelRow.sequence).where(LabelRow.text_id == text_id)
        ).first()
        if before is None and not annotations:
            return False
        changed = before is None or before.label != label
        number = _next_number(connection, "label") if before is None or changed else before.sequence
        connection.execute(
            insert_or_update(
                connection, LabelRow, ["text_id"], ["label", "annotations", "sequence", "changed_at"]
            ).values(
                text_id=text_id,
                label=label,
                annotations=len(annotations),
                sequence=number,
                changed_at=now(),
            )
        )
        connection.execute(update(TaskRow).where(TaskRow.text_id == text_id).values(state=_state(annotations)))
        return changed

    def _current(self, connection: Connection, text_id: str) -> list[Annotation]:
        return list(_newest(connection.execute(_living().where(AnnotationRow.text_id == text_id)).mappings()))

    def _labels(self, condition: object) -> list[Label]:
        columns = (LabelRow.text_id, TaskRow.text, TaskRow.purpose, LabelRow.label)
        query = (
            select(*columns, LabelRow.annotations, LabelRow.sequence)
            .join(TaskRow, TaskRow.text_id == LabelRow.text_id)
            .where(condition)  # type: ignore[arg-type]
            .order_by(LabelRow.sequence)
        )
        with self._reader.connect() as connection:
            return [
                Label(row.text_id, row.text, Purpose(row.purpose), _sentiment(row.label), row.annotations, row.sequence)
                for row in connection.execute(query)
            ]


def _living() -> Select[Any]:
    buried = (
        select(TombstoneRow.annotation_id)
        .where(
            TombstoneRow.server == AnnotationRow.server,
            TombstoneRow.project_id == AnnotationRow.project_id,
            TombstoneRow.annotation_id == AnnotationRow.annotation_id,
        )
        .exists()
    )
    return select(AnnotationRow.__table__).where(~buried).order_by(AnnotationRow.updated_at)


def _newest(rows: Iterable[RowMapping]) -> Iterator[Annotation]:
    newest = {(row["server"], row["project_id"], row["annotation_id"]): row for row in rows}
    return (_annotation(row) for row in newest.values())


def _annotation(row: RowMapping) -> Annotation:
    return Annotation(
        key=AnnotationKey(row["server"], row["project_id"], row["annotation_id"]),
        task_id=row["task_id"],
        text_id=row["text_id"],
        label=_sentiment(row["label"]),
        annotator=row["annotator"],
        updated_at=row["updated_at"],
    )


def _sentiment(value: str | None) -> Sentiment | None:
    return None if value is None else Sentiment(value)


def _state(annotations: Sequence[Annotation]) -> TaskState:
    if not annotations:
        return TaskState.SENT
    return TaskState.SKIPPED if all(answer.label is None for answer in annotations) else TaskState.ANSWERED


def _next_number(connection: Connection, name: str) -> int:
    connection.execute(insert_new(connection, CounterRow).values(name=name, value=0))
    grown = update(CounterRow).where(CounterRow.name == name).values(value=CounterRow.value + 1)
    return int(connection.execute(grown.returning(CounterRow.value)).scalar_one())

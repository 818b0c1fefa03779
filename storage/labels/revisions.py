"""Reads annotation revisions: which annotations were not deleted, and which revision of each is the newest.

Every result depends on the set of stored rows alone, never on the order of their arrival.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping, Select, select

from storage.records import Annotation, AnnotationKey
from storage.sql.schema import AnnotationRow, TombstoneRow

IDENTITY = ("server", "project_id", "epoch", "annotation_id", "text_id")
"""What tells two annotations apart. The text belongs to it: a server that was set back gives a number again."""


def living() -> Select[Any]:
    """A query for every revision of the annotations without a tombstone, oldest first."""
    buried = (
        select(TombstoneRow.annotation_id)
        .where(
            TombstoneRow.server == AnnotationRow.server,
            TombstoneRow.project_id == AnnotationRow.project_id,
            TombstoneRow.epoch == AnnotationRow.epoch,
            TombstoneRow.annotation_id == AnnotationRow.annotation_id,
            TombstoneRow.text_id == AnnotationRow.text_id,
        )
        .exists()
    )
    return select(AnnotationRow.__table__).where(~buried).order_by(AnnotationRow.updated_at)


def newest(rows: Iterable[RowMapping]) -> list[Annotation]:
    """The newest revision of each annotation, by annotation id. `rows` must be sorted oldest first."""
    last = {tuple(row[name] for name in IDENTITY): row for row in rows}
    return [annotation(last[key]) for key in sorted(last)]


def annotation(row: RowMapping) -> Annotation:
    """The annotation revision in a stored row."""
    return Annotation(
        key=AnnotationKey(row["server"], row["project_id"], row["annotation_id"], row["epoch"]),
        task_id=row["task_id"],
        text_id=row["text_id"],
        label=row["label"],
        annotator=row["annotator"],
        updated_at=row["updated_at"],
        open=row["open"],
        untouched=row["untouched"],
    )

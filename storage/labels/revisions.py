"""Annotation revisions as they are read back: what is alive, and which revision of each annotation is the newest.

Every answer here is a function of the set of stored rows alone, never of the order in which they arrived.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping, Select, select

from storage.records import Annotation, AnnotationKey
from storage.sql.schema import AnnotationRow, TombstoneRow


def living() -> Select[Any]:
    """Every revision of the annotations that have no tombstone, oldest first."""
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


def newest(rows: Iterable[RowMapping]) -> list[Annotation]:
    """The last revision of each annotation, by annotation id; the rows come oldest first."""
    last = {(row["server"], row["project_id"], row["annotation_id"]): row for row in rows}
    return [annotation(last[key]) for key in sorted(last)]


def annotation(row: RowMapping) -> Annotation:
    """One stored revision."""
    return Annotation(
        key=AnnotationKey(row["server"], row["project_id"], row["annotation_id"]),
        task_id=row["task_id"],
        text_id=row["text_id"],
        label=row["label"],
        annotator=row["annotator"],
        updated_at=row["updated_at"],
    )

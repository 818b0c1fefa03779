"""What went wrong and has to be shown to a person; nobody brings anything about for it, which is why it is no intent.

A problem is told once: one that has ended is not told again under the same key.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select, update

from storage.clock import now
from storage.sql.database import reading
from storage.sql.schema import ProblemRow
from storage.sql.upsert import insert_new


@dataclass(frozen=True, slots=True)
class Problem:
    """One trouble, named by its key; `detail` is what its end depends on."""

    key: str
    kind: str
    reason: str
    detail: dict[str, Any]
    noted_at: datetime


class Problems:
    """The problems in the label database."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def note(self, key: str, kind: str, reason: str, **detail: Any) -> bool:
        """Tell a problem; False where one of that key was told before, whether it has ended or not."""
        with self._engine.begin() as connection:
            values = {"key": key, "kind": kind, "reason": reason, "detail": detail, "noted_at": now()}
            return connection.execute(insert_new(connection, ProblemRow).values(**values)).rowcount == 1

    def end(self, key: str) -> None:
        """The problem is made up for; to say so twice changes nothing."""
        with self._engine.begin() as connection:
            mine = (ProblemRow.key == key) & ProblemRow.ended_at.is_(None)
            connection.execute(update(ProblemRow).where(mine).values(ended_at=now()))

    def open(self, kind: str | None = None) -> list[Problem]:
        """The problems that have not ended, newest first."""
        row = ProblemRow
        query = select(row.key, row.kind, row.reason, row.detail, row.noted_at).where(row.ended_at.is_(None))
        if kind is not None:
            query = query.where(row.kind == kind)
        with self._reader.connect() as connection:
            return [Problem(*found) for found in connection.execute(query.order_by(row.noted_at.desc(), row.key))]

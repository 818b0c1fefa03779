"""Problems that a person must see. An effect that code retries is an intent instead, never a problem.

A problem is stored once: after its end, the same key stores no new problem.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, select, update

from storage.clock import now
from storage.sql.database import reading
from storage.sql.schema import ProblemRow
from storage.sql.upsert import insert_new


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, named by its key; `detail` holds the values that decide about its end."""

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
        """Store a problem. False: a problem of this key exists, ended or not."""
        with self._engine.begin() as connection:
            values = {"key": key, "kind": kind, "reason": reason, "detail": detail, "noted_at": now()}
            return connection.execute(insert_new(connection, ProblemRow).values(**values)).rowcount == 1

    def end(self, key: str) -> None:
        """End a problem. A second call changes nothing."""
        with self._engine.begin() as connection:
            mine = (ProblemRow.key == key) & ProblemRow.ended_at.is_(None)
            connection.execute(update(ProblemRow).where(mine).values(ended_at=now()))

    def prune(self, before: datetime) -> int:
        """Delete the problems that ended before a moment. Returns their number."""
        with self._engine.begin() as connection:
            return connection.execute(delete(ProblemRow).where(ProblemRow.ended_at < before)).rowcount

    def open(self, kind: str | None = None) -> list[Problem]:
        """The problems that have not ended, newest first."""
        row = ProblemRow
        query = select(row.key, row.kind, row.reason, row.detail, row.noted_at).where(row.ended_at.is_(None))
        if kind is not None:
            query = query.where(row.kind == kind)
        with self._reader.connect() as connection:
            return [Problem(*found) for found in connection.execute(query.order_by(row.noted_at.desc(), row.key))]

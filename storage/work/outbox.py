"""Intents: every effect on a foreign system is a row committed before it is tried and closed after it is done,
so that a crash between the two is made good by whoever replays the open rows.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select, update

from storage.clock import now
from storage.sql.database import reading
from storage.sql.schema import IntentRow
from storage.sql.upsert import insert_new

_BY_AGE = (IntentRow.created_at, IntentRow.key)


@dataclass(frozen=True, slots=True)
class Intent:
    """One effect to bring about; `key` says which, so that the same effect is intended once."""

    key: str
    kind: str
    payload: dict[str, Any]
    created_at: datetime
    closed_at: datetime | None
    attempts: int
    last_error: str | None


class Outbox:
    """The intents, open and closed."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def add(self, key: str, kind: str, payload: dict[str, Any]) -> bool:
        """Intend an effect; False where the same key was intended before, closed or not."""
        with self._engine.begin() as connection:
            done = connection.execute(
                insert_new(connection, IntentRow).values(
                    key=key, kind=kind, payload=payload, created_at=now(), attempts=0
                )
            )
            return done.rowcount == 1

    def open(self, kind: str | None = None) -> list[Intent]:
        """The intents not brought about yet, oldest first."""
        query = select(IntentRow.__table__).where(IntentRow.closed_at.is_(None)).order_by(*_BY_AGE)
        if kind is not None:
            query = query.where(IntentRow.kind == kind)
        with self._reader.connect() as connection:
            return [Intent(**row) for row in connection.execute(query).mappings()]

    def troubled(self, kind: str | None = None) -> list[Intent]:
        """The intents with an error: open ones that failed at least once, and those given up; newest first."""
        query = select(IntentRow.__table__).where(IntentRow.last_error.is_not(None))
        if kind is not None:
            query = query.where(IntentRow.kind == kind)
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(IntentRow.created_at.desc())).mappings()
            return [Intent(**row) for row in rows]

    def get(self, key: str) -> Intent | None:
        """The intent of that key."""
        with self._reader.connect() as connection:
            row = connection.execute(select(IntentRow.__table__).where(IntentRow.key == key)).mappings().first()
            return None if row is None else Intent(**row)

    def close(self, key: str) -> None:
        """The effect was brought about; a second close changes nothing."""
        self._update(key, closed_at=now(), last_error=None)

    def give_up(self, key: str, error: str) -> None:
        """The effect cannot be brought about: closed, with the reason kept for `status`."""
        self._update(key, closed_at=now(), last_error=error)

    def failed(self, key: str, error: str) -> None:
        """An attempt failed; the intent stays open, with the reason."""
        self._update(key, attempts=IntentRow.attempts + 1, last_error=error)

    def overtake(self, key: str) -> None:
        """Another effect made up for this one, open or given up: it is closed and its error forgotten."""
        with self._engine.begin() as connection:
            connection.execute(
                update(IntentRow)
                .where(IntentRow.key == key, IntentRow.last_error.is_not(None))
                .values(closed_at=now(), last_error=None)
            )

    def reopen(self, key: str, payload: dict[str, Any] | None = None) -> None:
        """Intend a closed effect anew, its attempts forgotten; of an open one only the payload, if given, changes."""
        mine = update(IntentRow).where(IntentRow.key == key)
        with self._engine.begin() as connection:
            connection.execute(
                mine.where(IntentRow.closed_at.is_not(None)).values(
                    closed_at=None, attempts=0, last_error=None, created_at=now()
                )
            )
            if payload is not None:
                connection.execute(mine.values(payload=payload))

    def _update(self, key: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(IntentRow).where(IntentRow.key == key, IntentRow.closed_at.is_(None)).values(**values)
            )

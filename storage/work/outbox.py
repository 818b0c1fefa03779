"""Intents: an effect on a foreign system is committed as a row before it is tried, and the row is closed after it has
happened. After a crash between the two, sync replays the open row.

The flows define the intents and their keys.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Select, delete, func, select, update

from storage.clock import now
from storage.sql.database import reading
from storage.sql.schema import IntentRow
from storage.sql.upsert import insert_new

_BY_AGE = (IntentRow.created_at, IntentRow.key)


class Intent(Protocol):
    """One effect to bring about. The key names the effect, so that the same effect is intended once."""

    @property
    def key(self) -> str:
        """The name of the effect."""

    @property
    def kind(self) -> str:
        """The kind of the effect."""

    @property
    def payload(self) -> dict[str, Any]:
        """The data that the effect needs, fit for JSON."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An intent as the outbox keeps it."""

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

    def intend(self, intent: Intent) -> bool:
        """Store an open intent. False: an intent of this key exists, open or closed."""
        with self._engine.begin() as connection:
            return _insert(connection, intent)

    def renew(self, intent: Intent) -> None:
        """Store or reopen an intent with this payload. A closed intent starts with no attempts and no error."""
        mine = update(IntentRow).where(IntentRow.key == intent.key)
        with self._engine.begin() as connection:
            if _insert(connection, intent):
                return
            anew = {"closed_at": None, "attempts": 0, "last_error": None, "created_at": now()}
            connection.execute(mine.where(IntentRow.closed_at.is_not(None)).values(**anew))
            connection.execute(mine.values(payload=intent.payload))

    def done(self, intent: Intent) -> None:
        """Close an intent whose effect has happened. A second call changes nothing."""
        self._update(intent, closed_at=now(), last_error=None)

    def failed(self, intent: Intent, reason: str) -> None:
        """Count a failed attempt and store its reason; the intent stays open."""
        self._update(intent, attempts=IntentRow.attempts + 1, last_error=reason)

    def give_up(self, intent: Intent, reason: str) -> None:
        """Close an intent whose effect cannot happen, with the reason, which `finloop status` shows."""
        self._update(intent, closed_at=now(), last_error=reason)

    def overtake(self, intent: Intent) -> None:
        """Close a failed or given-up intent and clear its error, because a later effect replaces its effect."""
        with self._engine.begin() as connection:
            connection.execute(
                update(IntentRow)
                .where(IntentRow.key == intent.key, IntentRow.last_error.is_not(None))
                .values(closed_at=now(), last_error=None)
            )

    def open(self, kind: str | None = None) -> list[Entry]:
        """The open intents, oldest first."""
        return self._read(_chosen(kind).where(IntentRow.closed_at.is_(None)).order_by(*_BY_AGE))

    def troubled(self, kind: str | None = None) -> list[Entry]:
        """The intents with an error, newest first: open intents that failed at least once, and given-up intents."""
        return self._read(_chosen(kind).where(IntentRow.last_error.is_not(None)).order_by(IntentRow.created_at.desc()))

    def get(self, key: str) -> Entry | None:
        """The intent of that key, or None."""
        return next(iter(self._read(_chosen(None).where(IntentRow.key == key))), None)

    def finished(self, before: datetime) -> list[Entry]:
        """The intents that were closed before a moment and have no error to show, oldest first."""
        done = (IntentRow.closed_at < before) & IntentRow.last_error.is_(None)
        return self._read(_chosen(None).where(done).order_by(*_BY_AGE))

    def forget(self, entries: Collection[Entry]) -> None:
        """Delete intents. An intent of such a key can be intended again, so the caller keeps those that could be."""
        with self._engine.begin() as connection:
            for entry in entries:
                connection.execute(delete(IntentRow).where(IntentRow.key == entry.key))

    def count(self) -> int:
        """The number of all intents, open and closed."""
        with self._reader.connect() as connection:
            return connection.scalar(select(func.count()).select_from(IntentRow)) or 0

    def _read(self, query: Select[Any]) -> list[Entry]:
        with self._reader.connect() as connection:
            return [Entry(**row) for row in connection.execute(query).mappings()]

    def _update(self, intent: Intent, **values: Any) -> None:
        with self._engine.begin() as connection:
            mine = (IntentRow.key == intent.key) & IntentRow.closed_at.is_(None)
            connection.execute(update(IntentRow).where(mine).values(**values))


def _insert(connection: Connection, intent: Intent) -> bool:
    values = {"key": intent.key, "kind": intent.kind, "payload": intent.payload}
    new = insert_new(connection, IntentRow).values(**values, created_at=now(), attempts=0)
    return connection.execute(new).rowcount == 1


def _chosen(kind: str | None) -> Select[Any]:
    query = select(IntentRow.__table__)
    return query if kind is None else query.where(IntentRow.kind == kind)

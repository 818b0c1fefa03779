"""Intents: every effect on a foreign system is a row committed before it is tried and closed after it is done,
so that a crash between the two is made good by whoever replays the open rows.

Which intents there are, and how their keys are spelled, is for the flows to say.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Select, select, update

from storage.clock import now
from storage.sql.database import reading
from storage.sql.schema import IntentRow
from storage.sql.upsert import insert_new

_BY_AGE = (IntentRow.created_at, IntentRow.key)


class Intent(Protocol):
    """One effect to bring about; `key` says which, so that the same effect is intended once."""

    @property
    def key(self) -> str:
        """What names the effect."""

    @property
    def kind(self) -> str:
        """What sort of effect it is."""

    @property
    def payload(self) -> dict[str, Any]:
        """What is needed to bring it about, fit for JSON."""


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
        """Intend an effect; False where the same key was intended before, closed or not."""
        with self._engine.begin() as connection:
            return _insert(connection, intent)

    def renew(self, intent: Intent) -> None:
        """Intend an effect also where it was closed: its attempts are forgotten. An open one takes the new payload."""
        mine = update(IntentRow).where(IntentRow.key == intent.key)
        with self._engine.begin() as connection:
            if _insert(connection, intent):
                return
            anew = {"closed_at": None, "attempts": 0, "last_error": None, "created_at": now()}
            connection.execute(mine.where(IntentRow.closed_at.is_not(None)).values(**anew))
            connection.execute(mine.values(payload=intent.payload))

    def done(self, intent: Intent) -> None:
        """The effect was brought about; to say so twice changes nothing."""
        self._update(intent, closed_at=now(), last_error=None)

    def failed(self, intent: Intent, reason: str) -> None:
        """An attempt failed; the intent stays open, with the reason."""
        self._update(intent, attempts=IntentRow.attempts + 1, last_error=reason)

    def give_up(self, intent: Intent, reason: str) -> None:
        """The effect cannot be brought about: closed, with the reason kept for `status`."""
        self._update(intent, closed_at=now(), last_error=reason)

    def overtake(self, intent: Intent) -> None:
        """Another effect made up for this one, open or given up: it is closed and its error forgotten."""
        with self._engine.begin() as connection:
            connection.execute(
                update(IntentRow)
                .where(IntentRow.key == intent.key, IntentRow.last_error.is_not(None))
                .values(closed_at=now(), last_error=None)
            )

    def open(self, kind: str | None = None) -> list[Entry]:
        """The intents not brought about yet, oldest first."""
        return self._read(_chosen(kind).where(IntentRow.closed_at.is_(None)).order_by(*_BY_AGE))

    def troubled(self, kind: str | None = None) -> list[Entry]:
        """The intents with an error: open ones that failed at least once, and those given up; newest first."""
        return self._read(_chosen(kind).where(IntentRow.last_error.is_not(None)).order_by(IntentRow.created_at.desc()))

    def get(self, key: str) -> Entry | None:
        """The intent of that key."""
        return next(iter(self._read(_chosen(None).where(IntentRow.key == key))), None)

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

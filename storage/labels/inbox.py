"""Webhooks as they came. A row is committed before the webhook is acknowledged, and worked on afterwards, by the
receiver that took it or, where that was killed, by the next one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, func, insert, select, update

from storage.clock import now
from storage.sql.database import reading
from storage.sql.schema import InboxRow


class InboxState(StrEnum):
    """What became of a webhook; `ignored` and `failed` rows keep their reason."""

    NEW = "new"
    DONE = "done"
    IGNORED = "ignored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook."""

    id: int
    received_at: datetime
    action: str
    payload: dict[str, Any]


class Inbox:
    """The durable queue between the receiver and the label store."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def put(self, action: str, payload: dict[str, Any]) -> int:
        """Commit a webhook and return its row id; on return it survives a crash."""
        with self._engine.begin() as connection:
            row = insert(InboxRow).values(
                # Label Studio's actions are plain words; whatever else comes must not keep a webhook from its row.
                action=action[:60].encode("ascii", "replace").decode().replace("\x00", "?"),
                received_at=now(),
                payload=payload,
                state=InboxState.NEW,
            )
            return connection.execute(row.returning(InboxRow.id)).scalar_one()

    def waiting(self, limit: int = 100) -> list[Delivery]:
        """The oldest webhooks not worked on yet, in the order in which they came."""
        query = select(InboxRow.id, InboxRow.received_at, InboxRow.action, InboxRow.payload)
        with self._reader.connect() as connection:
            rows = connection.execute(query.where(InboxRow.state == InboxState.NEW).order_by(InboxRow.id).limit(limit))
            return [Delivery(*row) for row in rows]

    def close(self, row_id: int, state: InboxState, reason: str | None = None) -> None:
        """Say what became of a webhook; the first word stands where two processes worked on the same one."""
        with self._engine.begin() as connection:
            connection.execute(
                update(InboxRow)
                .where(InboxRow.id == row_id, InboxRow.state == InboxState.NEW)
                .values(state=state, reason=reason, processed_at=now())
            )

    def counts(self) -> dict[str, int]:
        """How many webhooks are in each state; states without any are left out."""
        with self._reader.connect() as connection:
            rows = connection.execute(select(InboxRow.state, func.count()).group_by(InboxRow.state))
            return dict(rows.tuples().all())

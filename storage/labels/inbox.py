"""Webhooks as Label Studio sent them, so that a killed receiver loses none. A webhook is committed before it is
acknowledged, and processed later. The next receiver processes the webhooks that a killed receiver left.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update

from storage.clock import now
from storage.sql.database import reading
from storage.sql.schema import InboxRow


class InboxState(StrEnum):
    """The state of a webhook; `ignored` and `failed` webhooks keep a reason."""

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
        """Commit a webhook, so that it survives a crash, and return its row id."""
        with self._engine.begin() as connection:
            row = insert(InboxRow).values(
                # Label Studio's actions are short ASCII words. A request with any other action is stored all the same.
                action=action[:60].encode("ascii", "replace").decode().replace("\x00", "?"),
                received_at=now(),
                payload=payload,
                state=InboxState.NEW,
            )
            return connection.execute(row.returning(InboxRow.id)).scalar_one()

    def waiting(self, limit: int = 100) -> list[Delivery]:
        """The oldest unprocessed webhooks, at most `limit`, in the order of their arrival."""
        query = select(InboxRow.id, InboxRow.received_at, InboxRow.action, InboxRow.payload)
        with self._reader.connect() as connection:
            rows = connection.execute(query.where(InboxRow.state == InboxState.NEW).order_by(InboxRow.id).limit(limit))
            return [Delivery(*row) for row in rows]

    def close(self, row_id: int, state: InboxState, reason: str | None = None) -> None:
        """Set the final state of a webhook. Where two processes worked on one webhook, the first state stays."""
        with self._engine.begin() as connection:
            connection.execute(
                update(InboxRow)
                .where(InboxRow.id == row_id, InboxRow.state == InboxState.NEW)
                .values(state=state, reason=reason, processed_at=now())
            )

    def failed(self) -> list[Delivery]:
        """The webhooks that could not be understood, oldest first."""
        query = select(InboxRow.id, InboxRow.received_at, InboxRow.action, InboxRow.payload)
        with self._reader.connect() as connection:
            rows = connection.execute(query.where(InboxRow.state == InboxState.FAILED).order_by(InboxRow.id))
            return [Delivery(*row) for row in rows]

    def overtake(self, row_id: int, reason: str) -> None:
        """Ignore a failed webhook, because what it was about was read in another way."""
        with self._engine.begin() as connection:
            connection.execute(
                update(InboxRow)
                .where(InboxRow.id == row_id, InboxRow.state == InboxState.FAILED)
                .values(state=InboxState.IGNORED, reason=reason)
            )

    def prune(self, before: datetime) -> int:
        """Delete the webhooks that were processed before a moment and became labels or were ignored.

        Failed webhooks stay, because `finloop status` counts them. Returns the number of deleted webhooks.
        """
        settled = InboxRow.state.in_([InboxState.DONE, InboxState.IGNORED])
        with self._engine.begin() as connection:
            return connection.execute(delete(InboxRow).where(settled, InboxRow.processed_at < before)).rowcount

    def counts(self) -> dict[str, int]:
        """State -> number of webhooks; states without webhooks are left out."""
        with self._reader.connect() as connection:
            rows = connection.execute(select(InboxRow.state, func.count()).group_by(InboxRow.state))
            return dict(rows.tuples().all())

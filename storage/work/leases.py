"""Who may do what only one process may do. A lease expires by itself, so that a killed holder blocks nobody for long,
and a living holder renews it from a thread of its own, so that long training keeps it.

Times are the holders' own: machines that share a database must agree on the time to well within a lease.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from sqlalchemy import Engine, delete, or_, select, update
from sqlalchemy.exc import OperationalError

from storage.clock import now
from storage.errors import Busy, Unreachable
from storage.sql.database import reading
from storage.sql.schema import LeaseRow
from storage.sql.upsert import insert_or_update


class Leases:
    """Named leases in the label database."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def acquire(self, name: str, owner: str, lasts: timedelta) -> bool:
        """Take a lease that is free, expired or already one's own; False while another holds it."""
        moment = now()
        with self._engine.begin() as connection:
            free = or_(LeaseRow.expires_at < moment, LeaseRow.owner == owner)
            take = insert_or_update(connection, LeaseRow, ["name"], ["owner", "expires_at"], where=free)
            values = take.values(name=name, owner=owner, expires_at=moment + lasts)
            return connection.execute(values.returning(LeaseRow.owner)).first() is not None

    def renew(self, name: str, owner: str, lasts: timedelta) -> bool:
        """Lengthen one's own lease; False where it passed to another or was released: then it is lost for good."""
        with self._engine.begin() as connection:
            mine = (LeaseRow.name == name) & (LeaseRow.owner == owner)
            return connection.execute(update(LeaseRow).where(mine).values(expires_at=now() + lasts)).rowcount == 1

    def release(self, name: str, owner: str) -> None:
        """Give a lease back; one that has passed to another is left alone."""
        with self._engine.begin() as connection:
            connection.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner))

    def held(self, name: str) -> bool:
        """Whether somebody holds the lease now."""
        with self._reader.connect() as connection:
            query = select(LeaseRow.owner).where(LeaseRow.name == name, LeaseRow.expires_at >= now())
            return connection.execute(query).first() is not None

    @contextmanager
    def hold(self, name: str, lasts: timedelta, wait: timedelta = timedelta()) -> Iterator[str]:
        """Hold a lease for a block, renewed three times within its length; yields the owner's id.

        Waits up to `wait` for another holder to finish or expire, then raises Busy.
        """
        owner, deadline = uuid.uuid4().hex, now() + wait
        pause = threading.Event()
        while not (mine := self.acquire(name, owner, lasts)) and now() < deadline:
            pause.wait(0.5)
        if not mine:
            raise Busy(f"another process holds the lease {name!r}; it is given up or expires within {lasts}")
        stop = threading.Event()
        beat = threading.Thread(target=self._renew, args=(name, owner, lasts, stop), daemon=True)
        beat.start()
        try:
            yield owner
        finally:
            stop.set()
            beat.join()
            self.release(name, owner)

    def _renew(self, name: str, owner: str, lasts: timedelta, stop: threading.Event) -> None:
        mine = True
        while mine and not stop.wait(lasts.total_seconds() / 3):
            # A database that is away for a moment must not end the heartbeat of a training that lasts an hour.
            with suppress(OperationalError, Unreachable):
                mine = self.renew(name, owner, lasts)

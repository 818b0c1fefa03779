"""Leases for work that only one process may do at a time. A lease expires by itself, so that a killed holder does not
block others for long. A living holder renews its lease in a thread, so that a long training keeps the lease.

A holder uses its own clock: the clocks of machines that share a database must differ by much less than a lease.
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
        """Take a lease that is free, expired or already the owner's. False: another owner holds the lease."""
        moment = now()
        with self._engine.begin() as connection:
            free = or_(LeaseRow.expires_at < moment, LeaseRow.owner == owner)
            take = insert_or_update(connection, LeaseRow, ["name"], ["owner", "expires_at"], where=free)
            values = take.values(name=name, owner=owner, expires_at=moment + lasts)
            return connection.execute(values.returning(LeaseRow.owner)).first() is not None

    def renew(self, name: str, owner: str, lasts: timedelta) -> bool:
        """Extend the owner's lease. False: the lease was released or passed to another owner, and is lost."""
        with self._engine.begin() as connection:
            mine = (LeaseRow.name == name) & (LeaseRow.owner == owner)
            return connection.execute(update(LeaseRow).where(mine).values(expires_at=now() + lasts)).rowcount == 1

    def release(self, name: str, owner: str) -> None:
        """Give the owner's lease back. A lease that has passed to another owner stays."""
        with self._engine.begin() as connection:
            connection.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner))

    def held(self, name: str) -> bool:
        """Whether somebody holds the lease now."""
        with self._reader.connect() as connection:
            query = select(LeaseRow.owner).where(LeaseRow.name == name, LeaseRow.expires_at >= now())
            return connection.execute(query).first() is not None

    @contextmanager
    def hold(self, name: str, lasts: timedelta, wait: timedelta = timedelta()) -> Iterator[str]:
        """Hold a lease during a block, and renew it after each third of `lasts`; yields the owner's id.

        Waits up to `wait` until the lease of another holder is given back or expires, then raises Busy.
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

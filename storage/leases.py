"""Who may do what only one process may do. A lease expires by itself, so that a killed holder blocks nobody for long,
and a living holder renews it from a thread of its own, so that long training keeps it.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Engine, delete, or_, select, update

from storage.clock import now
from storage.database import reading
from storage.errors import Busy
from storage.schema import LeaseRow
from storage.upsert import insert_new


class Leases:
    """Named leases in the label database."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def acquire(self, name: str, owner: str, lasts: timedelta) -> bool:
        """Take a lease that is free, expired or already one's own; False while another holds it."""
        until = now() + lasts
        with self._engine.begin() as connection:
            made = connection.execute(insert_new(connection, LeaseRow).values(name=name, owner=owner, expires_at=until))
            if made.rowcount == 1:
                return True
            free = or_(LeaseRow.expires_at < now(), LeaseRow.owner == owner)
            taken = connection.execute(
                update(LeaseRow).where(LeaseRow.name == name, free).values(owner=owner, expires_at=until)
            )
            return taken.rowcount == 1

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
    def hold(self, name: str, lasts: timedelta) -> Iterator[str]:
        """Hold a lease for a block, renewed three times within its length; yields the owner's id.

        Raises Busy when another holds it.
        """
        owner = uuid.uuid4().hex
        if not self.acquire(name, owner, lasts):
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
        while not stop.wait(lasts.total_seconds() / 3):
            self.acquire(name, owner, lasts)

"""`python -m deployments.local.prefect_server server start`: Prefect's own command, with SQLite transactions that wait.

Prefect 3.8 begins them DEFERRED: one that read before another wrote cannot write any more, whatever its busy timeout
("database is locked"). Its API then answers 503, and each client, the server's own event actions among them, sleeps 2
and then 4 s before it tries again; a heartbeat that meets such a lock is dropped. Half of the runs that an event
started came so much later. Begun IMMEDIATE, a transaction waits until the one before it has ended. On PostgreSQL
nothing changes.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.cli import app
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


class ImmediateSqlite(AioSqliteConfiguration):
    """Takes the write lock when a transaction begins, not when it first writes."""

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = True
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        """A transaction that no other's commit can make fail.

        Only its own BEGIN is IMMEDIATE: another session that is opened within it, to read, must not wait for it.
        """
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            await session.connection()  # sends the BEGIN, which otherwise waits for the first statement
            SQLITE_BEGIN_MODE.set("DEFERRED")  # until the end of the block, when the mode before it comes back
            yield transaction


def main() -> None:
    """Run `prefect` with the arguments of the command line."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if url.startswith("sqlite"):
        set_database_config(ImmediateSqlite(connection_url=url))
    app()


if __name__ == "__main__":
    main()

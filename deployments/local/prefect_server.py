"""`python -m deployments.local.prefect_server server start`: Prefect's own command, with SQLite transactions that wait.

Prefect 3.8 begins transactions DEFERRED. Such a transaction cannot write once another has written since its first read,
whatever its busy timeout ("database is locked"). The API then responds 503, and each client, also the server's own
event actions, sleeps 2 and then 4 s before the next try; a heartbeat is dropped. This delayed half of the runs that
events started. A transaction that begins IMMEDIATE waits until the one before it has ended. On PostgreSQL nothing
changes.
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
        """A transaction that does not fail because of another's commit.

        Only its own BEGIN is IMMEDIATE: a session that is opened inside the block to read must not wait for it.
        """
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            await session.connection()  # sends the BEGIN, which otherwise waits for the first statement
            SQLITE_BEGIN_MODE.set("DEFERRED")  # until the end of the block, which restores the earlier mode
            yield transaction


def main() -> None:
    """Run `prefect` with the arguments of the command line."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if url.startswith("sqlite"):
        set_database_config(ImmediateSqlite(connection_url=url))
    app()


if __name__ == "__main__":
    main()

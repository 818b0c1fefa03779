"""Prefect's database waits where it would refuse: rules of the configuration that our server is started with."""

import asyncio
from pathlib import Path

from sqlalchemy import text

from deployments.prefect_server import ImmediateSqlite

WRITERS = 4


async def _read_then_write(path: Path) -> list[int]:
    """What each read, in order, of so many transactions at once, each of which reads before it writes."""
    config = ImmediateSqlite(connection_url=f"sqlite+aiosqlite:///{path}")
    engine = await config.engine()
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE seen (count INTEGER)"))

    async def one() -> None:
        session = await config.session(engine)
        async with session, config.begin_transaction(session):
            count = (await session.execute(text("SELECT count(*) FROM seen"))).scalar_one()
            await asyncio.sleep(0.05)  # long enough for the others to read, if they are let
            await session.execute(text("INSERT INTO seen VALUES (:count)"), {"count": count})

    await asyncio.gather(*(one() for _ in range(WRITERS)))
    async with engine.connect() as connection:
        counts = (await connection.execute(text("SELECT count FROM seen ORDER BY count"))).scalars().all()
    await engine.dispose()
    return list(counts)


def test_a_transaction_that_read_can_write_though_others_wrote_meanwhile(tmp_path: Path) -> None:
    assert asyncio.run(_read_then_write(tmp_path / "prefect.db")) == list(range(WRITERS))

"""Prefect's database waits where it would refuse: rules of the configuration that our server is started with."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from deployments.local.plan import make_plan
from deployments.local.prefect_server import ImmediateSqlite
from deployments.supervisor.descendants import marked
from deployments.supervisor.stack import Stack
from flows.prefect_api.connection import login_header
from flows.wiring.settings import Settings

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


async def _read_within_a_transaction(path: Path) -> int:
    config = ImmediateSqlite(connection_url=f"sqlite+aiosqlite:///{path}")
    engine = await config.engine()
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE seen (count INTEGER)"))
    outer, inner = await config.session(engine), await config.session(engine)
    async with outer, config.begin_transaction(outer):
        await outer.execute(text("INSERT INTO seen VALUES (1)"))
        async with asyncio.timeout(10), inner:
            count = (await inner.execute(text("SELECT count(*) FROM seen"))).scalar_one()
    await engine.dispose()
    return int(count)


def test_another_session_can_read_within_a_transaction(tmp_path: Path) -> None:
    """As Prefect does where somebody pauses a work queue."""
    assert asyncio.run(_read_within_a_transaction(tmp_path / "prefect.db")) == 0


CONFIGURED = """
import sys
from deployments.local.prefect_server import ImmediateSqlite, main
from prefect.server.database.dependencies import provide_database_interface
sys.argv = ["prefect", "version"]
try:
    main()
except SystemExit:
    pass
print(isinstance(provide_database_interface().database_config, ImmediateSqlite))
"""


def test_our_command_is_prefects_with_that_configuration(tmp_path: Path) -> None:
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CONFIGURED], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "3.8" in done.stdout
    assert done.stdout.splitlines()[-1] == "True"


def test_a_transaction_that_read_can_write_though_others_wrote_meanwhile(tmp_path: Path) -> None:
    assert asyncio.run(_read_then_write(tmp_path / "prefect.db")) == list(range(WRITERS))


def _renewed(api: httpx.Client, lease: str) -> int:
    """The status of a renewal, once the server responds."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return api.post(f"/v2/concurrency_limits/leases/{lease}/renew", json={"lease_duration": 60}).status_code
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("clean_environment")
def test_a_server_that_was_killed_knows_its_leases_again_in_a_home_of_any_name(tmp_path: Path) -> None:
    """Prefect ends a training whose lease the server has forgotten."""
    executable = tmp_path / "label-studio"
    executable.touch()
    plan = make_plan(Settings(home=tmp_path / "a ?#%home", label_studio=executable))
    (server,) = (process for process in plan.processes if process.name == "prefect")
    login = login_header(plan.settings.prefect_auth)
    api = httpx.Client(base_url=f"{plan.settings.prefect_url}/api", headers=login, timeout=30)
    with api, Stack([server], tmp_path) as stack:
        api.post("/v2/concurrency_limits/", json={"name": "only", "limit": 1}).raise_for_status()
        taken = api.post("/v2/concurrency_limits/increment-with-lease", json={"names": ["only"], "slots": 1})
        lease = taken.raise_for_status().json()["lease_id"]
        for process in marked(stack.id, {"prefect"}):
            process.kill()
        assert _renewed(api, lease) == 204
    assert (tmp_path / "a ?#%home" / "prefect" / "prefect.db").is_file()

"""A real Prefect server for the whole test session, with a home of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deployments.ports import choose_port
from tests.fixtures_label_studio import await_answer, stop_process

START_DEADLINE = 120.0


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's address, without /api; the environment of the tests is not changed."""
    folder = tmp_path_factory.mktemp("prefect")
    port = choose_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = inherited | {
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        await_answer(process, f"{url}/api/health", START_DEADLINE, folder / "server.log")
        yield url
    finally:
        stop_process(process)

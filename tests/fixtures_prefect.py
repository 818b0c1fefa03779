"""A real Prefect server for the whole test session, with a home of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.local.plan import SLOT_WAIT, kept_runs, prefect_command
from deployments.supervisor.ports import choose_port
from deployments.supervisor.process import Process
from deployments.supervisor.stack import Stack


def prefect_environment(home: Path, url: str) -> dict[str, str]:
    """For every Prefect process of a test: nothing is read from or written to the user's own ~/.prefect."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's address, without /api; the environment of the tests themselves is not changed."""
    folder = tmp_path_factory.mktemp("prefect")
    port = choose_port()
    url = f"http://127.0.0.1:{port}"
    environment = prefect_environment(folder / "home", url) | SLOT_WAIT | kept_runs(14)
    server = Process("prefect", prefect_command(port), environment, folder, f"{url}/api/health", port, restart=False)
    with Stack([server], folder):
        yield url

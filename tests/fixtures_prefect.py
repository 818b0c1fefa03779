"""A real Prefect server for the whole test session, with a home of its own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from deployments.local.orchestration import apply
from deployments.local.plan import PREFECT_SERVER, kept_runs, prefect_command
from deployments.supervisor.ports import choose_port
from deployments.supervisor.process import Process
from deployments.supervisor.stack import Stack
from flows.prefect_api.connection import login_header
from flows.prefect_api.server import PrefectServer
from flows.wiring.settings import REPOSITORY

AUTH = SecretStr("finloop:for-tests")
"""The login of the test session's server."""


def prefect_environment(home: Path, url: str) -> dict[str, str]:
    """For every Prefect process of a test: nothing is read from or written to the user's own ~/.prefect."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_API_AUTH_STRING": AUTH.get_secret_value(),
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
    environment = prefect_environment(folder / "home", url) | PREFECT_SERVER | kept_runs(14)
    environment["PREFECT_SERVER_API_AUTH_STRING"] = AUTH.get_secret_value()
    server = Process("prefect", prefect_command(port), environment, folder, f"{url}/api/health", port, restart=False)
    with Stack([server], folder):
        yield url


@pytest.fixture(scope="session")
def cli_environment(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """For what applies prefect.yaml to the session's server; its PREFECT_HOME keeps the record of that."""
    environment = prefect_environment(tmp_path_factory.mktemp("prefect-cli"), prefect_server)
    environment.pop("PREFECT_SERVER_DATABASE_CONNECTION_URL")
    return environment


@pytest.fixture(scope="session")
def deployed_server(prefect_server: str, cli_environment: dict[str, str]) -> str:
    """The session's server with prefect.yaml applied twice: what may be repeated must not double anything."""
    for _ in range(2):
        assert apply(REPOSITORY, PrefectServer(prefect_server, AUTH), cli_environment) == []
    return prefect_server


@pytest.fixture(scope="session")
def prefect_api(deployed_server: str) -> Iterator[httpx.Client]:
    """The API of that server, with the login."""
    headers = login_header(AUTH)
    with httpx.Client(base_url=f"{deployed_server}/api", timeout=30, headers=headers) as client:
        yield client

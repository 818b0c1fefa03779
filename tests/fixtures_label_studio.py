"""A real Label Studio server for the whole test session, on a copy of the migrated template."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployments.local.label_studio import Account, label_studio_command, prepare_data, template_of
from deployments.supervisor.ports import choose_port
from deployments.supervisor.process import Process
from deployments.supervisor.stack import Stack

REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class LabelStudioServer:
    """Where the session's server is and who may use it; `token` is a legacy one (`Authorization: Token ...`)."""

    url: str
    token: str
    username: str
    password: str
    data: Path


def label_studio_executable() -> Path:
    """FINLOOP_LABEL_STUDIO, or the environment that `make install` makes."""
    return Path(os.environ.get("FINLOOP_LABEL_STUDIO") or REPOSITORY / ".venv-label-studio/bin/label-studio")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the real server is slow."""
    for item in items:
        if "label_studio" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """One server for all tests: each makes a project of its own, and none deletes another's."""
    executable = label_studio_executable()
    if not executable.is_file():
        pytest.fail(f"there is no Label Studio at {executable}: run `make install`", pytrace=False)
    folder = tmp_path_factory.mktemp("label-studio")
    prepare_data(folder / "data", template_of(executable))
    account, port = Account(), choose_port()
    command = label_studio_command(executable, folder / "data", port, account)
    url = f"http://127.0.0.1:{port}"
    # No restarts: a server that dies under a test is a failure to look at.
    server = Process("label-studio", command.argv, command.env, folder, f"{url}/health", port, restart=False)
    with Stack([server], folder):
        yield LabelStudioServer(url, account.token, account.username, account.password, folder / "data")

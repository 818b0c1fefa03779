"""A real Label Studio server for the whole test session, on a copy of the migrated template."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deployments.label_studio import Account, label_studio_command, prepare_data, template_of
from deployments.ports import choose_port

REPOSITORY = Path(__file__).parent.parent
START_DEADLINE = 180.0
STOP_DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class LabelStudioServer:
    """Where the session's server is and who may use it; `token` is a legacy one (`Authorization: Token ...`)."""

    url: str
    token: str
    username: str
    password: str
    data: Path
    pid: int


def label_studio_executable() -> Path:
    """FINLOOP_LABEL_STUDIO, or the environment that `make install` makes."""
    return Path(os.environ.get("FINLOOP_LABEL_STUDIO") or REPOSITORY / ".venv-label-studio/bin/label-studio")


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """One server for all tests: each makes a project of its own, and none deletes another's."""
    executable = label_studio_executable()
    if not executable.is_file():
        pytest.fail(f"there is no Label Studio at {executable}: run `make install`", pytrace=False)
    folder = tmp_path_factory.mktemp("label-studio")
    data = folder / "data"
    prepare_data(data, template_of(executable))
    account, port = Account(), choose_port()
    command = label_studio_command(executable, data, port, account)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command.argv,
            env=os.environ | command.env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        await_answer(process, f"{url}/health", START_DEADLINE, folder / "server.log")
        yield LabelStudioServer(url, account.token, account.username, account.password, data, process.pid)
    finally:
        stop_process(process)


def await_answer(process: subprocess.Popen[bytes], url: str, deadline: float, log: Path) -> None:
    """Wait until `url` answers 200; fail with the log's end if the process dies or the deadline passes."""
    end = time.monotonic() + deadline
    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.monotonic() < end and process.poll() is None:
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
    pytest.fail(f"no answer at {url}; exit code {process.poll()}; {log}:\n{log.read_text()[-3000:]}", pytrace=False)


def stop_process(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL; by process id."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

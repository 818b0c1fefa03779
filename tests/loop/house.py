"""A real `finloop up` for tests: a process of its own whose every descendant carries a mark, so that none is missed."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
from dotenv import dotenv_values

from deployments.supervisor.descendants import STACK, end, marked
from flows.prefect_api.connection import RunFailed
from flows.prefect_api.runs import Run, Runs
from flows.wiring.parts import Parts
from flows.wiring.settings import Settings

UP = "finloop is up"
SERVED = "Profit rose."
"""What the tests ask the service."""

UP_SECONDS = 180.0
RUN_SECONDS = 180.0
T = TypeVar("T")
COMMAND = (sys.executable, "-m", "deployments.cli.main")


def environment(mark: str, **settings: str) -> dict[str, str]:
    """The shell's environment without its own FINLOOP and PREFECT settings; the mark goes to every process."""
    kept = {"FINLOOP_LABEL_STUDIO"}
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("FINLOOP_", "PREFECT_"))}
    plain |= {name: os.environ[name] for name in kept if name in os.environ}
    return {**plain, **settings, STACK: mark}


def until(condition: Callable[[], T | None], what: str, seconds: float = 60.0) -> T:
    """What the condition comes to once it is true; fails after so many seconds, saying what did not happen."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds:.0f} s: {what}")
        time.sleep(0.5)  # seldom enough not to slow down what is waited for
    return found


@dataclass
class House:
    """A running `finloop up`, seen from beside it: its stores, its runs, its commands and its processes."""

    process: "subprocess.Popen[bytes]"
    mark: str
    settings: Settings
    environment: dict[str, str]
    parts: Parts
    runs: Runs

    def finloop(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A verb, as a user types it in another terminal."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.settings.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )

    def json(self, *arguments: str) -> Any:
        """What a verb that succeeds prints for scripts."""
        done = self.finloop(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run(self, name: str, **parameters: Any) -> Run:
        """A run of a deployment, to its end, which must be a good one."""
        return self.runs.finish(self.runs.start(name, parameters), RUN_SECONDS)

    def ended(self, run: Run) -> Run:
        """A run at its end, good or bad."""
        try:
            return self.runs.finish(run, RUN_SECONDS)
        except RunFailed:
            return self.runs.get(run)

    def model(self) -> dict[str, Any]:
        """What the service says of itself; empty while it does not answer."""
        try:
            return dict(httpx.get(f"{self.settings.serving_url}/model", timeout=5).json())
        except httpx.TransportError:
            return {}

    def answering(self) -> str:
        """The version that a prediction of the service names."""
        response = httpx.post(f"{self.settings.serving_url}/predict", json={"text": SERVED}, timeout=10)
        return str(response.raise_for_status().json()["model_version"])

    def processes(self, part: str | None = None) -> list[psutil.Process]:
        """The living processes of `up` itself and all that it started, or those of one part."""
        return marked(self.mark, None if part is None else {part})

    def ports(self) -> list[int]:
        """The ports of its addresses."""
        given = self.settings
        urls = (given.label_studio_url, given.prefect_url, given.serving_url, given.receiver_url)
        return [httpx.URL(url).port or 0 for url in urls if url is not None]


@contextmanager
def running(home: Path, **settings: str) -> Iterator[House]:
    """`finloop up` on this home until the block's end; nothing of it outlives the block, whatever happens there."""
    mark = uuid.uuid4().hex
    variables = environment(mark, FINLOOP_HOME=str(home), **settings)
    home.mkdir(parents=True, exist_ok=True)
    said = home.parent / f"{home.name}.out"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "up"], cwd=home, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _await_up(process, said)
        filled = dotenv_values(home / "finloop.env")
        values: dict[str, Any] = {"home": home} | {
            name.removeprefix("FINLOOP_").lower(): value for name, value in filled.items() if value is not None
        }
        known = Settings(_env_file=None, **values)
        parts, runs = Parts(known), Runs(known.prefect_server)
        try:
            yield House(process, mark, known, variables, parts, runs)
        finally:
            runs.close()
            parts.close()
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        end(mark, grace=0.0)


def _await_up(process: "subprocess.Popen[bytes]", said: Path) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while UP not in said.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"finloop up did not come up in {UP_SECONDS:.0f} s:\n{said.read_text()[-3000:]}")
        time.sleep(0.2)

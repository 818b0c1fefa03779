"""Runs `finloop demo` to its end, as a user types it, and keeps what it left for the tests to read."""

import json
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.supervisor.descendants import end, marked
from tests.loop.house import COMMAND, environment, until

DEMO_SECONDS = 1500  # on a machine that others use too
KEPT = "Everything is up"


@dataclass(frozen=True)
class Demo:
    """A demo that was kept up and then interrupted: its report, its words, its folders, and what outlived it."""

    report: dict[str, Any]
    said: str
    workdir: Path
    cwd: Path
    alive: list[str]
    seconds: float


def run_demo(folder: Path, *arguments: str) -> Demo:
    """Run a demo with `--keep` and these arguments in a folder, and end it by Ctrl-C once it is done."""
    workdir, cwd, mark = folder / "work", folder / "cwd", uuid.uuid4().hex
    cwd.mkdir()
    began, said = time.monotonic(), folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "demo", "--workdir", str(workdir), "--keep", *arguments],
            cwd=cwd,
            env=environment(mark, COLUMNS="160"),
            stdout=output,
            stderr=output,
        )
    try:
        ended = "the demo did not come to its end"
        until(lambda: process.poll() is not None or KEPT in said.read_text(), ended, DEMO_SECONDS)
        seconds = time.monotonic() - began
        process.send_signal(signal.SIGINT)
        code = process.wait(10)
        alive = [f"{process.pid} {process.name()}" for process in marked(mark)]
    finally:
        end(mark, grace=0.0)
    assert code == 0, said.read_text()[-3000:]
    report = json.loads((workdir / "report.json").read_text())
    return Demo(report, said.read_text(), workdir, cwd, alive, seconds)

"""Kills a whole house at random moments, starts it again, and says how long `sync` then takes to run again.

    python -m benchmarks.crashes --moments 10 --seed 0

Every process of `finloop up` is killed at once, its guard too, as by a power cut. `sync` has a schedule of seconds
meanwhile, and each moment lies within ten seconds of the begin of a run. So many moments fall into a run, as it waits,
starts or works.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from dotenv import dotenv_values
from pydantic import SecretStr

from deployments.supervisor.descendants import STACK, marked
from flows.prefect_api.connection import Connection
from flows.prefect_api.server import PrefectServer
from storage.clock import now

EVERY = 10
"""Seconds from one sync to the next: a run takes about five."""

DEADLINE = 300.0
UP = "finloop is up"


def main() -> None:
    """Print a line for each moment, and fail where sync did not run again."""
    parser = argparse.ArgumentParser(description="Kill everything at random moments; does sync run again?")
    parser.add_argument("--moments", type=int, default=10, help="how many times everything is killed")
    parser.add_argument("--seed", type=int, default=0, help="fixes the moments")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="finloop-crashes-") as folder:
        home, worst = Path(folder), 0.0
        for number in range(1, options.moments + 1):
            mark, alive, server = _up(home)
            try:
                _sync_every_seconds(server)
                changed = now()
                _until(partial(_begun, server, changed), "the schedule planned no sync")
                after = moments.uniform(0, EVERY)
                time.sleep(after)
                states = _states(server)
            finally:
                server.close()
                _kill(mark, alive)
            began = time.monotonic()
            mark, alive, server = _up(home)
            up, since = time.monotonic() - began, now()
            try:
                _until(partial(_synced, server, since), "sync did not run again")
            finally:
                server.close()
                _kill(mark, alive)
            worst = max(worst, time.monotonic() - began)
            print(
                f"{number:3d}  killed {after:4.1f} s after a sync began, runs of sync {states or 'none'}: "
                f"up in {up:.0f} s, sync ran after {time.monotonic() - began:.0f} s",
                flush=True,
            )
    print(f"sync ran again after each of {options.moments} kills, {worst:.0f} s after the start at most")


def _up(home: Path) -> tuple[str, "subprocess.Popen[bytes]", Connection]:
    mark = uuid.uuid4().hex
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("FINLOOP_", "PREFECT_"))}
    kept = {name: os.environ[name] for name in ("FINLOOP_LABEL_STUDIO",) if name in os.environ}
    said = home / "up.out"
    with said.open("wb") as output:
        alive = subprocess.Popen(
            [sys.executable, "-m", "deployments.cli.main", "up"],
            cwd=home,
            env={**plain, **kept, "FINLOOP_HOME": str(home), STACK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _until(lambda: UP in said.read_text() or alive.poll() is not None, "finloop up did not come up")
        if alive.poll() is not None:
            raise SystemExit(said.read_text())
    except BaseException:
        _kill(mark, alive)
        raise
    written = dotenv_values(home / "finloop.env")
    auth = SecretStr(written["FINLOOP_PREFECT_AUTH"] or "")
    return mark, alive, Connection(PrefectServer(written["FINLOOP_PREFECT_URL"] or "", auth))


def _sync_every_seconds(server: Connection) -> None:
    sync = server.ask("GET", "/deployments/name/sync/sync")
    path = f"/deployments/{sync['id']}/schedules/{sync['schedules'][0]['id']}"
    server.ask("PATCH", path, {"schedule": {"interval": EVERY}})


def _states(server: Connection) -> str:
    which = {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}
    found = server.ask("POST", "/flow_runs/filter", {"flow_runs": which, "flows": {"name": {"any_": ["sync"]}}})
    return ", ".join(one["state"]["name"] for one in found)


def _begun(server: Connection, since: datetime) -> bool:
    """Whether a run of sync was planned after a moment, and has begun."""
    which = {"start_time": {"after_": since.isoformat()}}
    found = server.ask("POST", "/flow_runs/filter", {"flow_runs": which, "flows": {"name": {"any_": ["sync"]}}})
    return any(one["auto_scheduled"] for one in found)


def _synced(server: Connection, since: datetime) -> bool:
    which: dict[str, Any] = {"state": {"type": {"any_": ["COMPLETED"]}}, "start_time": {"after_": since.isoformat()}}
    body = {"flow_runs": which, "flows": {"name": {"any_": ["sync"]}}}
    return bool(server.ask("POST", "/flow_runs/filter", body))


def _kill(mark: str, alive: "subprocess.Popen[bytes]") -> None:
    """SIGKILL for everything at once, until nothing is left."""
    while left := marked(mark):
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=5)
    alive.wait()


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"after {DEADLINE:.0f} s: {what}")
        time.sleep(0.5)


if __name__ == "__main__":
    main()

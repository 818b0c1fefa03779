"""Applies prefect.yaml to a Prefect server: its work pools, its deployments, and the watch over runs that vanish.

The deployments go through Prefect's own `prefect deploy --all`, so that the file means here what it means anywhere.
"""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from flows.prefect_api import Runs
from storage.errors import Failed

HEARTBEAT_SECONDS = 30
LOST_AFTER = timedelta(seconds=90)
AUTOMATION = "finloop: a run whose process vanished has crashed"


class NotApplied(Failed):
    """prefect.yaml could not be applied; the message holds what Prefect said."""


def read_prefect_file(repository: Path) -> dict[str, Any]:
    """prefect.yaml as it stands."""
    content: dict[str, Any] = yaml.safe_load((repository / "prefect.yaml").read_text())
    return content


def pools(content: dict[str, Any]) -> list[str]:
    """The work pools that the file names, in order."""
    return list(dict.fromkeys(one["work_pool"]["name"] for one in content["deployments"]))


def apply(repository: Path, prefect_url: str, environment: dict[str, str]) -> None:
    """Make the pools, deploy every deployment of prefect.yaml, and make the automation; all of it may be repeated.

    `environment` is for Prefect's command line (home, API address). Raises NotApplied, or Unreachable.
    """
    Runs(prefect_url).check()
    with httpx.Client(base_url=f"{prefect_url}/api", timeout=30) as server:
        for pool in pools(read_prefect_file(repository)):
            made = server.post("/work_pools/", json={"name": pool, "type": "process"})
            if made.status_code not in (httpx.codes.CREATED, httpx.codes.CONFLICT):
                raise NotApplied(f"Prefect would not make the work pool {pool}: {made.text[:500]}")
        _watch_lost_runs(server)
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=repository,
        env={**os.environ, **environment, "FINLOOP_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotApplied(f"prefect deploy --all failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _watch_lost_runs(server: httpx.Client) -> None:
    """A worker and its run that are killed together leave the run Running for ever, its concurrency slot taken."""
    found = server.post("/automations/filter", json={"automations": {"name": {"any_": [AUTOMATION]}}})
    found.raise_for_status()
    if found.json():
        return
    terminal = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")]
    server.post(
        "/automations/",
        json={
            "name": AUTOMATION,
            "description": "No heartbeat for 90 s means that worker and run were killed; the run's slot is given back.",
            "enabled": True,
            "trigger": {
                "type": "event",
                "posture": "Proactive",
                "after": ["prefect.flow-run.heartbeat"],
                "expect": ["prefect.flow-run.heartbeat", *terminal],
                "match": {"prefect.resource.id": "prefect.flow-run.*"},
                "for_each": ["prefect.resource.id"],
                "threshold": 1,
                "within": LOST_AFTER.total_seconds(),
            },
            "actions": [
                {
                    "type": "change-flow-run-state",
                    "state": "CRASHED",
                    "message": "No heartbeat: its process was killed.",
                }
            ],
        },
    ).raise_for_status()

"""Applies prefect.yaml to a Prefect server: its work pools, its deployments, and the watch over runs that vanish.

Prefect's own `prefect deploy --all` makes the deployments, so that the file means the same here as elsewhere. It runs
in a process of its own, whose Prefect home is not the user's.
"""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from flows.prefect_api.connection import Connection
from storage.errors import Failed

HEARTBEAT_SECONDS = 30


class NotApplied(Failed):
    """prefect.yaml could not be applied; the message holds what Prefect said."""


def read_prefect_file(repository: Path) -> dict[str, Any]:
    """The content of prefect.yaml."""
    content: dict[str, Any] = yaml.safe_load((repository / "prefect.yaml").read_text())
    return content


def pools(content: dict[str, Any]) -> list[str]:
    """The work pools that the file names, in order."""
    return list(dict.fromkeys(one["work_pool"]["name"] for one in content["deployments"]))


def apply(repository: Path, prefect_url: str, environment: dict[str, str]) -> None:
    """Make the pools and the automation, and deploy every deployment of prefect.yaml; safe to repeat.

    `environment` is for Prefect (home, API address). Raises NotApplied, or Unreachable.
    """
    with closing(Connection(prefect_url)) as server:
        server.check()
    done = subprocess.run(
        [sys.executable, "-m", "deployments.local.orchestration"],
        cwd=repository,
        env={**os.environ, **environment, "FINLOOP_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotApplied(f"prefect deploy --all failed:\n{(done.stdout + done.stderr)[-2000:]}")


def main() -> None:
    """Apply the prefect.yaml of the working directory to the server that the environment names."""
    from prefect.cli import app
    from prefect.client.orchestration import get_client

    from flows.prefect_api.pools import make_pools, watch_lost_runs

    with get_client(sync_client=True) as server:
        make_pools(server, pools(read_prefect_file(Path.cwd())))
        watch_lost_runs(server)
    sys.argv[1:] = ["--no-prompt", "deploy", "--all"]
    app()


if __name__ == "__main__":
    main()

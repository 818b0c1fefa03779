"""Applies prefect.yaml to a Prefect server: its work pools, its deployments, and the watch over runs that vanish.

Prefect's own `prefect deploy --all` makes the deployments, so that the file means the same here as elsewhere. It runs
in a process of its own, whose Prefect home is not the user's.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from deployments.local.kept import Merged, merge, on_server, read_record, remember, write_record
from flows.prefect_api.connection import Connection
from flows.prefect_api.leftovers import Leftovers, clear
from storage.errors import Failed

HEARTBEAT_SECONDS = 30
TRIES = 4
PAUSE = 5.0
"""Seconds before the next try, where the server was too busy for one; a later pause is longer."""

PASSING = re.compile(r"\b(\w*Timeout|ConnectError|ReadError|WriteError|RemoteProtocolError|50[0234])\b")
"""What Prefect's client writes of an error that a later try may not meet."""


class NotApplied(Failed):
    """prefect.yaml could not be applied; the message holds what Prefect said."""


def read_prefect_file(repository: Path) -> dict[str, Any]:
    """The content of prefect.yaml."""
    content: dict[str, Any] = yaml.safe_load((repository / "prefect.yaml").read_text())
    return content


def pools(content: dict[str, Any]) -> list[str]:
    """The work pools that the file names, in order."""
    return list(dict.fromkeys(one["work_pool"]["name"] for one in content["deployments"]))


def apply(
    repository: Path,
    prefect_url: str,
    environment: dict[str, str],
    auth: SecretStr | None = None,
    *,
    alone: bool = False,
    tries: int = TRIES,
) -> list[str]:
    """Make the pools and the automations, and deploy every deployment of prefect.yaml; safe to repeat.

    What people changed in Prefect's pages stays, unless the file has a new value. `environment` is for Prefect (home,
    API address, login), `auth` is the server's login. `alone` says that no worker of this server is up: then what the
    last house left there is cleared first. Returns what a person should know, in sentences. Raises NotApplied, Refused,
    or Unreachable.
    """
    content = read_prefect_file(repository)
    names = [one["name"] for one in content["deployments"]]
    record_file = Path(environment["PREFECT_HOME"]) / "applied.json"
    with closing(Connection(prefect_url, auth)) as server:
        server.check()
        server.check_login()
        said = _cleared(clear(server, names)) if alone else []
        record = read_record(record_file)
        merged = merge(content, _deployed(server, names), record)
        _deploy(repository, server.url, merged, environment, tries)
        write_record(record_file, remember(merged, content, _deployed(server, names), record))
    return [*said, *merged.said()]


def _cleared(found: Leftovers) -> list[str]:
    runs = [
        f"{found.crashed} runs had no process any more: they have crashed" if found.crashed else "",
        f"{found.skipped} late runs of schedules were skipped: the newest of each stays" if found.skipped else "",
    ]
    return [f"Prefect: {one}" for one in runs if one]


def _deployed(server: Connection, names: list[str]) -> dict[str, dict[str, Any]]:
    """The fields of our deployments that the server has, by name."""
    which = {"deployments": {"name": {"any_": names}}, "flows": {"name": {"any_": names}}}
    found: list[dict[str, Any]] = server.ask("POST", "/deployments/filter", which)
    return {
        one["name"]: on_server(one, server.ask("GET", f"/automations/related-to/prefect.deployment.{one['id']}"))
        for one in found
    }


def _deploy(repository: Path, server: str, merged: Merged, environment: dict[str, str], tries: int) -> None:
    """Run `prefect deploy --all`, again where the server was too busy."""
    reason = ""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(merged.content, sort_keys=False))
        for tried in range(1, tries + 1):
            done = subprocess.run(
                [sys.executable, "-m", "deployments.local.orchestration", str(file)],
                cwd=repository,
                env={**os.environ, **environment, "FINLOOP_PYTHON": sys.executable},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return
            output = done.stdout + done.stderr
            if (passing := PASSING.search(output)) is None:
                raise NotApplied(f"prefect deploy --all failed:\n{output[-2000:]}")
            reason = passing.group()
            if tried < tries:
                threading.Event().wait(PAUSE * tried)
    raise NotApplied(
        f"Prefect at {server} did not take prefect.yaml in {tries} tries: {reason}.\n"
        "It is too busy, or it has died: look at its log, then run `finloop up` again."
    )


def main() -> None:
    """Apply the file that the first argument names to the server that the environment names."""
    from prefect.cli import app
    from prefect.client.orchestration import get_client

    from flows.prefect_api.pools import make_pools, watch_lost_runs

    file = Path(sys.argv[1])
    content = read_prefect_file(file.parent)
    with get_client(sync_client=True) as server:
        make_pools(server, pools(content))
        watch_lost_runs(server, [one["name"] for one in content["deployments"]])
    sys.argv[1:] = ["--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    app()


if __name__ == "__main__":
    main()

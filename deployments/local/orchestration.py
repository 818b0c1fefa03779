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

from deployments.local.kept import merge, on_server, read_record, remember, write_record
from deployments.local.prefect_file import flows, named_for, pools, read_prefect_file
from flows.prefect_api.connection import Connection
from flows.prefect_api.deployments import our_deployments, with_suffix
from flows.prefect_api.leftovers import Leftovers, clear
from flows.prefect_api.server import PrefectServer
from storage.errors import Failed

HEARTBEAT_SECONDS = 30
RECORD = "applied"
TRIES = 4
PAUSE = 5.0
"""Seconds before the next try, where the server was too busy for one; a later pause is longer."""

PASSING = re.compile(r"\b(\w*Timeout|ConnectError|ReadError|WriteError|RemoteProtocolError|50[0234])\b")
"""What Prefect's client writes of an error that a later try may not meet."""


class NotApplied(Failed):
    """prefect.yaml could not be applied; the message holds what Prefect said."""


def apply(
    repository: Path,
    server: PrefectServer,
    environment: dict[str, str],
    *,
    alone: bool = False,
    tries: int = TRIES,
) -> list[str]:
    """Make the pools and the automations, and deploy every deployment of prefect.yaml; safe to repeat.

    What people changed in Prefect's pages stays, unless the file has a new value. `environment` is for Prefect (home,
    API address, login). `alone` says that no worker of this server is up: then what the last house left there is
    cleared first. Returns what a person should know, in sentences. Raises NotApplied, Refused, or Unreachable.
    """
    content = read_prefect_file(repository)
    record_file = Path(environment["PREFECT_HOME"]) / f"{server.named(RECORD)}.json"
    with closing(Connection(server)) as connection:
        connection.check()
        connection.check_login()
        said = _cleared(clear(connection)) if alone else []
        if server.suffix and not record_file.exists() and (record_file.parent / f"{RECORD}.json").exists():
            said += _earlier(connection)
        record = read_record(record_file)
        merged = merge(content, _deployed(connection), record)
        _deploy(repository, connection.url, named_for(server, merged.content), environment, tries)
        write_record(record_file, remember(merged, content, _deployed(connection), record))
    return [*said, *merged.said()]


def _earlier(connection: Connection) -> list[str]:
    """What an earlier finloop, which knew no suffix, left on a server of the user's."""
    if not (found := with_suffix(connection, "")):
        return []
    ours = [connection.server.named(flow) for flow in found]
    return [
        f"Prefect: the deployments of an earlier finloop are still on the server: {', '.join(found)}. "
        f"This home has deployments of its own now: {', '.join(ours)}. "
        "Delete the earlier ones in Prefect's pages, unless another home uses them. "
        "What was changed in their pages is not carried over: change it again in the new ones. "
        "Workers that you start yourself need the new pools too; FINLOOP_PREFECT_SUFFIX= keeps the earlier names."
    ]


def _cleared(found: Leftovers) -> list[str]:
    runs = [
        f"{found.crashed} runs had no process any more: they have crashed" if found.crashed else "",
        f"{found.skipped} late runs of schedules were skipped: the newest of each stays" if found.skipped else "",
    ]
    return [f"Prefect: {one}" for one in runs if one]


def _deployed(connection: Connection) -> dict[str, dict[str, Any]]:
    """The fields of our deployments that the server has, by their name in prefect.yaml."""
    path = "/automations/related-to/prefect.deployment."
    found = our_deployments(connection)
    return {flow: on_server(one, connection.ask("GET", f"{path}{one['id']}")) for flow, one in found.items()}


def _deploy(repository: Path, url: str, content: dict[str, Any], environment: dict[str, str], tries: int) -> None:
    """Run `prefect deploy --all`, again where the server was too busy."""
    reason = ""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
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
        f"Prefect at {url} did not take prefect.yaml in {tries} tries: {reason}.\n"
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
        watch_lost_runs(server, flows(content))
    sys.argv[1:] = ["--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    app()


if __name__ == "__main__":
    main()

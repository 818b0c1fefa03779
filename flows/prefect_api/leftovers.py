"""Clears what a house that was killed, or was down for days, left on its own Prefect server.

A run whose process is gone would keep its deployment's only slot, and the runs that a schedule planned for the days in
between would all start together. The worker's own cleaning covers neither a power cut nor a run that was not begun.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.prefect_api.connection import Connection
from flows.prefect_api.deployments import our_deployments
from storage.clock import now

PAGE = 200
ACTIVE = ["PENDING", "RUNNING", "CANCELLING"]
CRASHED = "Its process ended with the `finloop up` that started it."
SKIPPED = "Late: skipped, because a later run of the schedule is due too."


@dataclass(frozen=True, slots=True)
class Leftovers:
    """How many runs were ended because their processes are gone, and how many late runs of schedules were skipped."""

    crashed: int = 0
    skipped: int = 0


def clear(server: Connection) -> Leftovers:
    """Crash every active run of our deployments, free their slots, and keep one late run of each schedule's.

    Only for a server whose workers are all down: an active run has no process then. Repeating it is safe.
    Raises RunFailed or Unreachable.
    """
    crashed = skipped = 0
    for deployment in our_deployments(server).values():
        active = {"state": {"type": {"any_": ACTIVE}}}
        for run in _all(server, deployment, active):
            _end(server, run, "CRASHED", CRASHED)
            crashed += 1
        _free(server, deployment)
        skipped += skip_late(server, deployment)
    return Leftovers(crashed, skipped)


def skip_late(server: Connection, deployment: dict[str, Any]) -> int:
    """Cancel every run that a schedule should have started by now, but the newest; returns how many."""
    due = {"state": {"type": {"any_": ["SCHEDULED"]}}, "next_scheduled_start_time": {"before_": now().isoformat()}}
    late = sorted((run for run in _all(server, deployment, due) if run["auto_scheduled"]), key=_planned)
    for run in late[:-1]:
        _end(server, run, "CANCELLED", SKIPPED)
    return len(late[:-1])


def _all(server: Connection, deployment: dict[str, Any], which: dict[str, Any]) -> list[dict[str, Any]]:
    return list(_pages(server, {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}, **which}}))


def _pages(server: Connection, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    offset = 0
    ordered = {**body, "sort": "ID_DESC", "limit": PAGE}
    while found := server.ask("POST", "/flow_runs/filter", {**ordered, "offset": offset}):
        yield from found
        offset += len(found)


def _planned(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["expected_start_time"])


def _end(server: Connection, run: dict[str, Any], state: str, message: str) -> None:
    # The server gives the slot and its lease back when it writes the state.
    body = {"state": {"type": state, "message": message}, "force": True}
    server.ask("POST", f"/flow_runs/{run['id']}/set_state", body)


def _free(server: Connection, deployment: dict[str, Any]) -> None:
    """Free a slot that no run holds: its run was deleted in the pages, or the server was killed between two writes."""
    limit = deployment["global_concurrency_limit"]
    if limit is None:
        return
    if server.ask("GET", f"/v2/concurrency_limits/{limit['id']}")["active_slots"]:
        server.ask("PATCH", f"/v2/concurrency_limits/{limit['id']}", {"active_slots": 0})

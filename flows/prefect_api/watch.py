"""What a person should know of the runs on a Prefect server: which are overdue, wait, failed or were cancelled.

Prefect itself reports none of these: a run that waits for a slot for ever looks like a run that starts in a moment.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flows.prefect_api.connection import Connection
from flows.prefect_api.deployments import our_deployments

GRACE = timedelta(minutes=15)
"""How late a run may be: a start takes seconds, and a training on few cores may hold the only slot for a while."""

BEGUN = ("RUNNING", "COMPLETED", "FAILED", "CRASHED", "CANCELLED", "CANCELLING", "PAUSED")
BAD = ("FAILED", "CRASHED")
LAST = 20
"""Runs to look at, newest first, for the newest run that a schedule did not plan and drop."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """A deployment whose runs need a person; `said` is a sentence without the deployment's name."""

    deployment: str
    said: str


class Watch:
    """Looks at the runs of this home's deployments on one server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def overdue(self, moment: datetime) -> list[Overdue]:
        """What waits, failed last, or has not run for too long at a moment, by deployment; not paused schedules."""
        return [
            Overdue(one["name"], said)
            for one in our_deployments(self._connection).values()
            for said in self._of(one, moment)
        ]

    def cancelled_at(self, name: str) -> datetime | None:
        """When a person cancelled the newest run of a flow's deployment; None where another run has begun since."""
        deployment = self._connection.ask("GET", self._connection.server.deployment_path(name))
        newest = next(iter(self._begun(deployment["id"])), None)
        if newest is None or newest["state"]["type"] not in ("CANCELLED", "CANCELLING"):
            return None
        return datetime.fromisoformat(newest["state"]["timestamp"])

    def _of(self, deployment: dict[str, Any], moment: datetime) -> list[str]:
        waiting = self._waiting(deployment["id"], moment)
        if waiting:
            first, more = waiting[0], len(waiting) - 1
            others = f", and {more} more" if more else ""
            return [f"a run waits since {_clock(first['expected_start_time'])}: {first['state']['name']}{others}"]
        newest = next(iter(self._begun(deployment["id"])), None)
        if newest is not None and newest["state"]["type"] in BAD:
            message = (newest["state"].get("message") or "").strip().partition("\n")[0][:200]
            return [
                f"the last run {newest['state']['type'].lower()} at {_clock(newest['state']['timestamp'])}: {message}"
            ]
        return self._not_run(deployment, newest, moment)

    def _not_run(self, deployment: dict[str, Any], newest: dict[str, Any] | None, moment: datetime) -> list[str]:
        """Whether a deployment with a short interval has not begun a run for longer than the grace."""
        active = [one["schedule"] for one in deployment.get("schedules", []) if one["active"]]
        every = [timedelta(seconds=one["interval"]) for one in active if "interval" in one]
        if deployment.get("paused") or not every or newest is None or not newest.get("start_time"):
            return []
        began = datetime.fromisoformat(newest["start_time"])
        if newest["state"]["type"] == "RUNNING" or moment - began < max(GRACE, 3 * min(every)):
            return []
        minutes = min(every).total_seconds() / 60
        return [f"the last run began at {_clock(newest['start_time'])}; a run is due every {minutes:.0f} minutes"]

    def _waiting(self, deployment: str, moment: datetime) -> list[dict[str, Any]]:
        """The runs that should have begun, oldest first."""
        return self._runs(
            {
                "deployment_id": {"any_": [deployment]},
                "state": {"type": {"any_": ["SCHEDULED", "PENDING"]}},
                "expected_start_time": {"before_": (moment - GRACE).isoformat()},
            },
            "EXPECTED_START_TIME_ASC",
        )

    def _begun(self, deployment: str) -> list[dict[str, Any]]:
        """The newest runs that began, or that a person ended before they began, newest first.

        Prefect gives a start to a run that was cancelled before it ran too, so the start does not tell.
        """
        found = self._runs(
            {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": list(BEGUN)}}},
            "EXPECTED_START_TIME_DESC",
        )
        return [one for one in found if not _is_dropped(one)]

    def _runs(self, which: dict[str, Any], sort: str) -> list[dict[str, Any]]:
        found = self._connection.ask("POST", "/flow_runs/filter", {"flow_runs": which, "sort": sort, "limit": LAST})
        return [dict(one) for one in found]


def _is_dropped(run: dict[str, Any]) -> bool:
    """Whether a schedule planned the run, and it was cancelled before it ever ran."""
    return bool(run["auto_scheduled"] and run["state"]["type"] == "CANCELLED" and not run["run_count"])


def _clock(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")

"""Starts and watches the runs of our deployments, for the command line and the demo."""

import threading
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.prefect_api.connection import POLL_SECONDS, Connection, RunFailed
from flows.prefect_api.server import PrefectServer
from storage.clock import now

SLOT_TAKEN = "Deployment concurrency limit reached."
"""The message of a run that the server cancelled because another run of its deployment has the only slot."""

SLOT_PAUSE = 2.0
TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(frozen=True, slots=True)
class Run:
    """A flow run at one moment; `created_by` is schedule, event or user."""

    id: str
    flow: str
    state: str
    message: str
    created_by: str
    event_id: str | None
    created: datetime
    started: datetime | None
    ended: datetime | None

    @property
    def finished(self) -> bool:
        """Whether its state is final."""
        return self.state in TERMINAL

    @property
    def seconds(self) -> float | None:
        """Seconds from its start to its end; None where it has not begun or not ended."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None


class Runs:
    """The runs of this home's deployments on a Prefect server; a deployment is named by its flow."""

    def __init__(self, server: PrefectServer) -> None:
        self._connection = Connection(server)

    def check(self) -> None:
        """Raises Unreachable within 10 s where no Prefect server responds."""
        self._connection.check()

    def check_login(self) -> None:
        """Raises Refused where the server does not take our login, Unreachable where no Prefect server responds."""
        self._connection.check_login()

    def start(self, name: str, parameters: dict[str, Any]) -> Run:
        """Start a run of a deployment, now. Raises RunFailed where the server refuses the parameters.

        A policy of which only some fields are given has the others as the deployment has them.
        """
        deployment = self._deployment(name)
        own = deployment.get("parameters") or {}
        parameters = {
            one: {**own[one], **given} if isinstance(given, dict) and isinstance(own.get(one), dict) else given
            for one, given in parameters.items()
        }
        # The server starts one run for a key, so the request is safe to send twice.
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}, "idempotency_key": str(uuid.uuid4())}
        return _run(name, self._connection.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", body))

    def get(self, run: Run) -> Run:
        """The run at this moment."""
        return _run(run.flow, self._connection.ask("GET", f"/flow_runs/{run.id}"))

    def since(self, name: str, moment: datetime) -> list[Run]:
        """The runs of a deployment created after a moment, oldest first."""
        deployment = self._deployment(name)
        # The server filters by time too, or the page would have only the oldest runs of a busy deployment.
        which = {"deployment_id": {"any_": [deployment["id"]]}, "expected_start_time": {"after_": moment.isoformat()}}
        body = {"flow_runs": which, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        found = [_run(name, one) for one in self._connection.ask("POST", "/flow_runs/filter", body)]
        return [run for run in found if run.created >= moment]

    def finish(self, run: Run, deadline: float | None = None) -> Run:
        """Wait until a run has ended, by default without a limit: a retrain on few cores may need hours.

        A run that found another one of its deployment is started again: a schedule can skip a turn, a person cannot.
        The returned run is the last one started. Raises RunFailed where the run did not complete, or did not end
        within `deadline` seconds.
        """
        pause, began = threading.Event(), now()
        while not run.finished:
            if deadline is not None and (now() - began).total_seconds() > deadline:
                raise RunFailed(f"{run.flow} has not ended after {deadline:.0f} s; see {self.page(run)}")
            pause.wait(POLL_SECONDS)
            run = self.get(run)
            if run.state == "CANCELLED" and run.message == SLOT_TAKEN:
                pause.wait(SLOT_PAUSE)
                run = self.start(run.flow, self._connection.ask("GET", f"/flow_runs/{run.id}")["parameters"])
        if run.state != "COMPLETED":
            raise RunFailed(f"{run.flow} ended as {run.state.lower()}: {run.message}\nSee {self.page(run)}")
        return run

    def progress(self, run: Run) -> tuple[float, str] | None:
        """The fraction (0 to 1) and description of a run's progress bar, or None where the run has none."""
        chosen = {"artifacts": {"flow_run_id": {"any_": [run.id]}, "type": {"any_": ["progress"]}}, "limit": 1}
        found = self._connection.ask("POST", "/artifacts/filter", chosen)
        return (float(found[0]["data"]) / 100, found[0]["description"] or "") if found else None

    def task_seconds(self, run: Run) -> dict[str, float]:
        """Seconds that each task of a run took, by task name."""
        chosen = {"flow_runs": {"id": {"any_": [run.id]}}, "limit": 200}
        found = self._connection.ask("POST", "/task_runs/filter", chosen)
        return {one["name"].rsplit("-", 1)[0]: float(one["total_run_time"] or 0) for one in found}

    def page(self, run: Run) -> str:
        """The address of a run's page in the dashboard."""
        return f"{self._connection.url}/runs/flow-run/{run.id}"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _deployment(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._connection.ask("GET", self._connection.server.deployment_path(name))
        return found


def _run(name: str, found: dict[str, Any]) -> Run:
    state = found.get("state") or {}
    return Run(
        id=found["id"],
        flow=name,
        state=state.get("type", "PENDING"),
        message=state.get("message") or "",
        created_by=_created_by(found),
        event_id=found.get("parameters", {}).get("event"),
        created=datetime.fromisoformat(found["created"]),
        started=_moment(found.get("start_time")),
        ended=_moment(found.get("end_time")),
    )


def _created_by(found: dict[str, Any]) -> str:
    if found.get("auto_scheduled"):
        return "schedule"
    maker = (found.get("created_by") or {}).get("type", "")
    return "event" if maker == "AUTOMATION" else "user"


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)

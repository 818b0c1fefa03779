"""Starts and watches flow runs over Prefect's REST API, without importing Prefect (1.2 s that a verb need not pay)."""

import threading
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from storage.addresses import public_address
from storage.clock import now
from storage.errors import Failed, Unreachable

TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
POLL_SECONDS = 0.25
FIRST_ANSWER = 8.0
BUSY_ANSWER = 60.0
"""Seconds: a server that never answered is told of within ten; one that did is there, and slow where all is busy."""

BUSY_TRIES = 6
"""A Prefect server on SQLite answers 503 while its database is locked; its own client asks again too."""

GATEWAY = (502, 504)


class RunFailed(Failed):
    """A flow run ended in another state than completed; the message is the run's own."""


@dataclass(frozen=True, slots=True)
class Run:
    """A flow run as it stands; `created_by` is schedule, event or user."""

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


class Runs:
    """The runs of finloop's deployments on one Prefect server; every deployment has its flow's name."""

    def __init__(self, prefect_url: str) -> None:
        self._url = public_address(prefect_url)
        self._client = httpx.Client(base_url=f"{prefect_url}/api", timeout=httpx.Timeout(FIRST_ANSWER, connect=3.0))
        self._is_prefect = False

    def check(self) -> None:
        """Raises Unreachable within 10 s where no Prefect server answers.

        `/health` needs neither the server's database nor a token: whatever does not answer `true` there is no Prefect.
        """
        answer = self._send("GET", "/health")
        if not answer.is_success or answer.content.strip() != b"true":
            raise self._unreachable(f"what answers there is not Prefect ({answer.status_code} at /api/health)")
        self._client.timeout = httpx.Timeout(BUSY_ANSWER, connect=3.0)
        self._is_prefect = True

    def start(self, name: str, parameters: dict[str, Any]) -> Run:
        """Start a run of a deployment, now. Raises RunFailed where the server refuses the parameters."""
        deployment = self._ask("GET", f"/deployments/name/{name}/{name}")
        # The key makes asking twice safe: the server starts one run for it.
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}, "idempotency_key": str(uuid.uuid4())}
        return _run(name, self._ask("POST", f"/deployments/{deployment['id']}/create_flow_run", body))

    def get(self, run: Run) -> Run:
        """The run as it stands now."""
        return _run(run.flow, self._ask("GET", f"/flow_runs/{run.id}"))

    def since(self, name: str, moment: datetime) -> list[Run]:
        """The runs of a deployment created after a moment, oldest first."""
        deployment = self._ask("GET", f"/deployments/name/{name}/{name}")
        # The server filters by time too: one page would otherwise hold only the oldest of a busy deployment.
        which = {"deployment_id": {"any_": [deployment["id"]]}, "expected_start_time": {"after_": moment.isoformat()}}
        body = {"flow_runs": which, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        found = [_run(name, one) for one in self._ask("POST", "/flow_runs/filter", body)]
        return [run for run in found if run.created >= moment]

    def finish(self, run: Run, deadline: float | None = None) -> Run:
        """Wait until a run has ended, for as long as it takes: a retrain on few cores may need hours.

        Raises RunFailed when it ended badly, or did not end within `deadline` s where one is given.
        """
        pause, began = threading.Event(), now()
        while not run.finished:
            if deadline is not None and (now() - began).total_seconds() > deadline:
                raise RunFailed(f"{run.flow} has not ended after {deadline:.0f} s; see {self.page(run)}")
            pause.wait(POLL_SECONDS)
            run = self.get(run)
        if run.state != "COMPLETED":
            raise RunFailed(f"{run.flow} ended as {run.state.lower()}: {run.message}\nSee {self.page(run)}")
        return run

    def progress(self, run: Run) -> tuple[float, str] | None:
        """The fraction and words of a run's progress bar, if it has shown one."""
        chosen = {"artifacts": {"flow_run_id": {"any_": [run.id]}, "type": {"any_": ["progress"]}}, "limit": 1}
        found = self._ask("POST", "/artifacts/filter", chosen)
        return (float(found[0]["data"]) / 100, found[0]["description"] or "") if found else None

    def task_seconds(self, run: Run) -> dict[str, float]:
        """Seconds that each task of a run took, by task name."""
        chosen = {"flow_runs": {"id": {"any_": [run.id]}}, "limit": 200}
        found = self._ask("POST", "/task_runs/filter", chosen)
        return {one["name"].rsplit("-", 1)[0]: float(one["total_run_time"] or 0) for one in found}

    def page(self, run: Run) -> str:
        """Where a person looks at a run."""
        return f"{self._url}/runs/flow-run/{run.id}"

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        if not self._is_prefect:  # else another server's 404 would read as a deployment that is missing
            self.check()
        answer = self._send(method, path, body)
        if answer.status_code == httpx.codes.NOT_FOUND and "/deployments/name/" in path:
            raise RunFailed(
                f"Prefect at {self._url} has no deployment {path.rsplit('/', 1)[-1]}; run `finloop up` once"
            )
        if answer.is_error:
            raise RunFailed(f"Prefect refused {method} {path}: {answer.status_code} {answer.text[:500]}")
        try:
            found = answer.json()
        except ValueError as error:
            raise self._unreachable("what answers there is not Prefect") from error
        if not isinstance(found, dict | list):
            raise self._unreachable("what answers there is not Prefect")
        return found

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        pause, lost = threading.Event(), False
        for tried in range(BUSY_TRIES if self._is_prefect else 1):
            pause.wait(2 * POLL_SECONDS * tried)
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.RequestError as error:
                if self._lost(error) and not lost:  # seen once: no answer in a minute from a server that was well
                    lost = True
                    continue
                raise self._unreachable(str(error) or type(error).__name__) from error
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
        if answer.status_code in GATEWAY:
            raise self._unreachable(f"its gateway answers {answer.status_code}")
        return answer

    def _lost(self, error: httpx.RequestError) -> bool:
        """Whether a server that has answered before kept this one answer back; every call is safe to ask twice."""
        return isinstance(error, httpx.ReadTimeout) and self._is_prefect

    def _unreachable(self, reason: str) -> Unreachable:
        cure = "Start it with `finloop up`, or correct the address."
        return Unreachable("Prefect", self._url, "FINLOOP_PREFECT_URL", reason, cure)


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

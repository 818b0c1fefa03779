"""What a killed house leaves on its Prefect server is cleared at once, by the server's own API."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from flows.prefect_api.connection import Connection
from flows.prefect_api.leftovers import CRASHED, SKIPPED, clear
from flows.prefect_api.runs import Runs
from flows.prefect_api.server import PrefectServer
from storage.clock import now
from tests.fixtures_prefect import AUTH


@pytest.fixture
def server(deployed_server: str) -> Iterator[Connection]:
    """The server, without a run of ours that an earlier test left active."""
    made = Connection(PrefectServer(deployed_server, AUTH))
    clear(made)
    yield made
    made.close()


@pytest.fixture
def runs(deployed_server: str) -> Iterator[Runs]:
    made = Runs(PrefectServer(deployed_server, AUTH))
    yield made
    made.close()


def propose(api: httpx.Client, run: str, state: str) -> str:
    """What becomes of a run for which a worker proposes a state."""
    body = {"state": {"type": state}, "force": state == "CANCELLING"}
    api.post(f"/flow_runs/{run}/set_state", json=body).raise_for_status()
    return str(api.get(f"/flow_runs/{run}").json()["state"]["type"])


def deployment(api: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/deployments/name/{name}/{name}").raise_for_status().json()
    return found


def slots(api: httpx.Client, name: str) -> int:
    return int(deployment(api, name)["global_concurrency_limit"]["active_slots"])


@pytest.mark.parametrize("name", ["sync", "retrain"])
@pytest.mark.parametrize("states", [["PENDING"], ["PENDING", "RUNNING"], ["PENDING", "RUNNING", "CANCELLING"]])
def test_a_run_without_a_process_crashes_and_gives_its_slot_to_the_next(
    server: Connection, runs: Runs, prefect_api: httpx.Client, name: str, states: list[str]
) -> None:
    lost, after = runs.start(name, {}), runs.start(name, {})
    assert [propose(prefect_api, lost.id, state) for state in states] == states
    assert slots(prefect_api, name) == 1
    assert propose(prefect_api, runs.start(name, {}).id, "PENDING") != "PENDING"
    assert clear(server).crashed == 1
    assert (runs.get(lost).state, runs.get(lost).message) == ("CRASHED", CRASHED)
    assert slots(prefect_api, name) == 0
    assert propose(prefect_api, after.id, "PENDING") == "PENDING"


def test_a_slot_that_no_run_holds_is_freed(server: Connection, prefect_api: httpx.Client) -> None:
    """Its run was deleted in the pages, or an older finloop's server forgot the lease."""
    limit = deployment(prefect_api, "score")["global_concurrency_limit"]["id"]
    prefect_api.patch(f"/v2/concurrency_limits/{limit}", json={"active_slots": 1}).raise_for_status()
    clear(server)
    assert slots(prefect_api, "score") == 0


def test_of_the_runs_that_a_schedule_planned_for_days_off_one_is_left(
    server: Connection, runs: Runs, prefect_api: httpx.Client
) -> None:
    """Runs that people or events asked for stay, and so do those that the schedule plans for later."""
    asked = runs.start("select", {})
    number, moment = deployment(prefect_api, "select")["id"], now()
    window = {"start_time": (moment - timedelta(days=8)).isoformat(), "end_time": moment.isoformat()}
    body = {**window, "min_runs": 7, "max_runs": 20}
    prefect_api.post(f"/deployments/{number}/schedule", json=body).raise_for_status()

    def planned(state: str) -> list[dict[str, Any]]:
        which = {"deployment_id": {"any_": [number]}, "state": {"type": {"any_": [state]}}}
        body = {"flow_runs": which, "sort": "EXPECTED_START_TIME_ASC"}
        found = prefect_api.post("/flow_runs/filter", json=body).raise_for_status().json()
        return [one for one in found if one["auto_scheduled"]]

    late = [one["id"] for one in planned("SCHEDULED") if one["expected_start_time"] < moment.isoformat()]
    later = {one["id"] for one in planned("SCHEDULED")} - set(late)
    assert len(late) >= 7
    assert clear(server).skipped == len(late) - 1
    assert {one["id"] for one in planned("SCHEDULED")} >= {late[-1], *later}
    assert {one["id"] for one in planned("CANCELLED")} == set(late[:-1])
    assert {one["state"]["message"] for one in planned("CANCELLED")} == {SKIPPED}
    assert not runs.get(asked).finished
    assert clear(server).skipped == 0


def test_the_server_leaves_overdue_runs_to_us(prefect_api: httpx.Client) -> None:
    """Marking a run as late cancels the run, and every later one of its schedule, while a dead run has the slot."""
    services = prefect_api.get("/admin/settings").raise_for_status().json()["server"]["services"]
    assert services["late_runs"]["enabled"] is False
    assert services["scheduler"]["enabled"] is True

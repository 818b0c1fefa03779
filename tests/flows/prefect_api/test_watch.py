"""What a real Prefect server knows of our runs becomes sentences for a person, and says what a person cancelled."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from flows.prefect_api.connection import Connection, login_header
from flows.prefect_api.deployments import our_deployments
from flows.prefect_api.server import PrefectServer
from flows.prefect_api.watch import LAST, Watch
from storage.clock import now
from tests.fixtures_prefect import AUTH

SUFFIX = f"-{uuid.uuid4().hex[:8]}"
HOUR = timedelta(hours=1)
MakeRun = Callable[..., str]


@pytest.fixture
def server(prefect_server: str) -> Iterator[Connection]:
    with closing(Connection(PrefectServer(prefect_server, AUTH, SUFFIX))) as connection:
        yield connection


@pytest.fixture
def deployment(server: Connection) -> Iterator[dict[str, Any]]:
    """A deployment of this home, with a schedule of five minutes, as `sync` has."""
    flow = server.ask("POST", "/flows/", {"name": "sync"})
    schedule = {"schedule": {"interval": 300, "anchor_date": now().isoformat()}, "active": True}
    body = {"name": f"sync{SUFFIX}", "flow_id": flow["id"], "schedules": [schedule], "entrypoint": "flows.sync.sync"}
    made = server.ask("POST", "/deployments/", body)
    yield made
    server.ask("POST", "/deployments/bulk_delete", {"deployments": {"id": {"any_": [made["id"]]}}})


@pytest.fixture
def a_run(server: Connection, deployment: dict[str, Any]) -> MakeRun:
    """Makes a run of the deployment, planned for a moment, that goes through some states at once."""

    def make(planned: datetime, *states: str, message: str = "") -> str:
        scheduled = {"type": "SCHEDULED", "state_details": {"scheduled_time": planned.isoformat()}}
        run = server.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {"state": scheduled})
        for state in states:
            body = {"state": {"type": state, "message": message}, "force": True}
            server.ask("POST", f"/flow_runs/{run['id']}/set_state", body)
        return str(run["id"])

    return make


@pytest.fixture
def skipped_hour(prefect_server: str, server: Connection, deployment: dict[str, Any]) -> None:
    """Skips the runs that the schedule plans for the next hour: a look from its end would find that they wait.

    The server plans them at any moment after a deployment is made, and plans none twice.
    """
    window = {"start_time": now().isoformat(), "end_time": (now() + HOUR).isoformat()}
    body = {**window, "min_runs": LAST, "max_runs": LAST}
    address = f"{prefect_server}/api/deployments/{deployment['id']}/schedule"
    httpx.post(address, json=body, headers=login_header(AUTH), timeout=60).raise_for_status()
    which = {"deployment_id": {"any_": [deployment["id"]]}, "expected_start_time": {"before_": window["end_time"]}}
    for run in server.ask("POST", "/flow_runs/filter", {"flow_runs": which}):
        server.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLED"}, "force": True})


def said(server: Connection, deployment: dict[str, Any], later: timedelta = timedelta()) -> list[str]:
    return [one.said for one in Watch(server).overdue(now() + later) if one.deployment == deployment["name"]]


@pytest.mark.usefixtures("skipped_hour")
def test_a_deployment_that_never_ran_and_one_that_runs_are_no_trouble(
    server: Connection, deployment: dict[str, Any], a_run: MakeRun
) -> None:
    assert said(server, deployment, later=HOUR) == []
    a_run(now(), "RUNNING")
    assert said(server, deployment, later=HOUR) == []


@pytest.mark.usefixtures("skipped_hour")
def test_runs_that_a_schedule_planned_and_that_were_skipped_are_not_a_persons(server: Connection) -> None:
    assert Watch(server).cancelled_at("sync") is None


@pytest.fixture
def strangers(server: Connection, deployment: dict[str, Any]) -> Iterator[list[str]]:
    """Deployments of another home, of another project and of nobody's home, each with a run that waits for an hour."""
    made = list[str]()
    for name, entrypoint in (
        ("sync-another", "flows.sync.sync"),
        (f"backup{SUFFIX}", "backup.py:run"),
        (f"sync{SUFFIX}-again", "flows.sync.sync"),
    ):
        body = {"name": name, "flow_id": deployment["flow_id"], "entrypoint": entrypoint}
        number = server.ask("POST", "/deployments/", body)["id"]
        scheduled = {"type": "SCHEDULED", "state_details": {"scheduled_time": (now() - HOUR).isoformat()}}
        server.ask("POST", f"/deployments/{number}/create_flow_run", {"state": scheduled})
        made.append(number)
    yield made
    server.ask("POST", "/deployments/bulk_delete", {"deployments": {"id": {"any_": made}}})


@pytest.mark.usefixtures("strangers")
def test_the_runs_of_strangers_are_nobodys_trouble_here(server: Connection, a_run: MakeRun) -> None:
    assert Watch(server).overdue(now()) == []
    a_run(now() - HOUR)
    assert [one.deployment for one in Watch(server).overdue(now())] == [f"sync{SUFFIX}"]


@pytest.mark.usefixtures("deployment", "strangers")
def test_our_deployments_are_found_among_more_than_a_page_of_others(
    server: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.prefect_api.deployments.PAGE", 1)
    assert list(our_deployments(server)) == ["sync"]


def test_a_run_that_waits_for_a_quarter_of_an_hour_is_named(
    server: Connection, deployment: dict[str, Any], a_run: MakeRun
) -> None:
    a_run(now() - timedelta(minutes=20), "PENDING")
    a_run(now() - timedelta(minutes=16))
    (sentence,) = said(server, deployment)
    assert sentence.startswith("a run waits since ") and sentence.endswith(": Pending, and 1 more")


def test_a_run_that_is_planned_for_later_does_not_wait(
    server: Connection, deployment: dict[str, Any], a_run: MakeRun
) -> None:
    a_run(now() + HOUR)
    assert said(server, deployment) == []


@pytest.mark.parametrize("state", ["FAILED", "CRASHED"])
def test_a_last_run_that_went_wrong_is_named_with_its_reason(
    state: str, server: Connection, deployment: dict[str, Any], a_run: MakeRun
) -> None:
    a_run(now() - 2 * HOUR, "RUNNING", "COMPLETED")
    a_run(now() - HOUR, "RUNNING", state, message="no Elasticsearch answers\nand a traceback")
    (sentence,) = said(server, deployment)
    assert sentence.startswith(f"the last run {state.lower()} at ")
    assert sentence.endswith(": no Elasticsearch answers")


def test_a_failure_that_a_later_run_made_good_is_not_named(
    server: Connection, deployment: dict[str, Any], a_run: MakeRun
) -> None:
    a_run(now() - timedelta(minutes=10), "RUNNING", "FAILED")
    a_run(now() - timedelta(minutes=4), "RUNNING", "COMPLETED")
    assert said(server, deployment) == []


@pytest.mark.usefixtures("skipped_hour")
def test_a_schedule_of_five_minutes_that_has_not_run_for_an_hour_is_named(
    server: Connection, deployment: dict[str, Any], a_run: MakeRun
) -> None:
    a_run(now(), "RUNNING", "COMPLETED")
    assert said(server, deployment) == []
    (sentence,) = said(server, deployment, later=HOUR)
    assert sentence.endswith("a run is due every 5 minutes")


def test_the_newest_run_that_a_person_cancelled_is_known_until_another_begins(
    server: Connection, deployment: dict[str, Any], a_run: MakeRun
) -> None:
    watch = Watch(server)
    assert watch.cancelled_at("sync") is None
    began = now() - HOUR
    a_run(began, "RUNNING", "CANCELLED")
    cancelled = watch.cancelled_at("sync")
    assert cancelled is not None and cancelled > began
    a_run(now() - timedelta(minutes=3), "RUNNING", "CRASHED")
    assert watch.cancelled_at("sync") is None


def test_a_run_that_a_person_cancelled_before_it_began_counts(
    server: Connection, deployment: dict[str, Any], a_run: MakeRun
) -> None:
    a_run(now() - HOUR, "RUNNING", "COMPLETED")
    a_run(now() - timedelta(minutes=5), "CANCELLED")
    assert Watch(server).cancelled_at("sync") is not None

"""What prefect.yaml says is what the server does: every deployment, schedule, trigger, pool, limit and bound."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.flows import Flow, load_flow_from_entrypoint

from deployments.local.orchestration import NotApplied, apply, pools, read_prefect_file
from flows.prefect_api.connection import RunFailed
from flows.prefect_api.pools import AUTOMATION
from flows.prefect_api.runs import Runs
from flows.wiring.settings import REPOSITORY
from storage.clock import now
from storage.errors import Unreachable
from tests.deployments.serving.models import free_port
from tests.fixtures_prefect import prefect_environment

FILE = read_prefect_file(REPOSITORY)
DECLARED: dict[str, dict[str, Any]] = {one["name"]: one for one in FILE["deployments"]}
SIZED = ("audit", "select")


@pytest.fixture(scope="module")
def server(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The session's server with prefect.yaml applied twice: what may be repeated must not double anything."""
    environment = prefect_environment(tmp_path_factory.mktemp("prefect-cli"), prefect_server)
    environment.pop("PREFECT_SERVER_DATABASE_CONNECTION_URL")
    for _ in range(2):
        apply(REPOSITORY, prefect_server, environment)
    return prefect_server


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server}/api", timeout=30) as client:
        yield client


@pytest.fixture
def runs(server: str) -> Iterator[Runs]:
    made = Runs(server)
    yield made
    made.close()


def deployment(api: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/deployments/name/{name}/{name}").raise_for_status().json()
    return found


def automations(api: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.post("/automations/filter", json={}).raise_for_status().json()
    return found


def test_the_server_has_the_deployments_of_the_file_and_no_other(api: httpx.Client) -> None:
    found = api.post("/deployments/filter", json={}).raise_for_status().json()
    assert sorted(one["name"] for one in found) == sorted(DECLARED)


def test_the_pools_are_those_that_the_file_names(api: httpx.Client) -> None:
    found = {one["name"]: one["type"] for one in api.post("/work_pools/filter", json={}).json()}
    assert pools(FILE) == ["cpu", "gpu"]
    assert {name: found.get(name) for name in pools(FILE)} == {"cpu": "process", "gpu": "process"}


@pytest.mark.parametrize("name", DECLARED)
def test_a_deployment_is_as_the_file_says(api: httpx.Client, name: str) -> None:
    declared, found = DECLARED[name], deployment(api, name)
    assert found["entrypoint"] == declared["entrypoint"]
    assert found["description"] == declared["description"]
    assert found["work_pool_name"] == declared["work_pool"]["name"]
    limit = declared["concurrency_limit"]
    assert found["global_concurrency_limit"]["limit"] == limit["limit"] == 1
    assert found["concurrency_options"]["collision_strategy"] == limit["collision_strategy"] == "ENQUEUE"
    assert found["parameters"] == declared.get("parameters", {})
    assert found["enforce_parameter_schema"]
    assert found["job_variables"]["command"].endswith("-m prefect.engine")
    assert "{{" not in found["job_variables"]["command"]


@pytest.mark.parametrize("name", DECLARED)
def test_a_declared_policy_is_the_default_of_its_flow(name: str) -> None:
    """The dashboard's form shows the file's; the demo's first champion is made with the flow's."""
    declared = DECLARED[name].get("parameters", {})
    flow: Flow[..., Any] = load_flow_from_entrypoint(DECLARED[name]["entrypoint"], use_placeholder_flow=False)
    default = inspect.signature(flow.fn).parameters["policy"].default if "policy" in declared else None
    assert (default is None) is not declared
    assert default is None or type(default)(**declared["policy"]) == default


@pytest.mark.parametrize("name", DECLARED)
def test_a_schedule_is_as_the_file_says(api: httpx.Client, name: str) -> None:
    declared = DECLARED[name].get("schedules", [])
    found = deployment(api, name)["schedules"]
    assert len(found) == len(declared)
    for one, other in zip(declared, found, strict=True):
        assert other["active"]
        assert other["schedule"].get("cron") == one.get("cron")
        assert other["schedule"].get("interval") == one.get("interval")


@pytest.mark.parametrize("name", DECLARED)
def test_a_trigger_is_as_the_file_says(api: httpx.Client, name: str) -> None:
    number = deployment(api, name)["id"]
    ours = [one for one in automations(api) if any(action.get("deployment_id") == number for action in one["actions"])]
    declared = DECLARED[name].get("triggers", [])
    assert len(ours) == len(declared)
    for one, other in zip(declared, ours, strict=True):
        trigger, (action,) = other["trigger"], other["actions"]
        assert other["enabled"]
        assert (trigger["expect"], trigger["match"]) == (one["expect"], one["match"])
        assert (trigger["threshold"], trigger["within"]) == (one["threshold"], one["within"])
        assert set(action["parameters"]) == set(one["parameters"])


def test_runs_whose_process_vanished_are_watched_by_one_automation(api: httpx.Client) -> None:
    (watch,) = [one for one in automations(api) if one["name"] == AUTOMATION]
    assert watch["enabled"]
    assert watch["trigger"]["posture"] == "Proactive"
    assert watch["actions"][0]["state"] == "CRASHED"


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", [0, 5001, "many"])
def test_the_server_refuses_a_policy_out_of_bounds(runs: Runs, name: str, size: object) -> None:
    began = now()
    with pytest.raises(RunFailed, match="Prefect refused"):
        runs.start(name, {"policy": {"size": size}})
    assert [run for run in runs.since(name, began) if run.created_by == "user"] == []


@pytest.mark.parametrize(
    "policy",
    [
        {"recipe": {"epochs": 0}},
        {"recipe": {"learning_rate": 1}},
        {"gate": {"min_audit_rows": 0}},
        {"merge": {"test_share": 0.9}},
        {"nonsense": 1},
    ],
)
def test_a_retrain_with_a_policy_out_of_bounds_is_refused(runs: Runs, policy: dict[str, Any]) -> None:
    with pytest.raises(RunFailed, match="Prefect refused"):
        runs.start("retrain", {"policy": policy})


def test_a_file_that_prefect_refuses_is_an_error_with_what_it_said(server: str, tmp_path: Path) -> None:
    broken = {"name": "broken", "entrypoint": "missing.py:flow", "work_pool": {"name": "cpu"}}
    (tmp_path / "prefect.yaml").write_text(f"deployments: [{broken}]\n")
    with pytest.raises(NotApplied, match=r"(?s)prefect deploy --all failed.*missing"):
        apply(tmp_path, server, prefect_environment(tmp_path / "home", server))


def test_where_no_server_answers_the_setting_is_named(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match="no Prefect answers"):
        apply(REPOSITORY, nowhere, {})


def test_the_command_of_a_worker_is_this_python(api: httpx.Client) -> None:
    assert deployment(api, "score")["job_variables"]["command"] == f"{sys.executable} -m prefect.engine"


# What follows is about runs: on the same server, since applying the file is what takes time.


def set_state(api: httpx.Client, run_id: str, kind: str, message: str) -> None:
    body = {"state": {"type": kind, "message": message}, "force": True}
    api.post(f"/flow_runs/{run_id}/set_state", json=body).raise_for_status()


def test_a_started_run_is_a_users_and_waits(runs: Runs, server: str) -> None:
    began = now()
    run = runs.start("score", {})
    assert (run.flow, run.state, run.finished, run.created_by) == ("score", "SCHEDULED", False, "user")
    assert runs.page(run) == f"{server}/runs/flow-run/{run.id}"
    assert [one.id for one in runs.since("score", began) if one.created_by == "user"] == [run.id]
    assert [one for one in runs.since("score", now()) if one.created_by == "user"] == []


def test_a_completed_run_is_returned_with_its_message(runs: Runs, api: httpx.Client) -> None:
    run = runs.start("sync", {})
    set_state(api, run.id, "COMPLETED", "7 texts sent")
    done = runs.finish(run)
    assert (done.state, done.message, done.finished) == ("COMPLETED", "7 texts sent", True)


@pytest.mark.parametrize("kind", ["FAILED", "CRASHED", "CANCELLED"])
def test_a_run_that_ended_badly_is_an_error_with_its_message_and_page(runs: Runs, api: httpx.Client, kind: str) -> None:
    run = runs.start("sync", {})
    set_state(api, run.id, kind, "the weights are damaged")
    with pytest.raises(RunFailed, match=f"(?s){kind.lower()}: the weights are damaged.*{run.id}"):
        runs.finish(run)


def test_a_run_that_does_not_end_is_given_up_and_its_page_named(runs: Runs) -> None:
    run = runs.start("sync", {})
    with pytest.raises(RunFailed, match=f"has not ended.*{run.id}"):
        runs.finish(run, deadline=0.1)


def test_a_run_without_a_bar_has_no_progress_and_one_with_a_bar_shows_it(runs: Runs, api: httpx.Client) -> None:
    run = runs.start("score", {})
    assert runs.progress(run) is None
    bar = {"key": "score", "type": "progress", "data": 40.0, "description": "4 of 10", "flow_run_id": run.id}
    api.post("/artifacts/", json=bar).raise_for_status()
    assert runs.progress(run) == (0.4, "4 of 10")


def test_a_server_without_our_deployments_is_told_how_to_get_them(runs: Runs) -> None:
    with pytest.raises(RunFailed, match="no deployment nonsense; run `finloop up` once"):
        runs.start("nonsense", {})


def test_a_server_that_answers_passes_the_check(runs: Runs) -> None:
    runs.check()

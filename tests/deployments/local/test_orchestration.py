"""What prefect.yaml says is what the server does: every deployment, schedule, trigger, pool, limit and bound."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from prefect.flows import Flow, load_flow_from_entrypoint
from pydantic import SecretStr

from deployments.local.orchestration import NotApplied, apply
from deployments.local.prefect_file import pools, read_prefect_file
from flows.prefect_api.connection import RunFailed
from flows.prefect_api.pools import NOT_BEGUN, VANISHED, Watch
from flows.prefect_api.runs import SLOT_TAKEN, Runs
from flows.prefect_api.server import PrefectServer
from flows.wiring.cures import name_setting
from flows.wiring.settings import REPOSITORY
from storage.clock import now
from storage.errors import Refused, Unreachable
from tests.deployments.serving.models import free_port, serve
from tests.fixtures_prefect import AUTH, prefect_environment

FILE = read_prefect_file(REPOSITORY)
DECLARED: dict[str, dict[str, Any]] = {one["name"]: one for one in FILE["deployments"]}
SIZED = ("audit", "select")


@pytest.fixture
def server(deployed_server: str) -> str:
    return deployed_server


@pytest.fixture
def api(prefect_api: httpx.Client) -> httpx.Client:
    return prefect_api


@pytest.fixture
def runs(server: str) -> Iterator[Runs]:
    made = Runs(PrefectServer(server, AUTH))
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
    assert found["concurrency_options"]["collision_strategy"] == limit["collision_strategy"]
    # What an event starts must not be dropped; what only a schedule repeats need not wait.
    assert limit["collision_strategy"] == ("ENQUEUE" if "triggers" in declared else "CANCEL_NEW")
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


@pytest.mark.parametrize("watch", [VANISHED, NOT_BEGUN], ids=["vanished", "not-begun"])
def test_runs_whose_process_vanished_are_watched_by_one_automation(api: httpx.Client, watch: Watch) -> None:
    (found,) = [one for one in automations(api) if one["name"] == watch.name]
    assert found["enabled"]
    assert found["trigger"]["posture"] == "Proactive"
    assert set(found["trigger"]["after"]) == watch.after and set(found["trigger"]["expect"]) == watch.expect
    assert found["trigger"]["match_related"][0]["prefect.resource.name"] == list(DECLARED)
    assert found["actions"][0]["state"] == "CRASHED"


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
        apply(tmp_path, PrefectServer(server, AUTH), prefect_environment(tmp_path / "home", server))


def test_a_login_that_the_server_does_not_take_is_found_before_anything_is_applied(server: str, tmp_path: Path) -> None:
    for auth in (None, SecretStr("finloop:wrong")):
        with pytest.raises(Refused) as refused:
            apply(REPOSITORY, PrefectServer(server, auth), {"PREFECT_HOME": str(tmp_path)})
        name_setting(refused.value)
        assert "FINLOOP_PREFECT_AUTH" in str(refused.value)


def test_a_server_that_is_too_busy_is_tried_again_and_then_named_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is well for our own calls, and does not take what Prefect's client sends."""
    monkeypatch.setattr("deployments.local.orchestration.PAUSE", 0.01)
    app, tries = FastAPI(), list[str]()

    @app.get("/api/health")
    def health() -> bool:
        return True

    @app.post("/api/{noun}/filter")
    def nothing(noun: str) -> list[str]:
        return []

    @app.post("/api/work_pools/")
    def busy() -> Response:
        tries.append("work_pools")
        return Response(status_code=503)

    with serve(app) as url, pytest.raises(NotApplied, match=r"did not take prefect.yaml in 2 tries: 503") as failed:
        environment = prefect_environment(tmp_path, url) | {"PREFECT_CLIENT_MAX_RETRIES": "0"}
        apply(REPOSITORY, PrefectServer(url), environment, tries=2)
    assert "Traceback" not in str(failed.value) and "finloop up" in str(failed.value)
    assert len(tries) == 2


def test_where_no_server_answers_the_setting_is_named(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match="no Prefect answers"):
        apply(REPOSITORY, PrefectServer(nowhere), {"PREFECT_HOME": str(tmp_path)})


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


def test_a_person_whose_run_finds_another_one_waits_for_its_end(runs: Runs, api: httpx.Client) -> None:
    first, second = runs.start("audit", {"policy": {"size": 7}}), runs.start("audit", {"policy": {"size": 8}})
    for run in (first, second):
        api.post(f"/flow_runs/{run.id}/set_state", json={"state": {"type": "PENDING"}}).raise_for_status()
    assert (runs.get(second).state, runs.get(second).message) == ("CANCELLED", SLOT_TAKEN)
    began = now()
    with pytest.raises(RunFailed, match="has not ended"):
        runs.finish(second, deadline=1.0)
    (again,) = [run for run in runs.since("audit", began) if run.created_by == "user"]
    assert api.get(f"/flow_runs/{again.id}").json()["parameters"]["policy"]["size"] == 8
    set_state(api, first.id, "COMPLETED", "")


def change_schedule(api: httpx.Client, name: str, **values: Any) -> None:
    found = deployment(api, name)
    path = f"/deployments/{found['id']}/schedules/{found['schedules'][0]['id']}"
    api.patch(path, json=values).raise_for_status()


def change(api: httpx.Client, name: str, **values: Any) -> None:
    api.patch(f"/deployments/{deployment(api, name)['id']}", json=values).raise_for_status()


@pytest.fixture
def changed(api: httpx.Client) -> Iterator[None]:
    """What people may change in Prefect's pages is changed, and is back afterwards."""
    (trigger,) = [one for one in automations(api) if one["name"] == "a challenger is deployed"]

    def turn(back: bool) -> None:
        audit = {"cron": DECLARED["audit"]["schedules"][0]["cron"]} if back else {"cron": "0 7 * * 2"}
        change_schedule(api, "select", active=back)
        change_schedule(api, "audit", schedule={**audit, "timezone": "UTC" if back else "Europe/Berlin"})
        change(api, "score", parameters={"policy": {"batch_size": 32 if back else 8}})
        change(api, "retrain", paused=not back)
        pool = {"concurrency_limit": None if back else 3, "is_paused": not back}
        api.patch("/work_pools/cpu", json=pool).raise_for_status()
        for one in automations(api):
            if one["name"] == trigger["name"]:
                api.patch(f"/automations/{one['id']}", json={"enabled": back}).raise_for_status()

    turn(False)
    yield
    turn(True)


@pytest.mark.usefixtures("changed")
def test_what_people_change_in_prefects_pages_stays_and_is_said(
    server: str, api: httpx.Client, cli_environment: dict[str, str]
) -> None:
    said = apply(REPOSITORY, PrefectServer(server, AUTH), cli_environment)
    assert sorted(one.split(":")[0] for one in said) == ["audit", "deploy", "retrain", "score", "select"]
    assert not deployment(api, "select")["schedules"][0]["active"]
    kept = deployment(api, "audit")["schedules"][0]["schedule"]
    assert (kept["cron"], kept["timezone"]) == ("0 7 * * 2", "Europe/Berlin")
    assert deployment(api, "score")["parameters"] == {"policy": {"batch_size": 8}}
    assert deployment(api, "retrain")["paused"]
    pool = api.get("/work_pools/cpu").json()
    assert (pool["concurrency_limit"], pool["is_paused"]) == (3, True)
    assert [one["enabled"] for one in automations(api) if one["name"] == "a challenger is deployed"] == [False]

"""A Prefect server that is not there, or is none, is told within ten seconds; the rest is in test_orchestration."""

import time
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from deployments.cli.terminal import run_and_wait
from flows.prefect_api.connection import RunFailed
from flows.prefect_api.runs import Runs
from flows.prefect_api.server import PrefectServer
from storage.clock import now
from storage.errors import Part, Unreachable
from tests.deployments.serving.models import free_port, serve


def test_where_nothing_answers_prefect_and_the_address_are_named() -> None:
    nowhere, began = f"http://127.0.0.1:{free_port()}", time.monotonic()
    runs = Runs(PrefectServer(nowhere))
    for call in (lambda: runs.start("score", {}), lambda: runs.since("score", now())):
        with pytest.raises(Unreachable) as raised:
            call()
        assert nowhere in str(raised.value) and raised.value.part is Part.PREFECT
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(status_code=404), "not Prefect (404 at /api/health)"),
        (Response("sign in", 401), "not Prefect (401 at /api/health)"),
        (Response(status_code=307, headers={"location": "/"}), "not Prefect (307 at /api/health)"),
        (Response("boom", 500), "not Prefect (500 at /api/health)"),
        (Response("no backend", 502), "its gateway answers 502"),
        (Response("no backend", 503), "not Prefect (503 at /api/health)"),
        (Response("hello"), "not Prefect (200 at /api/health)"),
        (JSONResponse({"status": "ok"}), "not Prefect (200 at /api/health)"),
        (Response("true", headers={"content-encoding": "gzip"}), "decompressing"),
    ],
)
def test_whatever_is_no_prefect_is_told_with_setting_address_and_cure(answer: Response, reason: str) -> None:
    app, began = FastAPI(), time.monotonic()
    app.get("/{path:path}")(lambda path: answer)
    with serve(app) as url:
        for call in (lambda: Runs(PrefectServer(url)).check(), lambda: Runs(PrefectServer(url)).start("score", {})):
            with pytest.raises(Unreachable) as raised:
                call()
            assert all(said in str(raised.value) for said in (url, reason)) and raised.value.part is Part.PREFECT
    assert time.monotonic() - began < 10


def test_an_address_is_named_without_its_password() -> None:
    with pytest.raises(Unreachable) as raised:
        Runs(PrefectServer(f"http://me:secret@127.0.0.1:{free_port()}")).check()
    assert "http://127.0.0.1:" in str(raised.value) and "secret" not in str(raised.value)


def prefect() -> FastAPI:
    """A Prefect server with the one deployment `score`; a test gives it the rest."""
    app = FastAPI()
    app.get("/api/health")(lambda: True)
    app.get("/api/deployments/name/score/score")(lambda: {"id": "7"})
    return app


def a_run(state: str) -> dict[str, Any]:
    """A run as the server tells of it."""
    return {"id": "8", "created": now().isoformat(), "state": {"type": state}}


def test_a_verb_waits_for_a_run_as_long_as_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    app, states, hours = prefect(), ["PENDING", "RUNNING", "RUNNING", "COMPLETED"], iter(range(0, 1000, 2))
    app.post("/api/deployments/7/create_flow_run")(lambda: a_run(states.pop(0)))
    app.get("/api/flow_runs/8")(lambda: a_run(states.pop(0)))
    monkeypatch.setattr("flows.prefect_api.runs.now", lambda: now() + timedelta(hours=next(hours)))
    with serve(app) as url:
        assert run_and_wait(Runs(PrefectServer(url)), "score", {}, wait=True, as_json=True).state == "COMPLETED"
        states += ["RUNNING", "RUNNING"]
        runs = Runs(PrefectServer(url))
        with pytest.raises(RunFailed, match="not ended after 3600 s"):
            runs.finish(runs.start("score", {}), deadline=3600)


def test_a_gateway_whose_server_went_away_is_told_as_such() -> None:
    app = prefect()
    app.post("/api/deployments/7/create_flow_run")(lambda: Response("no backend", 502))
    with serve(app) as url, pytest.raises(Unreachable, match=r"Prefect.*its gateway answers 502"):
        Runs(PrefectServer(url)).start("score", {})


def test_a_server_whose_database_is_busy_is_asked_again_for_the_same_run() -> None:
    app, keys = prefect(), []

    @app.post("/api/deployments/7/create_flow_run")
    def create(body: dict[str, object]) -> JSONResponse:
        keys.append(body["idempotency_key"])
        if len(keys) == 1:
            return JSONResponse({"exception_message": "Service Unavailable"}, 503)
        return JSONResponse({"id": "8", "created": now().isoformat()})

    with serve(app) as url:
        assert Runs(PrefectServer(url)).start("score", {}).id == "8"
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_policy_of_which_one_field_is_given_has_the_others_as_the_deployment_has_them() -> None:
    app, given = FastAPI(), list[object]()

    @app.get("/api/health")
    def health() -> bool:
        return True

    @app.get("/api/deployments/name/{flow}/{name}")
    def deployment() -> dict[str, object]:
        return {"id": "7", "parameters": {"policy": {"size": 20, "seed": 3}}}

    @app.post("/api/deployments/7/create_flow_run")
    def create(body: dict[str, object]) -> dict[str, str]:
        given.append(body["parameters"])
        return {"id": "8", "created": now().isoformat()}

    with serve(app) as url:
        Runs(PrefectServer(url)).start("select", {"policy": {"strategy": "badge", "seed": 4}})
    assert given == [{"policy": {"size": 20, "seed": 4, "strategy": "badge"}}]


def answering_after(delays: list[float]) -> FastAPI:
    """A Prefect server that keeps each answer back for the next of these seconds."""
    app = FastAPI()

    @app.get("/api/health")
    def health() -> bool:
        time.sleep(delays.pop(0))
        return True

    return app


def test_a_server_that_has_answered_is_given_time_when_it_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.prefect_api.connection.FIRST_SECONDS", 1.5)
    delays = [0.0, 3.0]
    with serve(answering_after(delays)) as url:
        runs = Runs(PrefectServer(url))
        runs.check()
        runs.check()
        delays.append(3.0)
        with pytest.raises(Unreachable):
            Runs(PrefectServer(url)).check()


def test_one_answer_that_a_living_server_keeps_back_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.prefect_api.connection.BUSY_SECONDS", 1.5)
    delays = [0.0, 4.0, 0.0, 4.0, 4.0]
    with serve(answering_after(delays)) as url:
        runs = Runs(PrefectServer(url))
        runs.check()
        runs.check()
        assert delays == [4.0, 4.0]
        with pytest.raises(Unreachable):
            runs.check()

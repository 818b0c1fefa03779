"""A Prefect server that is not there, or is none, is told within ten seconds; the rest is in test_orchestration."""

import time

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from deployments.runs import Runs
from storage.clock import now
from storage.errors import FinloopError, Unreachable
from tests.deployments.serving_models import free_port, serve


def test_where_nothing_answers_the_setting_the_address_and_the_cure_are_named() -> None:
    nowhere, began = f"http://127.0.0.1:{free_port()}", time.monotonic()
    for call in (lambda: Runs(nowhere).start("score", {}), lambda: Runs(nowhere).since("score", now())):
        with pytest.raises(Unreachable) as raised:
            call()
        assert all(part in str(raised.value) for part in (nowhere, "FINLOOP_PREFECT_URL", "finloop up"))
    assert time.monotonic() - began < 10


def test_a_server_that_is_no_prefect_is_told() -> None:
    with serve(FastAPI()) as url, pytest.raises(FinloopError, match=url):
        Runs(url).start("score", {})
    app = FastAPI()

    @app.get("/{path:path}")
    def page(path: str) -> str:
        return "hello"

    with serve(app) as url, pytest.raises(Unreachable, match="not Prefect"):
        Runs(url).start("score", {})


def test_a_server_whose_database_is_busy_is_asked_again_for_the_same_run() -> None:
    app, keys = FastAPI(), []

    @app.get("/api/deployments/name/score/score")
    def deployment() -> dict[str, str]:
        return {"id": "7"}

    @app.post("/api/deployments/7/create_flow_run")
    def create(body: dict[str, object]) -> JSONResponse:
        keys.append(body["idempotency_key"])
        if len(keys) == 1:
            return JSONResponse({"exception_message": "Service Unavailable"}, 503)
        return JSONResponse({"id": "8", "created": now().isoformat()})

    with serve(app) as url:
        assert Runs(url).start("score", {}).id == "8"
    assert len(keys) == 2
    assert len(set(keys)) == 1


def answering_after(delays: list[float]) -> FastAPI:
    """A Prefect server that keeps each answer back for the next of these seconds."""
    app = FastAPI()

    @app.get("/api/health")
    def health() -> bool:
        time.sleep(delays.pop(0))
        return True

    return app


def test_a_server_that_has_answered_is_given_time_when_it_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.runs.FIRST_ANSWER", 1.5)
    delays = [0.0, 3.0]
    with serve(answering_after(delays)) as url:
        runs = Runs(url)
        runs.check()
        runs.check()
        delays.append(3.0)
        with pytest.raises(Unreachable):
            Runs(url).check()


def test_one_answer_that_a_living_server_keeps_back_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.runs.BUSY_ANSWER", 1.5)
    delays = [0.0, 4.0, 0.0, 4.0, 4.0]
    with serve(answering_after(delays)) as url:
        runs = Runs(url)
        runs.check()
        runs.check()
        assert delays == [4.0, 4.0]
        with pytest.raises(Unreachable):
            runs.check()

"""Whether the server hears from a worker: only a server that says no is believed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Response

from flows.prefect_api.server import PrefectServer
from flows.prefect_api.workers import worker_is_heard
from tests.deployments.serving.models import free_port, serve


@contextmanager
def pool_server(workers: Any, status: int = 200, pool: str = "cpu") -> Iterator[str]:
    app = FastAPI()

    @app.post(f"/api/work_pools/{pool}/workers/filter")
    def filter_workers(response: Response) -> Any:
        response.status_code = status
        return workers

    with serve(app) as url:
        yield url


@pytest.mark.parametrize(
    ("workers", "status", "heard"),
    [
        ([{"name": "cpu", "status": "ONLINE"}, {"name": "other", "status": "OFFLINE"}], 200, True),
        ([{"name": "cpu", "status": "OFFLINE"}, {"name": "other", "status": "ONLINE"}], 200, False),
        ([], 200, True),
        ({"detail": "busy"}, 503, True),
        ({"detail": "no login"}, 401, True),
    ],
)
def test_a_worker_is_lost_only_where_the_server_calls_it_offline(workers: Any, status: int, heard: bool) -> None:
    with pool_server(workers, status) as url:
        assert worker_is_heard(PrefectServer(url), "cpu", "cpu") is heard


def test_on_a_shared_server_the_worker_of_our_own_pool_is_asked_for() -> None:
    with pool_server([{"name": "cpu", "status": "OFFLINE"}], pool="cpu-mine") as url:
        assert not worker_is_heard(PrefectServer(url, suffix="-mine"), "cpu", "cpu")


def test_where_no_server_responds_its_workers_are_left_alone() -> None:
    assert worker_is_heard(PrefectServer(f"http://127.0.0.1:{free_port()}"), "cpu", "cpu")

"""Whether the server hears from a worker: only a server that says no is believed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Response

from flows.prefect_api.workers import worker_is_heard
from tests.deployments.serving.models import free_port, serve


@contextmanager
def pool_server(workers: Any, status: int = 200) -> Iterator[str]:
    app = FastAPI()

    @app.post("/api/work_pools/cpu/workers/filter")
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
        assert worker_is_heard(url, None, "cpu", "cpu") is heard


def test_where_no_server_responds_its_workers_are_left_alone() -> None:
    assert worker_is_heard(f"http://127.0.0.1:{free_port()}", None, "cpu", "cpu")

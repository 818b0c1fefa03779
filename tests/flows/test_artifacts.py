"""What a run leaves for a person to look at."""

import time
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.artifacts import MOVE_AFTER, Progress
from flows.prefect_api.connection import login_header
from tests.fixtures_prefect import AUTH


def _bar(server: str) -> dict[str, Any]:
    body = {"artifacts": {"key": {"any_": ["bar"]}}}
    found = httpx.post(f"{server}/api/artifacts/filter", json=body, headers=login_header(AUTH))
    (bar,) = found.raise_for_status().json()
    return dict(bar)


@pytest.mark.filterwarnings("ignore:Artifact creation outside")  # by a test, which is no flow
def test_a_bar_moves_seldom_and_to_its_end_at_once(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    login = {PREFECT_API_AUTH_STRING: AUTH.get_secret_value()}
    with temporary_settings({PREFECT_API_URL: f"{prefect_server}/api", **login}):
        progress, made = Progress("bar", "made"), time.monotonic()
        while not (moved := _bar(prefect_server)["data"]):
            assert time.monotonic() - made < 10 * MOVE_AFTER, "the bar never moved"
            progress(0.25, "step 1 of 4")
        assert moved == 25
        assert time.monotonic() - made >= MOVE_AFTER
        monkeypatch.setattr("flows.artifacts.MOVE_AFTER", 3600.0)
        progress(0.5, "step 2 of 4")
        assert _bar(prefect_server)["data"] == 25
        progress(1.0, "step 4 of 4")
        assert (_bar(prefect_server)["data"], _bar(prefect_server)["description"]) == (100, "step 4 of 4")

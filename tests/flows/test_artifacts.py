"""What a run leaves for a person to look at."""

import html
import time
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows import artifacts, markup
from flows.artifacts import MOVE_AFTER, Progress
from flows.prefect_api.connection import login_header
from flows.steps.promote import Promotion
from flows.steps.score import Scored
from storage.records import LabelTask, Purpose, TaskState
from storage.texts.store import Counts
from tests.fixtures_prefect import AUTH

HOSTILE = "1. ![x](https://t.example/p) | <img src=x> `a` [y](javascript:alert(1))\n# www.b.example a@b.example &lt;"


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


def test_no_words_of_others_are_markup_in_an_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    for kind in ("table", "markdown"):
        monkeypatch.setattr(f"flows.artifacts.create_{kind}_artifact", lambda body, **_: shown.append(body))
    monkeypatch.setattr("flows.artifacts.create_link_artifact", lambda *_, **__: None)
    task = LabelTask("1", HOSTILE, HOSTILE, Purpose.AUDIT, TaskState.SENT, "b")
    artifacts.show_sent(Purpose.AUDIT, [task], "http://labels")
    artifacts.show_scores(Counts(1, 0, {HOSTILE: 1}), None, Scored(1, 0))
    artifacts.show_promotion(Promotion(HOSTILE, HOSTILE), "http://serving")
    assert len(shown) == 3
    for body in shown:
        assert not [mark for mark in ("![", "<", "](", "://", "www.", "b@", "a@", "javascript:") if mark in str(body)]
        assert len(str(body).splitlines()) < 9


def test_a_reader_sees_the_words_themselves() -> None:
    seen = html.unescape(markup.plain(HOSTILE)).replace("\u2060", "")
    assert seen == " ".join(HOSTILE.split())

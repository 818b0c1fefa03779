"""What a run leaves for a person to look at."""

import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows import artifacts, markup
from flows.artifacts import MOVE_AFTER, Progress
from flows.prefect_api.connection import login_header
from flows.steps.promote import Promotion
from flows.steps.score import Scored
from storage.clock import now
from storage.models.worth import CurvePoint, Evidence, LearningCurve, Worth
from storage.records import LabelTask, Prediction, Purpose, TaskState
from storage.texts.store import Counts
from tests.fixtures_prefect import AUTH
from tests.schemes import named

IN_TABLES = ("table", "thead", "tbody", "tr", "th", "td")


class Rendered(HTMLParser):
    """Markdown as a reader sees it: its text, and the tags that it made."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.text, self.tags = "", list[str]()
        self.feed(MarkdownIt("commonmark").enable("table").render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


SAID = Prediction("neutral", named(0.3, 0.4, 0.3), named(0.0, 0.1, 0.0), 0.4, 0.1, "1", now())
WHY = {"strategy": "badge", "kind": "strategy", "margin": 0.1, "rank": 3, "of": 50}
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
    for kind in ("link", "image"):
        monkeypatch.setattr(f"flows.artifacts.create_{kind}_artifact", lambda *_, **__: None)
    task = LabelTask("1", HOSTILE, HOSTILE, Purpose.AUDIT, TaskState.SENT, "b")
    artifacts.show_sent(Purpose.AUDIT, [task], "http://labels")
    asked = replace(task, purpose=Purpose.SELECT, prediction=SAID, worth=1, reason={**WHY, "strategy": HOSTILE})
    artifacts.show_sent(Purpose.SELECT, [asked], "http://labels", HOSTILE, {HOSTILE: 3})
    artifacts.show_scores(Counts(1, 0, {HOSTILE: 1}), None, Scored(1, 0))
    artifacts.show_promotion(Promotion(HOSTILE, HOSTILE), "http://serving")
    artifacts.show_worth(HOSTILE, Evidence(curve=a_curve(HOSTILE)))
    assert len(shown) == 6
    for body in shown:
        words = [body] if isinstance(body, str) else [cell for row in body for pair in row.items() for cell in pair]
        assert {tag for one in words for tag in Rendered(one).tags} <= {"p", "h1", "strong", "code", *IN_TABLES}
        # Some renderers make links of bare addresses.
        assert not [mark for mark in ("://", "www.", "b@", "a@") if mark in str(body)]


def test_a_select_shows_why_each_text_was_sent_in_the_order_of_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, Any] = {}
    table = lambda body, key, **_: shown.update({key: body})  # noqa: E731
    monkeypatch.setattr("flows.artifacts.create_table_artifact", table)
    monkeypatch.setattr("flows.artifacts.create_link_artifact", lambda *_, **__: None)
    tasks = [
        LabelTask(f"{worth}", f"Text {worth} " + "long " * 90, "feed", Purpose.SELECT, TaskState.SENT, "b", SAID,
                  reason=WHY, worth=worth)
        for worth in (2, 1)
    ]  # fmt: skip
    artifacts.show_sent(Purpose.SELECT, tasks, "http://labels", "badge", {"near a text": 1200})
    first, second = shown["select-tasks"]
    assert (first["worth"], second["worth"]) == ("1", "2")
    assert Rendered(first["why"]).text.strip() == "badge, rank 3 of 50; margin .10"
    assert len(Rendered(first["text"]).text) <= 200
    assert [Rendered(cell).text.strip() for cell in shown["select-left-out"][0].values()] == ["near a text", "1,200"]


def a_curve(version: str) -> LearningCurve:
    points = (
        CurvePoint(version=version, labels=0, macro_f1=0.7),
        CurvePoint(version=version, labels=300, macro_f1=0.73, gain=0.03, error=0.01),
    )
    return LearningCurve(audit_rows=200, points=points, worth=Worth(points=0.6, low=0.2, high=1.0))


def test_the_worth_of_labels_is_a_sentence_a_table_and_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, str] = {}
    for kind in ("markdown", "image"):
        monkeypatch.setattr(f"flows.artifacts.create_{kind}_artifact", lambda body, key, **_: shown.update({key: body}))
    artifacts.show_worth("2", Evidence())
    assert shown == {}
    artifacts.show_worth("2", Evidence(curve=a_curve("2")))
    reader = Rendered(shown["worth"])
    assert a_curve("2").sentence in reader.text
    assert "table" in reader.tags
    assert "finloop retrain --yardstick" in reader.text
    assert shown["learning-curve"].startswith("data:image/png;base64,")


@given(st.text(st.sampled_from('ab1 .*_`<>[]()!|&#-+~:/\\"\n;=@$^{}') | st.characters(codec="utf-8")))
def test_a_reader_sees_the_words_themselves(words: str) -> None:
    rendered = Rendered(markup.plain(words))
    assert set(rendered.tags) <= {"p"}
    assert rendered.text.replace("\u2060", "").split() == words.replace("\u2060", "").replace("\0", "\ufffd").split()


def test_a_text_that_no_model_has_scored_is_shown_with_why_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, Any] = {}
    table = lambda body, key, **_: shown.update({key: body})  # noqa: E731
    monkeypatch.setattr("flows.artifacts.create_table_artifact", table)
    monkeypatch.setattr("flows.artifacts.create_link_artifact", lambda *_, **__: None)
    why = {"strategy": "typical", "kind": "strategy", "rank": 1, "of": 9}
    task = LabelTask("1", "A plant opens", "feed", Purpose.SELECT, TaskState.SENT, "b", reason=why, worth=1)
    artifacts.show_sent(Purpose.SELECT, [task], "http://labels", "typical")
    (line,) = shown["select-tasks"]
    assert [Rendered(line[name]).text.strip() for name in ("why", "prediction")] == ["typical, rank 1 of 9", "none"]

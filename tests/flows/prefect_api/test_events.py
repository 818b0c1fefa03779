"""An intent becomes an event whose id says which intent it was; one that cannot be sent is kept."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Response
from pydantic import SecretStr

from flows.intents import Deploy, Promote, Retrain
from flows.prefect_api.events import NAMESPACE, deliver, event_id
from flows.prefect_api.server import PrefectServer
from flows.wiring.parts import Parts
from storage.errors import Part, Refused, Unreachable
from tests.deployments.serving.models import free_port, serve
from tests.fixtures_prefect import AUTH


@contextmanager
def event_server(status: int = 204) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The part of a Prefect server that takes events, and what it was sent."""
    app, got, lock = FastAPI(), [], threading.Lock()

    @app.post("/api/events")
    def events(sent: list[dict[str, Any]]) -> Response:
        with lock:
            got.extend(sent)
        return Response(status_code=status)

    with serve(app) as url:
        yield url, got


def test_an_event_is_named_by_its_intents_key(parts: Parts) -> None:
    parts.outbox.intend(Retrain(17, labels=30))
    with event_server() as (url, got):
        assert deliver(parts.outbox, PrefectServer(url)) == 1
    (event,) = got
    assert event["id"] == str(uuid.uuid5(NAMESPACE, "retrain:17")) == str(event_id("retrain:17"))
    assert event["event"] == "finloop.labels.enough"
    assert event["resource"] == {"prefect.resource.id": "finloop.label-store"}
    assert event["payload"] == {"watermark": 17, "labels": 30, "event_id": event["id"]}


def test_an_event_on_a_shared_server_is_its_homes_own(parts: Parts) -> None:
    """The server ignores a second event of one id, and intents of two homes may have the same key."""
    parts.outbox.intend(Retrain(17, labels=30))
    with event_server() as (url, got):
        deliver(parts.outbox, PrefectServer(url, suffix="-mine"))
    (event,) = got
    assert event["id"] == str(event_id("retrain:17-mine")) != str(event_id("retrain:17"))
    assert event["resource"] == {"prefect.resource.id": "finloop.label-store-mine"}


def test_a_delivered_intent_is_closed_and_not_sent_again(parts: Parts) -> None:
    parts.outbox.intend(Deploy("2", attempt=1))
    with event_server() as (url, got):
        deliver(parts.outbox, PrefectServer(url))
        assert deliver(parts.outbox, PrefectServer(url)) == 0
    assert len(got) == 1
    assert parts.outbox.open() == []


def test_an_event_that_prefect_refuses_holds_up_no_other(parts: Parts) -> None:
    parts.outbox.intend(Deploy("2", attempt=1))
    parts.outbox.intend(Deploy("3", attempt=1))
    with event_server(422) as (url, got):
        assert deliver(parts.outbox, PrefectServer(url)) == 0
    assert len(got) == 2
    assert [(one.attempts, one.last_error) for one in parts.outbox.open()] == [
        (1, "Prefect refuses the event with 422")
    ] * 2


def test_an_event_has_the_login_and_without_it_stays_intended_and_says_so(parts: Parts, prefect_server: str) -> None:
    parts.outbox.intend(Deploy("2", attempt=1))
    for auth in (None, SecretStr("finloop:wrong")):
        with pytest.raises(Refused, match="does not let us in") as refused:
            deliver(parts.outbox, PrefectServer(prefect_server, auth))
        assert refused.value.part is Part.PREFECT
    assert [intent.key for intent in parts.outbox.open()] == ["deploy:2:1"]
    assert deliver(parts.outbox, PrefectServer(prefect_server, AUTH)) == 1


def test_an_event_that_prefect_cannot_take_now_stays_intended_with_the_reason(parts: Parts) -> None:
    parts.outbox.intend(Deploy("2", attempt=1))
    with event_server(503) as (url, _), pytest.raises(Unreachable):
        deliver(parts.outbox, PrefectServer(url))
    (kept,) = parts.outbox.open()
    assert kept.attempts == 1
    assert "503" in (kept.last_error or "")


def test_without_a_prefect_server_the_event_is_kept_and_the_setting_named(parts: Parts) -> None:
    parts.outbox.intend(Deploy("2", attempt=1))
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable) as raised:
        deliver(parts.outbox, PrefectServer(nowhere))
    assert nowhere in str(raised.value) and raised.value.part is Part.PREFECT
    assert [intent.key for intent in parts.outbox.open()] == ["deploy:2:1"]
    with event_server() as (url, got):
        assert deliver(parts.outbox, PrefectServer(url)) == 1
    assert len(got) == 1


def test_an_event_whose_answer_was_lost_is_sent_again_under_the_same_id(parts: Parts) -> None:
    parts.outbox.intend(Retrain(3, labels=30))
    with event_server(500) as (url, first), pytest.raises(Unreachable):
        deliver(parts.outbox, PrefectServer(url))
    with event_server() as (url, second):
        deliver(parts.outbox, PrefectServer(url))
    assert [one["id"] for one in first] == [one["id"] for one in second]


def test_intents_that_are_no_events_are_left_to_others(parts: Parts) -> None:
    parts.outbox.intend(Promote("2"))
    with event_server() as (url, got):
        assert deliver(parts.outbox, PrefectServer(url)) == 0
    assert got == []
    assert [intent.key for intent in parts.outbox.open()] == ["promote:2"]

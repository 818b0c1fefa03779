"""The demo's client must see what a person would complain of: it is tried on a real small server that misbehaves."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from deployments.demo.client import Client, Reply, Traffic, mixed
from storage.errors import UnknownVersion
from tests.deployments.serving.models import free_port, serve, wait_until
from tests.schemes import named

TRUE = {"1": named(0.7, 0.2, 0.1), "2": named(0.1, 0.2, 0.7)}


def said(version: str, scores: Mapping[str, float]) -> dict[str, Any]:
    return {"scores": scores, "model_version": version}


def offline(version: str, texts: Sequence[str]) -> list[dict[str, float]]:
    if version not in TRUE:
        raise UnknownVersion(version)
    return [TRUE[version] for _ in texts]


@contextmanager
def traffic(replies: Sequence[Callable[[], Response]]) -> Iterator[Traffic]:
    """What a client sees of a server that gives these replies in turn, the last one for ever."""
    app, turn = FastAPI(), itertools.chain(replies, itertools.repeat(replies[-1]))

    @app.post("/predict")
    def predict() -> Response:
        return next(turn)()

    with serve(app) as url:
        client = Client(url, ["one text", "another"])
        with client:
            wait_until(lambda: client.traffic.sent >= len(replies), "requests")
        yield client.traffic


def test_every_request_is_an_answer_or_a_failure() -> None:
    replies = [
        lambda: JSONResponse(said("1", TRUE["1"])),
        lambda: JSONResponse({"detail": "no model"}, 503),
        lambda: Response("not json", media_type="text/plain"),
        lambda: JSONResponse({"label": "positive"}),
        lambda: JSONResponse(["a list"]),
        lambda: JSONResponse({"scores": None, "model_version": "1"}),
        lambda: JSONResponse(said("2", TRUE["2"])),
    ]
    with traffic(replies) as seen:
        assert len(seen.failures) == 5
        assert seen.sent == len(seen.replies) + len(seen.failures)
        assert "503" in seen.failures[0]
        assert seen.versions() == ["1", "2"]
        assert mixed(seen, offline) == 0


def test_an_answer_whose_scores_are_another_versions_is_mixed() -> None:
    replies = [
        lambda: JSONResponse(said("1", TRUE["1"])),
        lambda: JSONResponse(said("2", TRUE["1"])),
        lambda: JSONResponse(said("1", named(0.7, 0.2, 0.1002))),
        lambda: JSONResponse(said("1", named(0.70001, 0.2, 0.1))),
        lambda: JSONResponse(said("2", TRUE["2"])),
    ]
    with traffic(replies) as seen:
        assert seen.failures == []
        assert mixed(seen, offline) == 2


def test_scores_that_are_no_number_are_mixed() -> None:
    seen = Traffic(1, [], [Reply(0.0, "text", "1", named(float("nan"), 0.2, 0.1))])
    assert mixed(seen, offline) == 1


def test_answers_of_a_version_that_there_is_not_are_mixed() -> None:
    seen = Traffic(2, [], [Reply(0.0, "text", "9", TRUE["1"]), Reply(0.0, "text", "1", TRUE["1"])])
    assert mixed(seen, offline) == 1


def test_without_a_server_every_request_failed() -> None:
    client = Client(f"http://127.0.0.1:{free_port()}", ["text"])
    with client:
        wait_until(lambda: client.traffic.sent >= 3, "requests")
    assert len(client.traffic.failures) == client.traffic.sent
    assert client.traffic.replies == []


def test_a_slow_answer_delays_no_other_request() -> None:
    def slowly() -> Response:
        time.sleep(1.5)
        return JSONResponse(said("1", TRUE["1"]))

    with traffic([slowly, *[lambda: JSONResponse(said("2", TRUE["2"]))] * 5]) as seen:
        assert seen.versions() == ["2", "1"]
        assert seen.failures == []
        first = seen.first_reply_of("1")
        assert first is not None and first == max(reply.moment for reply in seen.replies if reply.version == "1")
    assert seen.first_reply_of("3") is None


@pytest.mark.parametrize("seconds", [1.2])
def test_five_requests_a_second_are_sent(seconds: float) -> None:
    app = FastAPI()

    @app.post("/predict")
    def predict() -> dict[str, Any]:
        return said("1", TRUE["1"])

    with serve(app) as url, Client(url, ["text"]) as client:
        time.sleep(seconds)
        assert 5 <= client.traffic.sent <= 8

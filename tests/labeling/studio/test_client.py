"""The connection to Label Studio: a real server where it answers, sockets of the test's own where it does not."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from labeling.studio.tokens import Personal
from storage.errors import Part, Refused, Unreachable
from tests.fixtures_label_studio import LabelStudioServer

Reply = Callable[[BaseHTTPRequestHandler, int], None]


@contextmanager
def answering(reply: Reply, port: int = 0) -> Iterator[tuple[str, list[str]]]:
    """A server that answers request number n by `reply`; yields its address and the requests it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply(self, len(seen))

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class TestRealServer:
    def test_a_legacy_token_opens_it(self, label_studio: LabelStudioServer) -> None:
        assert Studio(label_studio.url + "/", label_studio.token).check() == "1.23.2"

    def test_a_personal_token_opens_it_and_access_that_was_withdrawn_is_bought_again(
        self, label_studio: LabelStudioServer, studio: Studio
    ) -> None:
        made = studio.connection.post("/api/token/", json={}).json()
        personal = Studio(label_studio.url, made["token"])
        assert personal.check() == "1.23.2"
        assert personal.api.projects.list(page_size=1).response.count is not None
        assert isinstance(personal.connection.auth, Personal)
        personal.connection.auth._access = "withdrawn"
        assert personal.check() == "1.23.2"

    def test_a_wrong_token_is_refused_as_a_token(self, label_studio: LabelStudioServer) -> None:
        for token in ("b" * 40, label_studio.token[:-1]):
            with pytest.raises(Refused, match="token"):
                Studio(label_studio.url, token).check()

    def test_what_is_not_there_is_told_from_a_refusal(self, studio: Studio) -> None:
        with pytest.raises(NotThere):
            studio.get("/api/projects/999999/")
        with pytest.raises(NotThere):
            studio.api.projects.get(999999)
        with pytest.raises(NotThere):
            list(studio.tasks(999999, "id"))
        with pytest.raises(Refused, match="at least 3 characters"):
            studio.api.projects.create(title="x")


@pytest.mark.parametrize("token", ["", "two words", "tökén"])
def test_what_cannot_be_a_token_is_refused_before_anything_is_sent(token: str) -> None:
    with pytest.raises(Refused, match="token"):
        Studio("http://127.0.0.1:9", token)


def a_jwt(**claims: object) -> str:
    """A token by its looks; nobody has signed it."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.e30"


def a_refresh_token() -> str:
    """A personal token."""
    return a_jwt(token_type="refresh")


class TestAbsentServer:
    deadline: ClassVar[float] = 10.0

    def fails(self, url: str, token: str = "a" * 40) -> str:
        began = time.monotonic()
        with pytest.raises(Unreachable) as raised:
            Studio(url, token).check()
        assert time.monotonic() - began < self.deadline
        assert url in str(raised.value)
        assert raised.value.part is Part.LABEL_STUDIO
        return str(raised.value)

    def test_a_closed_port_is_named_within_10_s(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        assert "refused" in self.fails(f"http://127.0.0.1:{port}")

    @pytest.mark.parametrize("kind", ["legacy", "personal"])
    def test_a_silent_server_is_named_within_10_s(self, kind: str) -> None:
        token = "a" * 40 if kind == "legacy" else a_refresh_token()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.fails(f"http://127.0.0.1:{silent.getsockname()[1]}", token)

    def test_something_else_at_the_address_is_named(self) -> None:
        with answering(lambda handler, _: say(handler, 200, b"<html>hello</html>")) as (url, _):
            assert "not Label Studio" in self.fails(url)


def test_a_busy_server_is_asked_again() -> None:
    with answering(lambda handler, n: say(handler, 503 if n < 3 else 200, b'{"release": "1"}')) as (url, seen):
        assert Studio(url, "a" * 40).get("/api/version") == {"release": "1"}
        assert len(seen) == 3


def test_a_busy_server_is_asked_again_by_the_sdk_too() -> None:
    with answering(lambda handler, n: say(handler, 503 if n < 3 else 200, b'{"id": 7}')) as (url, seen):
        assert Studio(url, "a" * 40).api.projects.get(7).id == 7
        assert len(seen) == 3


def test_an_import_whose_answer_was_lost_is_not_sent_again() -> None:
    def hang_up(handler: BaseHTTPRequestHandler, _number: int) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)

    with answering(hang_up) as (url, seen):
        with pytest.raises(Unreachable):
            Studio(url, "a" * 40).import_tasks(1, [])
        assert seen == ["POST /api/projects/1/import?return_task_ids=true"]


def test_an_import_on_an_ailing_server_is_not_sent_again() -> None:
    with answering(lambda handler, _: say(handler, 500, b'{"detail": "out of order"}')) as (url, seen):
        with pytest.raises(Refused, match="out of order"):
            Studio(url, "a" * 40).import_tasks(1, [])
        assert len(seen) == 1

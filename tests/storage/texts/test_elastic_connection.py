"""An address where no fit Elasticsearch answers is named, with its setting and the cure, within ten seconds."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from storage.errors import BadInput, FinloopError, Part, Refused, Unreachable
from storage.texts.elastic_connection import ElasticConnection

ELASTIC = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
Foreign = Callable[[int, Mapping[str, str], str], AbstractContextManager[str]]


@pytest.fixture
def foreign() -> Foreign:
    """A server on loopback that gives one and the same answer to everything: what else may stand at an address."""

    @contextmanager
    def serve(status: int, headers: Mapping[str, str], body: str) -> Iterator[str]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Keep the test output quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()
        thread.join()

    return serve


def refusal(url: str, kind: type[FinloopError]) -> str:
    began = time.monotonic()
    with pytest.raises(kind) as error:
        ElasticConnection(url)
    assert time.monotonic() - began < 10
    assert error.value.part is Part.ELASTICSEARCH
    return str(error.value)


def info(version: str) -> str:
    return json.dumps({"name": "n", "version": {"number": version}, "tagline": "You Know, for Search"})


def test_nobody_at_the_address_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        message = refusal(address, Unreachable)
    assert message.startswith(f"no Elasticsearch answers at {address}: ")
    assert "connection refused" in message


def test_somebody_who_never_answers_is_given_up_within_ten_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert address in refusal(address, Unreachable)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [(200, {"Content-Type": "text/html"}, "<h1>hello</h1>"), (200, {"Content-Type": "application/json"}, "{}")],
)
def test_another_service_is_not_taken_for_elasticsearch(
    foreign: Foreign, status: int, headers: Mapping[str, str], body: str
) -> None:
    with foreign(status, headers, body) as url:
        message = refusal(url, BadInput)
    assert f"{url} is not Elasticsearch" in message


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_error_status_is_told(foreign: Foreign, status: int) -> None:
    with foreign(status, {"Content-Type": "text/plain"}, "no") as url:
        message = refusal(url, Unreachable)
    assert url in message
    assert str(status) in message


def test_an_older_elasticsearch_is_refused(foreign: Foreign) -> None:
    with foreign(200, ELASTIC, info("8.18.4")) as url:
        message = refusal(url, BadInput)
    assert f"Elasticsearch 8.18.4 answers at {url}, older than 8.19" in message


@pytest.mark.parametrize("version", ["8.19.0", "8.20.1", "9.0.0", "9.1.0-SNAPSHOT", "10.2.3"])
def test_newer_versions_are_taken(foreign: Foreign, version: str) -> None:
    with foreign(200, ELASTIC, info(version)) as url:
        connection = ElasticConnection(url)
        assert connection.version == version
        connection.close()


def test_wrong_credentials_are_told_without_the_password(foreign: Foreign) -> None:
    with foreign(401, ELASTIC, "{}") as url:
        message = refusal(url.replace("http://", "http://finloop:secret@"), Refused)
    assert url in message
    assert "secret" not in message


@pytest.mark.parametrize("url", ["localhost:9200", "nonsense", "", "http://[::1"])
def test_what_is_no_address_is_told(url: str) -> None:
    assert "address" in refusal(url, BadInput)

"""An app behind `guard` and `options` stays up under clients that are large, slow, idle, gone or wrong."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

import httpx
import psutil
import pytest
from fastapi import BackgroundTasks, FastAPI, Request, Response

from deployments.web.bodies import Limit, Patience
from deployments.web.protocol import Bounds
from deployments.web.server import KEEP_ALIVE, guard, options
from tests.deployments.serving.models import serve, wait_until
from tests.deployments.web.clients import Raw

LARGE = 1_000_000
MUCH = 20_000_000
BOUNDS = Bounds(connections=6, head=1.0, reading=1.0, goodbye=5.0)
PATIENCE = Patience(pause=0.7, start=1.5, rate=LARGE)


@dataclass
class Seen:
    """What the app noticed."""

    begun: int = 0
    cancelled: int = 0
    ended: int = 0
    release: threading.Event = field(default_factory=threading.Event)


def app_of(seen: Seen) -> FastAPI:
    app = FastAPI()
    guard(app, {"/large": Limit(LARGE, "a million letters"), "/echo": Limit(LARGE)}, PATIENCE)

    @app.get("/thing")
    def thing() -> dict[str, str]:
        return {"thing": "here"}

    @app.get("/much")
    def much() -> dict[str, str]:
        return {"much": "x" * MUCH}

    @app.get("/broken")
    def broken() -> None:
        raise OSError("/secret/path")

    @app.post("/small")
    @app.post("/large")
    async def size(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body())

    @app.post("/afterwards")
    async def afterwards(more: BackgroundTasks) -> None:
        more.add_task(held)

    @app.post("/held")
    async def held() -> dict[str, bool]:
        seen.begun += 1
        try:
            while not seen.release.is_set():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            seen.cancelled += 1
            raise
        seen.ended += 1
        return {"held": True}

    return app


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server for the tests that leave it as they found it."""
    with serve(app_of(Seen()), BOUNDS) as at:
        yield at


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def holding(seen: Seen) -> Iterator[str]:
    """A server whose work at /held lasts until the test releases it."""
    with serve(app_of(seen), BOUNDS) as at:
        yield at


def alive(address: str) -> bool:
    return httpx.get(f"{address}/thing").status_code == 200


@pytest.mark.parametrize(("path", "limit"), [("/large", LARGE), ("/small", 64 * 1024), ("/thing", 64 * 1024)])
@pytest.mark.parametrize("way", ["announced", "chunked"])
def test_a_body_beyond_its_routes_limit_is_refused_with_the_limit(
    address: str, path: str, limit: int, way: str
) -> None:
    client = Raw(address)
    if way == "announced":
        client.head(f"POST {path}", f"Content-Length: {limit + 1}")  # no byte of it is sent
    else:
        client.head(f"POST {path}", "Transfer-Encoding: chunked")
        client.send(b"%x\r\n" % (limit + 1) + b"x" * (limit + 1) + b"\r\n")
    status, headers, said = client.read()
    assert status == 413 and f"{limit:,} bytes" in said["detail"] and headers["connection"] == "close"
    assert ("a million letters" in said["detail"]) == (path == "/large")
    client.close()


def test_a_body_of_the_limit_is_taken_and_the_refused_client_can_send_to_the_end(address: str) -> None:
    assert httpx.post(f"{address}/large", content=b"x" * LARGE).json() == {"size": LARGE}
    client = Raw(address)
    client.head("POST /large", f"Content-Length: {40 * LARGE}")
    client.send(b"x" * 40 * LARGE)  # many libraries read no response before all is sent
    assert client.read()[0] == 413


def test_a_body_in_many_parts_arrives_whole_and_in_order(address: str) -> None:
    sizes = [1, 7, 70_000, 1, 1, 200_000, 3]
    content = bytes(range(251)) * 1110
    starts = [sum(sizes[:index]) for index in range(len(sizes) + 1)]
    parts = [content[start:end] for start, end in pairwise(starts)]
    assert httpx.post(f"{address}/echo", content=iter(parts)).content == content[: starts[-1]]


def test_a_body_that_stops_or_crawls_is_given_up(address: str) -> None:
    stopped, crawling = Raw(address), Raw(address)
    stopped.head("POST /large", "Content-Length: 10")
    crawling.head("POST /large", "Content-Length: 1000")
    crawl = threading.Event()

    def one_by_one() -> None:
        with suppress(OSError):  # until the server has closed the connection
            while not crawl.wait(0.05):
                crawling.send(b"x")

    sending = threading.Thread(target=one_by_one)
    sending.start()
    assert stopped.read()[0] == crawling.read()[0] == 408
    crawl.set()
    sending.join()
    assert stopped.ended() and crawling.ended() and alive(address)


def test_all_bodies_together_have_a_bound() -> None:
    app = app_of(Seen())
    app.user_middleware[-1].kwargs["room"] = LARGE
    with serve(app, BOUNDS) as address:
        first = Raw(address)
        first.head("POST /large", f"Content-Length: {LARGE}")
        first.send(b"x" * (LARGE - 1))
        wait_until(lambda: httpx.post(f"{address}/large", content=b"x" * 5000).status_code == 503, "full room", 5)
        first.send(b"x")
        assert first.read()[2] == {"size": LARGE}
        assert httpx.post(f"{address}/large", content=b"x" * 5000).json() == {"size": 5000}


def test_a_head_that_does_not_come_is_given_up(address: str) -> None:
    silent, slow, second = Raw(address), Raw(address), Raw(address)
    slow.send(b"GET /thing HTTP/1.1\r\nHost: x\r\nX-Slow:")
    second.head("GET /thing")
    assert second.read()[0] == 200
    second.send(b"GET /th")
    assert slow.read()[0] == second.read()[0] == 408
    assert silent.ended() and slow.ended() and second.ended() and alive(address)


def test_a_client_that_reads_nothing_is_given_up() -> None:
    with serve(app_of(Seen()), BOUNDS) as address:
        client = Raw(address)
        client.head("GET /much")
        wait_until(lambda: connections(address) == 1, "connection")
        wait_until(lambda: connections(address) == 0, "end of the connection", 20)
        assert 0 < client.rest() < MUCH


def connections(address: str) -> int:
    """The established connections that the server of `address`, a thread of ours, holds."""
    port = int(address.rpartition(":")[2])
    held = psutil.Process().net_connections("tcp")
    return sum(one.status == "ESTABLISHED" and one.laddr[1] == port for one in held)


def test_idle_connections_make_room_and_working_ones_do_not(holding: str, seen: Seen) -> None:
    idle = [Raw(holding) for _ in range(BOUNDS.connections)]
    assert alive(holding) and idle[0].ended()
    working = [Raw(holding) for _ in range(BOUNDS.connections)]
    for client in working:
        client.post("/held", {})
    wait_until(lambda: seen.begun == BOUNDS.connections, "work on all connections")
    full = httpx.get(f"{holding}/thing")
    assert full.status_code == 503 and full.headers["retry-after"] and "connections" in full.json()["detail"]
    seen.release.set()
    assert [client.read()[0] for client in working] == [200] * BOUNDS.connections
    assert alive(holding)


def test_work_for_a_client_that_left_is_cancelled_and_other_work_is_not(holding: str, seen: Seen) -> None:
    left, halfway, stays = Raw(holding), Raw(holding), Raw(holding)
    left.post("/held", {})
    stays.post("/held", {})
    halfway.head("POST /held", "Content-Length: 100")
    halfway.send(b"x")
    wait_until(lambda: seen.begun == 2, "work")
    left.close()
    halfway.close()
    wait_until(lambda: seen.cancelled == 1, "cancelled work")
    seen.release.set()
    assert stays.read()[2] == {"held": True}
    stays.post("/held", {})
    assert stays.read()[2] == {"held": True}, "the connection must go on after its response"
    assert (seen.begun, seen.cancelled) == (3, 1)


def test_work_that_lasts_longer_than_a_head_may_take_and_work_after_the_response_go_on(
    holding: str, seen: Seen
) -> None:
    works, late, asked = Raw(holding), Raw(holding), Raw(holding)
    works.post("/held", {})
    asked.post("/afterwards", {})
    assert asked.read()[0] == 200
    late.send(b"GET")
    assert late.read()[0] == 408
    assert seen.begun == 2
    seen.release.set()
    assert works.read()[2] == {"held": True}
    wait_until(lambda: seen.ended == 2, "end of the work")
    assert seen.cancelled == 0


def test_pipelined_requests_are_answered_in_turn(holding: str, seen: Seen) -> None:
    seen.release.set()
    client = Raw(holding)
    for _ in range(3):
        client.post("/held", {})
        client.head("GET /thing")
    assert [client.read()[2] for _ in range(6)] == [{"held": True}, {"thing": "here"}] * 3


def test_every_answer_is_json_also_where_no_route_answers(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with httpx.Client(base_url=address) as client, caplog.at_level(logging.ERROR):
        answers = [client.get("/nowhere"), client.put("/thing"), client.options("/thing"), client.get("/broken")]
        assert [answer.status_code for answer in answers] == [404, 405, 405, 500]
        assert all(isinstance(answer.json()["detail"], str) for answer in answers)
        assert "secret" not in answers[-1].text
    failures = [record for record in caplog.records if record.exc_info]
    assert len(failures) == 1 and "GET /broken" in failures[0].getMessage()


def test_an_unexpected_error_keeps_the_connection(address: str) -> None:
    client = Raw(address)
    for _ in range(2):
        client.head("GET /broken")
        assert client.read()[0] == 500


@pytest.mark.parametrize("head", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"])
def test_what_is_no_http_gets_an_answer_in_json(address: str, head: bytes) -> None:
    client = Raw(address)
    client.send(head)
    status, _, said = client.read()
    assert status == 400 and isinstance(said["detail"], str)
    assert alive(address)


def test_head_is_answered_like_get_without_a_body(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        for path, status in (("/thing", 200), ("/nowhere", 404), ("/large", 405)):
            head, got = client.head(path), client.get(path)
            assert head.status_code == got.status_code == status and head.content == b""
            assert head.headers["content-length"] == got.headers["content-length"]


def test_idle_connections_outlive_those_of_a_proxy() -> None:
    assert options()["timeout_keep_alive"] == KEEP_ALIVE > 75

"""JSON is read as JSON is defined, and no body keeps the event loop."""

import json
import threading

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from deployments.web.json_route import LARGE, OUTSIDE, JsonRoute, outside_of_strings, parse


class Named(BaseModel):
    name: str


@pytest.fixture(scope="module")
def client() -> TestClient:
    router, app = APIRouter(route_class=JsonRoute), FastAPI()

    @router.post("/")
    async def name(named: Named) -> dict[str, str]:
        return {"name": named.name, "thread": threading.current_thread().name}

    app.include_router(router)
    return TestClient(app)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1000,
        b'{"a":' * 100_000,
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xff"}',
        b'{"name": "a"} {}',
        b"{'name': 'a'}",
        '{"name": "a"}'.encode("utf-16"),
        b"[" + b"1," * LARGE + b"1]",
        b'{"name": "' + b"a" * LARGE + b'"' + b" " * (OUTSIDE + 1) + b"}",
    ],
)
def test_what_is_no_json_or_too_deep_or_no_text_is_refused_as_such(client: TestClient, body: bytes) -> None:
    answer = client.post("/", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "not JSON" in answer.json()["detail"] and len(answer.content) < 300


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json"]
)
@pytest.mark.parametrize("name", ["a", "ü" * LARGE, '\\"' * LARGE, "[1,2]{" * LARGE])
def test_json_of_any_size_is_read(client: TestClient, kind: str, name: str) -> None:
    for ascii_only in (True, False):
        body = json.dumps({"other": 1, "name": name}, ensure_ascii=ascii_only).encode()
        assert client.post("/", content=body, headers={"Content-Type": kind}).json()["name"] == name
    marked = b'\xef\xbb\xbf{"name": "a", "name": "the last counts"}'
    assert client.post("/", content=marked, headers={"Content-Type": kind}).json()["name"] == "the last counts"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""])
def test_another_content_type_is_refused_with_the_right_one(client: TestClient, kind: str) -> None:
    answer = client.post("/", content=b'{"name": "a"}', headers={"Content-Type": kind})
    assert answer.status_code == 415 and "Content-Type: application/json" in answer.json()["detail"]


def test_a_compressed_body_is_refused_as_such(client: TestClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = client.post("/", content=b"\x1f\x8b", headers=headers)
    assert answer.status_code == 415 and "gzip" in answer.json()["detail"]


def strings(one: object) -> list[str]:
    if isinstance(one, list):
        return [text for each in one for text in strings(each)]
    return [one] if isinstance(one, str) else []


@given(st.recursive(st.text() | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=20))
def test_the_bytes_outside_of_strings_are_those_of_the_json_without_its_strings(value: object) -> None:
    body = json.dumps(value).encode()

    inside = sum(len(json.dumps(text)) for text in strings(value))
    assert outside_of_strings(body) == len(body) - inside
    assert parse(body) == value

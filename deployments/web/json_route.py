"""Reads JSON without stopping the event loop: whatever a body holds, the loop answers other requests meanwhile.

A JSON parser in C keeps Python's lock while it works. 60 MB of texts take 0.1 s; 60 MB of numbers or brackets take
seconds and gigabytes. So a large body is looked over first, piece by piece on a thread: what stands outside of strings
must be short.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Coroutine
from email.message import Message
from functools import cache
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

LARGE = 64 * 1024
"""Bytes of a body that is read on a thread; a smaller one takes a millisecond, whatever it holds."""
OUTSIDE = 64 * 1024
"""Bytes that a body may have outside of strings: brackets, commas, numbers and white space."""
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
_RUN = 4096
_TOKEN = re.compile(rb'"|(?:[^"\\]{1,%d}+|\\.){1,%d}+' % (_RUN, _RUN), re.DOTALL)


@cache
def _one_thread() -> CapacityLimiter:
    return CapacityLimiter(1)  # with many threads in Python code the event loop would wait for each of them in turn


async def aside(work: Callable[[_Given], _Made], given: _Given, size: int) -> _Made:
    """`work(given)`, on a thread where `size` (bytes or characters) is large; one such work at a time."""
    if size <= LARGE:
        return work(given)
    return await to_thread.run_sync(work, given, limiter=_one_thread())


class JsonRoute(APIRoute):
    """A route whose body is JSON. 415: another content type, or a compressed body; 422: no JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI on a request that reads JSON by our rules."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return handle


class _JsonRequest(Request):
    async def body(self) -> bytes:
        body = await super().body()
        if body:
            _check_headers(self)
        return body

    async def json(self) -> Any:
        body = await self.body()
        try:
            return await aside(parse, body, len(body))
        except ValueError as error:
            raise HTTPException(422, f"the body is not JSON: {error}") from error


def parse(body: bytes) -> Any:
    """The value of a JSON text. Raises ValueError: no JSON, NaN, deep nesting, or more than texts in a large body."""
    if len(body) > LARGE and (outside := outside_of_strings(body)) > OUTSIDE:
        raise ValueError(f"it has more than {min(outside, OUTSIDE):,} bytes outside of strings")
    return from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False)


def outside_of_strings(body: bytes) -> int:
    """How many bytes of a JSON text are outside of strings; the count may stop beyond OUTSIDE."""
    inside, outside = False, 0
    for token in _TOKEN.finditer(body):
        if token[0] == b'"':
            inside = not inside
        elif not inside:
            outside += token.end() - token.start()
            if outside > OUTSIDE:
                break
    return outside


def _check_headers(request: Request) -> None:
    if encoding := request.headers.get("content-encoding"):
        raise HTTPException(415, f"the body is encoded ({encoding[:40]}); send it without Content-Encoding")
    given = Message()
    given["content-type"] = request.headers.get("content-type", "")
    kind = given.get_content_type() if given["content-type"] else ""
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise HTTPException(415, f"the body must be JSON with the header Content-Type: application/json, not {kind!r}")

"""Reads the body of a request within bounds of size, time and memory, before the app sees the request.

A client that sends more than a route takes, or that sends too slowly, gets its answer without the app's help. So no
route can forget a bound, and a slow body occupies nothing but its connection.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.web.departures import run_while_there

KIB = 1024
CHUNK = 64 * KIB
LINGER = 10.0
"""Seconds for which the rest of a refused body is read and dropped: a client that is still sending does not see an
answer on a connection that is closed at once."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most bytes of a body, and what that is in words for the client, e.g. "256 texts"."""

    size: int = 64 * KIB
    words: str = ""

    def __str__(self) -> str:
        return f"{self.size:,} bytes" + (f" ({self.words})" if self.words else "")


@dataclass(frozen=True, slots=True)
class Patience:
    """How slowly a body may come: seconds without a byte, seconds for the first bytes, then bytes a second."""

    pause: float = 20.0
    start: float = 20.0
    rate: int = 64 * KIB


@dataclass(slots=True)
class _Reading:
    """What has come of a body. The app takes the chunks away; the size counts until the end of the request."""

    chunks: deque[bytearray] = field(default_factory=deque)
    size: int = 0

    def add(self, part: bytes) -> None:
        """Keep a part. Small ones are put together: an object for each byte would need forty times the memory."""
        if self.chunks and len(self.chunks[-1]) < CHUNK:
            self.chunks[-1] += part
        else:
            self.chunks.append(bytearray(part))
        self.size += len(part)


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class _Gone(Exception):
    pass


class BoundedBodies:
    """Answers 413 to a body beyond its route's limit, 408 to a slow one, 503 while the bodies of others fill the room.

    A body whose Content-Length is too large is refused before a byte of it is read. While the app works on a request
    that had a body, the departure of its client cancels the work.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Mapping[str, Limit],
        other: Limit | None = None,
        patience: Patience | None = None,
        room: int | None = None,
    ) -> None:
        """`limits` is by path, `other` for all other paths; `room` is the bytes that all bodies together may have.

        The default of `room` is four bodies of the largest limit.
        """
        self._app = app
        self._limits, self._other = limits, other or Limit()
        self._patience = patience or Patience()
        self._room = room or 4 * max(limit.size for limit in (self._other, *limits.values()))
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, or answer in the app's place."""
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        reading = _Reading()
        try:
            limit = self._limits.get(scope["path"], self._other)
            _check_size(int(headers.get(b"content-length", 0)), limit)
            await self._read(reading, limit, receive)
            await run_while_there(self._app, scope, reading.chunks, receive, send)
        except _Refused as refused:
            reading.chunks.clear()
            await _answer(refused, receive, send)
        except _Gone:
            return
        finally:
            self._held -= reading.size

    async def _read(self, reading: _Reading, limit: Limit, receive: Receive) -> None:
        began, more = asyncio.get_running_loop().time(), True
        while more:
            message = await self._next(receive, began, reading.size)
            chunk, more = message.get("body", b""), message.get("more_body", False)
            _check_size(reading.size + len(chunk), limit)
            if self._held + len(chunk) > self._room:
                raise _Refused(503, "the service is reading as many large bodies as it can hold; try again")
            reading.add(chunk)
            self._held += len(chunk)

    async def _next(self, receive: Receive, began: float, came: int) -> Message:
        loop, patience = asyncio.get_running_loop(), self._patience
        until = min(loop.time() + patience.pause, began + patience.start + came / patience.rate)
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise _Refused(408, f"the body came too slowly: {came:,} bytes in {loop.time() - began:.0f} s") from None
        if message["type"] == "http.disconnect":
            raise _Gone
        return message


def _check_size(size: int, limit: Limit) -> None:
    if size > limit.size:
        raise _Refused(413, f"the body is too large: at most {limit}")


async def _answer(refused: _Refused, receive: Receive, send: Send) -> None:
    content = json.dumps({"detail": refused.reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    if refused.status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    if refused.status != 408:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while (await receive()).get("more_body", False):
                    pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})

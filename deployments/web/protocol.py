"""Bounds the connections of a server, and the time that a client may take to send a request's head or read an answer.

uvicorn waits for ever for the first byte of a connection, for the rest of a head and for a client that reads nothing.
Its own limit counts idle connections, so that idle ones would shut out the working ones.
"""

import asyncio
import http
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True, slots=True)
class Bounds:
    """Connections at once; seconds for the head of a request, from its first byte; seconds for an answer to be read."""

    connections: int = 512
    head: float = 20.0
    reading: float = 60.0
    goodbye: float = 2.0
    """Seconds that a connection beyond the bound has to send its request, so that the 503 is not lost."""


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, within bounds.

    At the bound the connection that has been idle longest makes room. Where all are at work, the new one gets a 503.
    """

    bounds: ClassVar[Bounds] = Bounds()
    _head: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _refused = False
    idle_since = 0.0

    @property
    def idle(self) -> bool:
        """Whether no request is at work on this connection."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, close an idle one for it, or prepare to refuse it."""
        if len(self.connections) >= self.bounds.connections and not self._close_an_idle_one():
            self._refused, self.transport = True, transport
            self.loop.call_later(self.bounds.goodbye, transport.close)
            return
        super().connection_made(transport)
        self.idle_since = self.loop.time()
        self._head = self.loop.call_later(self.bounds.head, self._head_is_late)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that has begun has a deadline."""
        if self._refused:
            self._say(503, "the service has as many connections as it can hold; try again", "Retry-After: 1\r\n")
            return
        super().data_received(data)
        self._expect_head()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self.idle_since = self.loop.time()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        _stop(self._head)
        _stop(self._reading)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read: it has some time to go on."""
        super().pause_writing()
        self._reading = self.loop.call_later(self.bounds.reading, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        _stop(self._reading)

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request as all others: in JSON."""
        if self.idle or not self.cycle.response_started:
            self._say(400, msg)
        self.transport.close()

    def _expect_head(self) -> None:
        if not self.idle or self.transport.is_closing():
            _stop(self._head)
            self._head = None
        elif self._head is None and self.conn.trailing_data[0]:
            self._head = self.loop.call_later(self.bounds.head, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head = None
        if self.conn.trailing_data[0]:
            self._say(408, f"the head of the request did not come within {self.bounds.head:.0f} s")
        self.transport.close()

    def _close_an_idle_one(self) -> bool:
        idle = [one for one in self.connections if isinstance(one, BoundedProtocol) and one.idle]
        if not idle:
            return False
        oldest = min(idle, key=lambda one: one.idle_since)
        self.connections.discard(oldest)
        oldest.transport.close()
        return True

    def _say(self, status: int, reason: str, more: str = "") -> None:
        """Write a whole response, and close. For what no app can answer, because there is no request yet."""
        if self.transport.is_closing():
            return
        content = json.dumps({"detail": reason})
        head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        self.transport.write(
            f"{head}Content-Length: {len(content)}\r\nConnection: close\r\n{more}\r\n{content}".encode()
        )
        with suppress(h11.LocalProtocolError):
            self.conn.send_failed()
        self.transport.close()


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def bounded(bounds: Bounds) -> type[BoundedProtocol]:
    """The protocol with other bounds."""
    made: dict[str, Any] = {"bounds": bounds}
    return type("BoundedProtocol", (BoundedProtocol,), made)

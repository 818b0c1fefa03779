"""Looks at the servers of the loop for `finloop status`. A server that does not respond is down, not an error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx


class State(StrEnum):
    """Whether a server responds. A server without an address was not started."""

    UP = "up"
    DOWN = "down"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class Server:
    """One server's state and address."""

    state: State
    url: str | None


@dataclass(frozen=True, slots=True)
class Serving(Server):
    """The serving app, the version that it serves, and its last failure to load another version."""

    version: str | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Receiver(Server):
    """The webhooks' receiver: how many webhooks it refused since its start, by status, and how many are put aside."""

    refused: Mapping[str, int] = field(default_factory=dict)
    put_aside: int = 0


def look_at(url: str | None, path: str) -> Server:
    """The state of a server, by a request of `path`."""
    if url is None:
        return Server(State.NOT_STARTED, url)
    try:
        httpx.get(url + path, timeout=3).raise_for_status()
    except httpx.HTTPError:
        return Server(State.DOWN, url)
    return Server(State.UP, url)


def look_at_serving(url: str | None) -> Serving:
    """The state of the serving app, by its own report."""
    if url is None:
        return Serving(State.NOT_STARTED, url)
    if (model := _report(f"{url}/model")) is None:
        return Serving(State.DOWN, url)
    failed = model.get("last_error")
    return Serving(
        State.UP, url, model.get("version"), f"version {failed['version']}: {failed['reason']}" if failed else None
    )


def look_at_receiver(url: str | None) -> Receiver:
    """The state of the receiver, by its own report."""
    if url is None:
        return Receiver(State.NOT_STARTED, url)
    if (said := _report(f"{url}/healthz")) is None:
        return Receiver(State.DOWN, url)
    return Receiver(State.UP, url, dict(said.get("refused", {})), int(said.get("put_aside", 0)))


def _report(url: str) -> dict[str, Any] | None:
    """What a server of ours says of itself, or None where it says nothing within 3 s."""
    try:
        return dict(httpx.get(url, timeout=3).json())
    except (httpx.TransportError, ValueError):
        return None

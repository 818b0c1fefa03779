"""Sends intents to Prefect as events. It uses plain HTTP, because importing Prefect's client would cost the receiver
1.6 s for this one call.

An event's id is made from its intent's key. Prefect remembers ids for half an hour: an intent that is replayed in that
time starts one run. A later replay starts another run, which finds nothing new.
"""

import uuid
from typing import Any

import httpx

from flows import intents
from flows.prefect_api.connection import NO_LOGIN, login_header, no_login
from flows.prefect_api.server import PrefectServer
from storage.clock import now
from storage.errors import Part, Unreachable
from storage.work.outbox import Entry, Outbox

NAMESPACE = uuid.UUID("6f1b2f0e-6f0e-5d0b-9d0a-66696e6c6f70")


def event_id(key: str) -> uuid.UUID:
    """The id of the event for the intent of this key, as `PrefectServer.named` spells the key for the server."""
    return uuid.uuid5(NAMESPACE, key)


def deliver(outbox: Outbox, server: PrefectServer) -> int:
    """Send the events of all open intents, and close these intents. Returns the number of sent events.

    A failed intent stays open, with the reason. A refused event does not stop the others. Raises Unreachable where no
    Prefect server responds, Refused where it does not take our login.
    """
    sent = 0
    for entry in outbox.open():
        intent = intents.read(entry)
        if intent is None or intent.event is None:
            continue
        try:
            status = _post(server, entry, intent.event).status_code
        except httpx.TransportError as error:
            outbox.failed(entry, f"{type(error).__name__}: {error}")
            raise _unreachable(server.url, str(error)) from error
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            outbox.failed(entry, f"Prefect answers {status}")
            raise _unreachable(server.url, f"status {status}")
        if status in NO_LOGIN:
            outbox.failed(entry, f"Prefect does not take our login ({status})")
            raise no_login(server.url, status)
        if status >= httpx.codes.BAD_REQUEST:
            outbox.failed(entry, f"Prefect refuses the event with {status}")
            continue
        outbox.done(entry)
        sent += 1
    return sent


def _unreachable(prefect_url: str, reason: str) -> Unreachable:
    return Unreachable(Part.PREFECT, prefect_url, f"{reason}; the event is kept, and sync sends it later")


def _post(server: PrefectServer, entry: Entry, event: intents.Event) -> httpx.Response:
    identity = str(event_id(server.named(entry.key)))
    body: dict[str, Any] = {
        "id": identity,
        "occurred": now().isoformat(),
        "event": event.name,
        "resource": {"prefect.resource.id": server.named(event.resource)},
        # The id is in the payload too: a trigger's template gets event.id as a UUID, which it cannot write as JSON.
        "payload": {**entry.payload, "event_id": identity},
    }
    return httpx.post(f"{server.url}/api/events", json=[body], headers=login_header(server.auth), timeout=5.0)

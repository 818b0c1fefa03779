"""Delivers the intents that are Prefect events, over plain HTTP, so that the receiver needs no Prefect import.

An event's id is made from its intent's key: while Prefect remembers it (half an hour), an intent that is replayed
starts one run. A later replay starts another, which finds nothing new.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from labeling.answer import enough
from storage.clock import now
from storage.errors import Unreachable
from storage.work.outbox import Intent, Outbox

NAMESPACE = uuid.UUID("6f1b2f0e-6f0e-5d0b-9d0a-66696e6c6f70")
ENOUGH_LABELS = enough.KIND
CHALLENGER = "challenger"
RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of intent looks as a Prefect event."""

    event: str
    resource: str


KINDS = {
    ENOUGH_LABELS: Kind("finloop.labels.enough", "finloop.label-store"),
    RESUME: Kind("finloop.labels.enough", "finloop.label-store"),
    CHALLENGER: Kind("finloop.model.challenger", "finloop.registry"),
}


def event_id(key: str) -> uuid.UUID:
    """The id of the event that an intent becomes."""
    return uuid.uuid5(NAMESPACE, key)


def deliver(outbox: Outbox, prefect_url: str) -> int:
    """Send every open event and close its intent; returns how many went out.

    One that fails stays open, with the reason, and one that is refused holds up no other. Raises Unreachable when no
    Prefect server answers.
    """
    waiting, sent = [intent for intent in outbox.open() if intent.kind in KINDS], 0
    for intent in waiting:
        try:
            status = _post(prefect_url, intent).status_code
        except httpx.TransportError as error:
            outbox.failed(intent.key, f"{type(error).__name__}: {error}")
            raise _unreachable(prefect_url, str(error)) from error
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            outbox.failed(intent.key, f"Prefect answers {status}")
            raise _unreachable(prefect_url, f"status {status}")
        if status >= httpx.codes.BAD_REQUEST:
            outbox.failed(intent.key, f"Prefect refuses the event with {status}")
            continue
        outbox.close(intent.key)
        sent += 1
    return sent


def _unreachable(prefect_url: str, reason: str) -> Unreachable:
    return Unreachable("Prefect", prefect_url, "FINLOOP_PREFECT_URL", reason, "The event is kept; sync sends it later.")


def _post(prefect_url: str, intent: Intent) -> httpx.Response:
    kind = KINDS[intent.kind]
    identity = str(event_id(intent.key))
    event: dict[str, Any] = {
        "id": identity,
        "occurred": now().isoformat(),
        "event": kind.event,
        "resource": {"prefect.resource.id": kind.resource},
        # The id is in the payload too: a trigger's template gets event.id as a UUID, which it cannot write as JSON.
        "payload": {**intent.payload, "event_id": identity},
    }
    return httpx.post(f"{prefect_url}/api/events", json=[event], timeout=5.0)

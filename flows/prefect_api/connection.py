"""One connection to Prefect's REST API, patient with a busy server and plain about one that is not there.

It speaks HTTP and not through Prefect's own client: a verb would wait 1.6 s for the import, and the client reads the
user's Prefect profile, with an address and a key that are for another server.
"""

import threading
from typing import Any

import httpx

from storage.addresses import public_address
from storage.errors import Failed, Part, Unreachable

POLL_SECONDS = 0.25
FIRST_ANSWER = 8.0
BUSY_ANSWER = 60.0
"""Seconds: a server that never answered is told of within ten; one that did is there, and slow where all is busy."""

BUSY_TRIES = 6
"""A Prefect server on SQLite answers 503 while its database is locked; its own client asks again too."""

GATEWAY = (502, 504)


class RunFailed(Failed):
    """Prefect refused a call, or a flow run ended in another state than completed; the message says which."""


class Connection:
    """A Prefect server."""

    def __init__(self, prefect_url: str) -> None:
        self.url = public_address(prefect_url)
        self._client = httpx.Client(base_url=f"{prefect_url}/api", timeout=httpx.Timeout(FIRST_ANSWER, connect=3.0))
        self._is_prefect = False

    def check(self) -> None:
        """Raises Unreachable within 10 s where no Prefect server answers.

        `/health` needs neither the server's database nor a token: whatever does not answer `true` there is no Prefect.
        """
        answer = self._send("GET", "/health")
        if not answer.is_success or answer.content.strip() != b"true":
            raise self._unreachable(f"what answers there is not Prefect ({answer.status_code} at /api/health)")
        self._client.timeout = httpx.Timeout(BUSY_ANSWER, connect=3.0)
        self._is_prefect = True

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON that the server answers with. Raises RunFailed where it refuses, Unreachable where it is away."""
        if not self._is_prefect:  # else another server's 404 would read as a deployment that is missing
            self.check()
        answer = self._send(method, path, body)
        if answer.status_code == httpx.codes.NOT_FOUND and "/deployments/name/" in path:
            raise RunFailed(f"Prefect at {self.url} has no deployment {path.rsplit('/', 1)[-1]}; run `finloop up` once")
        if answer.is_error:
            raise RunFailed(f"Prefect refused {method} {path}: {answer.status_code} {answer.text[:500]}")
        try:
            found = answer.json()
        except ValueError as error:
            raise self._unreachable("what answers there is not Prefect") from error
        if not isinstance(found, dict | list):
            raise self._unreachable("what answers there is not Prefect")
        return found

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        pause, lost = threading.Event(), False
        for tried in range(BUSY_TRIES if self._is_prefect else 1):
            pause.wait(2 * POLL_SECONDS * tried)
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.RequestError as error:
                if self._lost(error) and not lost:  # seen once: no answer in a minute from a server that was well
                    lost = True
                    continue
                raise self._unreachable(str(error) or type(error).__name__) from error
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
        if answer.status_code in GATEWAY:
            raise self._unreachable(f"its gateway answers {answer.status_code}")
        return answer

    def _lost(self, error: httpx.RequestError) -> bool:
        """Whether a server that has answered before kept this one answer back; every call is safe to ask twice."""
        return isinstance(error, httpx.ReadTimeout) and self._is_prefect

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable(Part.PREFECT, self.url, reason)

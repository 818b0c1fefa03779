"""One connection to Prefect's REST API, which waits for a busy server and reports a missing server at once.

It does not use Prefect's own client: importing the client takes 1.6 s, and the client reads the user's Prefect profile,
whose address and key are for another server.
"""

import base64
import threading
from typing import Any

import httpx
from pydantic import SecretStr

from flows.prefect_api.server import PrefectServer
from storage.addresses import public_address
from storage.errors import Failed, Part, Refused, Unreachable

POLL_SECONDS = 0.25
FIRST_SECONDS = 8.0
BUSY_SECONDS = 60.0
"""The limits of a response: a missing server is reported within ten seconds, a known server may be busy."""

BUSY_TRIES = 6
"""A Prefect server on SQLite responds 503 while its database is locked; Prefect's own client tries again too."""

GATEWAY = (502, 504)
NO_LOGIN = (401, 403)


def login_header(auth: SecretStr | None) -> dict[str, str]:
    """The header with the login (`user:password`) of a server that asks for one, as Prefect's own client sends it."""
    if auth is None:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(auth.get_secret_value().encode()).decode()}"}


def no_login(url: str, status: int) -> Refused:
    """The error for a server that asks for a login, or does not take ours."""
    return Refused(f"Prefect at {public_address(url)} does not let us in ({status})", Part.PREFECT)


class RunFailed(Failed):
    """Prefect refused a call, or a flow run ended in another state than completed; the message says which."""


class Connection:
    """A connection to a Prefect server; `url` is its address without a password, for messages."""

    def __init__(self, server: PrefectServer) -> None:
        self.server, self.url = server, public_address(server.url)
        self._client = httpx.Client(
            base_url=f"{server.url}/api",
            timeout=httpx.Timeout(FIRST_SECONDS, connect=3.0),
            headers=login_header(server.auth),
        )
        self._is_prefect = False

    def check(self) -> None:
        """Raises Unreachable within 10 s where no Prefect server responds.

        `/health` needs neither the server's database nor a token, and every Prefect server responds `true`.
        """
        response = self._send("GET", "/health")
        if not response.is_success or response.content.strip() != b"true":
            raise self._unreachable(f"what answers there is not Prefect ({response.status_code} at /api/health)")
        self._client.timeout = httpx.Timeout(BUSY_SECONDS, connect=3.0)
        self._is_prefect = True

    def check_login(self) -> None:
        """Raises Refused where the server does not take our login, Unreachable where it is away."""
        self.ask("POST", "/work_pools/filter", {"limit": 1})

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON of the response, or None where it is empty.

        Raises RunFailed where the server refuses the call, Refused where it does not take our login, and Unreachable
        where it is away.
        """
        if not self._is_prefect:  # else another server's 404 would read as a deployment that is missing
            self.check()
        response = self._send(method, path, body)
        if response.status_code == httpx.codes.NOT_FOUND and "/deployments/name/" in path:
            raise RunFailed(f"Prefect at {self.url} has no deployment {path.rsplit('/', 1)[-1]}; run `finloop up` once")
        if response.status_code in NO_LOGIN:
            raise no_login(self.url, response.status_code)
        if response.is_error:
            raise RunFailed(f"Prefect refused {method} {path}: {response.status_code} {response.text[:500]}")
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        try:
            found = response.json()
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
                response = self._client.request(method, path, json=body)
            except httpx.RequestError as error:
                if self._lost(error) and not lost:  # seen once: no response in a minute from a healthy server
                    lost = True
                    continue
                raise self._unreachable(str(error) or type(error).__name__) from error
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
        if response.status_code in GATEWAY:
            raise self._unreachable(f"its gateway answers {response.status_code}")
        return response

    def _lost(self, error: httpx.RequestError) -> bool:
        """Whether one response of a known server was lost. Every call is safe to send twice."""
        return isinstance(error, httpx.ReadTimeout) and self._is_prefect

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable(Part.PREFECT, self.url, reason)

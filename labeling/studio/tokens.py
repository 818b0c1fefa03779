"""Label Studio's two kinds of API token: a legacy token is sent as it is, a personal token gets an access token for
five minutes.

The SDK's own handling is not used. The SDK judges an access token by this machine's clock, never renews it after a 401,
and waits for a silent server without a limit. A clock an hour behind, or a withdrawn token, would stop every request.
"""

import base64
import binascii
import json
import threading
import time
from collections.abc import Generator
from typing import Any

import httpx

from storage.errors import Part, Refused

EARLY = 30.0
"""An access token is renewed so many seconds before it expires, so that none expires during a request."""

LIFETIME = 60.0
"""The lifetime, in seconds, of an access token that states none."""

CONNECT_SECONDS, CHECK_SECONDS = 3.0, 8.0
"""The limits in seconds to connect, and to respond to a simple request: a silent server is reported within ten."""

Flow = Generator[httpx.Request, httpx.Response, None]


def token_of(token: str, url: str) -> httpx.Auth:
    """The token as a legacy or a personal one, by its form. Raises Refused where it cannot be a token."""
    if not token or not token.isascii() or any(character.isspace() for character in token):
        raise Refused(f"that is not a token for {url}", Part.LABEL_STUDIO_TOKEN)
    return Personal(token, url) if _claims(token).get("token_type") == "refresh" else Legacy(token)


class Legacy(httpx.Auth):
    """A fixed token of 40 characters. An access token that a user gives is sent like it, and never renewed."""

    def __init__(self, token: str) -> None:
        kind = "Bearer" if _claims(token).get("token_type") == "access" else "Token"
        self._header = f"{kind} {token}"

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """Send the token, which is always the same: a legacy token that is refused once stays refused."""
        request.headers["Authorization"] = self._header
        yield request


class Personal(httpx.Auth):
    """A refresh token (JWT). One thread exchanges it for an access token, which all threads use."""

    def __init__(self, token: str, url: str) -> None:
        self._refresh, self._url = token, url
        self._lock = threading.Lock()
        self._access: str | None = None
        self._until = 0.0

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """Send a valid access token, and a new one after a 401. Raises Refused where Label Studio gives none."""
        used = yield from self._authorize(request)
        response = yield request
        if response.status_code == 401:
            with self._lock:
                if self._access == used:
                    self._access = None
            yield from self._authorize(request)
            yield request

    def _authorize(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, str]:
        with self._lock:
            access = self._access
            if access is None or time.monotonic() > self._until - EARLY:
                response = yield self._purchase()
                access = self._access = self._bought(response)
                self._until = time.monotonic() + _lifetime(access)
        request.headers["Authorization"] = f"Bearer {access}"
        return access

    def _purchase(self) -> httpx.Request:
        timeout = httpx.Timeout(CHECK_SECONDS, connect=CONNECT_SECONDS)
        address, body = f"{self._url}/api/token/refresh/", {"refresh": self._refresh}
        return httpx.Request("POST", address, json=body, extensions={"timeout": timeout.as_dict()})

    def _bought(self, response: httpx.Response) -> str:
        response.read()
        if response.status_code >= 500 or response.status_code == 429:
            response.raise_for_status()
        if response.status_code != 200:
            raise Refused(
                f"Label Studio at {self._url} refuses the personal token: {response.status_code}.\n"
                "It was revoked or has expired, or personal tokens are disabled there.",
                Part.LABEL_STUDIO_TOKEN,
            )
        try:
            return str(response.json()["access"])
        except (ValueError, KeyError, TypeError) as error:
            raise httpx.DecodingError("what answers there is not Label Studio", request=response.request) from error


def _lifetime(access: str) -> float:
    """The lifetime of an access token in seconds, by the server's clock alone."""
    claims = _claims(access)
    try:
        return float(claims["exp"]) - float(claims["iat"])
    except (KeyError, TypeError, ValueError):
        return LIFETIME


def _claims(token: str) -> dict[str, Any]:
    """What a JWT says of itself, unverified; empty for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}

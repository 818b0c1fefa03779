"""Label Studio's two kinds of API token: a legacy one is sent as it is, a personal one buys access for five minutes."""

import base64
import binascii
import json
import threading
import time
from typing import Any, Protocol

import httpx

from storage.errors import Refused

EARLY = 30.0
"""Seconds before its end at which an access token is renewed, so that none expires on the way."""

CONNECT_SECONDS, CHECK_SECONDS = 3.0, 8.0
"""How long a server may take to be there, and over what it can answer at once: a silent one is named within ten."""


class Token(Protocol):
    """What a request must carry."""

    def header(self, http: httpx.Client) -> str:
        """The value of `Authorization`."""

    def renew(self) -> bool:
        """After a 401: whether another header may help."""


def token_of(token: str, url: str, setting: str) -> Token:
    """The token by its looks. Raises Refused, naming the setting, for one that cannot be a token."""
    if not token or not token.isascii() or any(character.isspace() for character in token):
        raise Refused(f"{setting} is not a token for {url}: copy one from Account & Settings there")
    return Personal(token, url, setting) if _claims(token).get("token_type") == "refresh" else Legacy(token)


class Legacy:
    """A fixed token of 40 characters (an access token of one's own is sent in the same way, and is not renewed)."""

    def __init__(self, token: str) -> None:
        kind = "Bearer" if _claims(token).get("token_type") == "access" else "Token"
        self._header = f"{kind} {token}"

    def header(self, http: httpx.Client) -> str:
        """Always the same."""
        return self._header

    def renew(self) -> bool:
        """A legacy token that is refused once stays refused."""
        return False


class Personal:
    """A refresh token (JWT): access is bought with it when needed, by one thread for all."""

    def __init__(self, token: str, url: str, setting: str) -> None:
        self._refresh, self._url, self._setting = token, url, setting
        self._lock = threading.Lock()
        self._access: str | None = None
        self._until = 0.0

    def header(self, http: httpx.Client) -> str:
        """With an access token that is good for a while. Raises Refused where the server gives none."""
        with self._lock:
            if self._access is None or time.time() > self._until - EARLY:
                self._buy(http)
            return f"Bearer {self._access}"

    def renew(self) -> bool:
        """Forget the access token: it was withdrawn, or the clocks disagree."""
        with self._lock:
            self._access = None
        return True

    def _buy(self, http: httpx.Client) -> None:
        answer = http.post(
            "/api/token/refresh/",
            json={"refresh": self._refresh},
            timeout=httpx.Timeout(CHECK_SECONDS, connect=CONNECT_SECONDS),
        )
        if answer.status_code >= 500 or answer.status_code == 429:
            answer.raise_for_status()
        if answer.status_code != 200:
            raise Refused(
                f"Label Studio at {self._url} refuses the personal token ({self._setting}): {answer.status_code}.\n"
                "It was revoked or has expired, or personal tokens are disabled there: make another."
            )
        self._access = str(answer.json()["access"])
        self._until = float(_claims(self._access).get("exp", time.time() + 60))


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

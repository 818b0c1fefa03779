"""The HTTP client below the SDK: it repeats only requests that had no effect, and raises only our errors.

The SDK's own retries are off, because they repeat imports that may have happened. The rules are in `send`, so that they
hold for every request of the SDK.
"""

from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import Retrying, retry_if_exception, stop_before_delay, wait_exponential

from labeling.studio.tokens import CONNECT_SECONDS, token_of
from storage.errors import FinloopError, Part, Refused, Unreachable

GIVE_UP_AFTER = 6.0
"""Seconds in which a request may be tried again. With 3 s to connect in the last try, an error comes within 10 s."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
BUSY = (429, 503)
GATEWAY = (502, 504)


class NotThere(FinloopError):
    """Label Studio has nothing of that id, or hides it from our user."""


class Connection(httpx.Client):
    """An HTTP client of one server and token, legacy or personal; safe to use from several threads."""

    def __init__(self, url: str, token: str) -> None:
        """Send nothing yet. Raises Refused where `token` cannot be a token."""
        self.url = url.rstrip("/")
        super().__init__(
            base_url=self.url,
            auth=token_of(token.strip(), self.url),
            # The environment's proxy is for the internet: it cannot reach this machine's own addresses.
            trust_env=urlsplit(self.url).hostname not in LOOPBACK,
            follow_redirects=True,
        )

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The response, whose body is JSON or empty. Raises NotThere, Refused, Unreachable."""
        # The SDK sets one timeout for connecting and responding together.
        request.extensions["timeout"] = {**request.extensions["timeout"], "connect": CONNECT_SECONDS}

        def once() -> httpx.Response:
            response = super(Connection, self).send(request, **options)
            if response.status_code in BUSY:
                response.raise_for_status()
            return response

        attempts = Retrying(
            retry=retry_if_exception(lambda error: _had_no_effect(request.method, error)),
            wait=wait_exponential(multiplier=0.2, max=2),
            stop=stop_before_delay(GIVE_UP_AFTER),
            reraise=True,
        )
        try:
            return self._named(request, attempts(once))
        except httpx.HTTPStatusError as error:
            raise self._unreachable(f"it answers {error.response.status_code}") from error
        except httpx.RequestError as error:
            raise self._unreachable(f"{type(error).__name__}: {error}") from error

    def _named(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        path = request.url.path
        if response.status_code in (401, 403):
            raise Refused(
                f"Label Studio at {self.url} refuses the token: {response.status_code}", Part.LABEL_STUDIO_TOKEN
            )
        if response.status_code in GATEWAY:
            raise self._unreachable(f"its gateway answers {response.status_code}")
        if response.status_code == 404 and _is_json(response):
            raise NotThere(f"Label Studio at {self.url} has no {path}")
        if response.is_error and _is_json(response):
            said = response.text[:500]
            raise Refused(f"Label Studio at {self.url} refuses {request.method} {path}: {response.status_code} {said}")
        if (response.content or response.is_error) and not _is_json(response):
            raise self._unreachable(f"what answers there is not Label Studio ({response.status_code} at {path})")
        return response

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable(Part.LABEL_STUDIO, self.url, reason)


def _is_json(response: httpx.Response) -> bool:
    try:
        response.json()
    except ValueError:
        return False
    return True


def _had_no_effect(method: str, error: BaseException) -> bool:
    """Whether the same request may be sent again without the risk of doing its work twice."""
    if isinstance(error, httpx.HTTPStatusError):
        return True
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return True
    # A silent server gets no second try: the error would not come within 10 s.
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.ReadTimeout) and method != "POST"

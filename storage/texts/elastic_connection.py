"""A connection to Elasticsearch on which an overloaded, restarting or write-blocked server costs time, but no texts.

The client's own retries are off: they do not wait, and they miss the items that a successful bulk refused. This
connection repeats a call with exponential backoff for `patience` seconds, then raises a named error.
The trap: a server that answers is not a server that is away. "Start it" sends people to the wrong place, so each
refusal carries the server's own reason.
"""

import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from elasticsearch import ApiError, Elasticsearch, TransportError, UnsupportedProductError
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_delay, wait_random_exponential

from storage.addresses import public_address
from storage.errors import BadInput, FinloopError, Part, Refused, Unreachable

OLDEST = (8, 19)
BUSY = frozenset({429, 502, 503, 504})
"""The statuses of a full queue, or of a node (or its proxy) that is starting: these calls are tried again."""
BLOCKED = "cluster_block_exception"
"""The error type of a write block: operators set one for a snapshot or a migration, and lift it again."""
CREDENTIALS = frozenset({401, 403})
CUT_OFF = ("reset by peer", "without response", "Connection aborted")
"""Signs of a server that closes the connection at the first word."""
CONNECT_SECONDS = 6.0
"""The limit for all of connecting: a wrong address must be reported within ten seconds."""

Result = TypeVar("Result")
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """How to be let in, beside user and password in the address: the server's own CA (PEM), and an API key."""

    ca: Path | None = None
    api_key: str | None = None


class Overloaded(Exception):
    """The server did not take some items of a bulk yet. Only this folder knows the error, and tries again."""


class ElasticConnection:
    """A checked client; `version` is the server's. Raises Unreachable, Refused or BadInput within ten seconds."""

    def __init__(self, url: str, patience: float = 60.0, access: Access = Access()) -> None:
        self.address = _checked_address(url)
        self._patience = patience
        # The pool warns about choosing a node; there is only one node, and its failures become our errors.
        logging.getLogger("elastic_transport.node_pool").setLevel(logging.ERROR)
        self._deadline = time.monotonic() + CONNECT_SECONDS
        self.client = _client(url, access)
        with self._named():
            self.version = str(self.connecting().info()["version"]["number"])
        if tuple(int(part) for part in self.version.split(".")[:2]) < OLDEST:
            self.close()
            raise BadInput(
                f"Elasticsearch {self.version} answers at {self.address}, older than 8.19: update it",
                Part.ELASTICSEARCH,
            )

    def connecting(self) -> Elasticsearch:
        """The client with the rest of CONNECT_SECONDS as its time limit."""
        return self.client.options(request_timeout=max(0.1, self._deadline - time.monotonic()))

    def call(self, action: Callable[[], Result], passing: type[ApiError] | tuple[()] = ()) -> Result:
        """Run the action and return its result. Tries again while the server is busy, blocked or away.

        Errors of the class `passing` reach the caller; all others are raised as Unreachable or Refused.
        """
        again = Retrying(
            retry=retry_if_exception(_is_transient),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            stop=stop_after_delay(self._patience),
            before_sleep=before_sleep_log(LOGGER, logging.INFO),
            reraise=True,
        )
        with self._named(passing):
            return again(action)

    def once(self, action: Callable[[Elasticsearch], Result]) -> Result:
        """Run an action while connecting, without a second try. Raises the errors of `call`."""
        with self._named():
            return action(self.connecting())

    def refused(self, reason: str) -> Refused:
        """The error of a server that answers, and will not do what it was asked for the reason that it gives."""
        return Refused(f"Elasticsearch at {self.address} answers, but refuses: {reason}", Part.ELASTICSEARCH_INDEX)

    def close(self) -> None:
        """Close the sockets."""
        self.client.close()

    @contextmanager
    def _named(self, passing: type[ApiError] | tuple[()] = ()) -> Iterator[None]:
        try:
            yield
        except passing:
            raise
        except UnsupportedProductError as error:
            raise BadInput(f"what answers at {self.address} is not Elasticsearch", Part.ELASTICSEARCH) from error
        except ApiError as error:
            raise self._answered(error) from error
        except Overloaded as error:
            raise self.refused(str(error)) from error
        except TransportError as error:
            raise self._away(error) from error

    def _answered(self, error: ApiError) -> FinloopError:
        kind, reason = cause(error.body.get("error") if isinstance(error.body, Mapping) else None)
        said = reason or error.message
        if error.status_code in CREDENTIALS and kind != BLOCKED:
            return Refused(f"Elasticsearch at {self.address} refuses us: {said}", Part.ELASTICSEARCH)
        if "x-elastic-product" in error.meta.headers:
            return self.refused(said)
        return Unreachable(Part.ELASTICSEARCH, self.address, f"status {error.status_code}, {error.message}")

    def _away(self, error: TransportError) -> Unreachable:
        reason = _reason(error)
        if "certificate" in reason.lower():
            return Unreachable(Part.ELASTICSEARCH_CA, self.address, reason)
        if self.address.startswith("http://") and any(sign in f"{reason} {error}" for sign in CUT_OFF):
            reason = f"{reason}; a server that expects https closes a connection like that"
        return Unreachable(Part.ELASTICSEARCH, self.address, reason)


def cause(error: Any) -> tuple[str, str]:
    """Type and reason of the error in an answer of Elasticsearch, both empty where the answer has none."""
    if not isinstance(error, Mapping):
        return "", error if isinstance(error, str) else ""
    return str(error.get("type") or ""), str(error.get("reason") or error.get("type") or "")


def _client(url: str, access: Access) -> Elasticsearch:
    options: dict[str, Any] = {"request_timeout": 30, "max_retries": 0, "retry_on_timeout": False}
    if access.ca is not None:
        options["ca_certs"] = str(_checked_ca(access.ca, url))
    if access.api_key is not None:
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise BadInput(
                "Elasticsearch gets an API key and a user in its address; leave one of them out", Part.ELASTICSEARCH
            )
        options["api_key"] = access.api_key
    try:
        return Elasticsearch(url, **options)
    except ValueError as error:
        raise BadInput(f"Elasticsearch's address is none: {error}", Part.ELASTICSEARCH) from error


def _checked_ca(path: Path, url: str) -> Path:
    """The file, once it is known to hold a certificate: the client itself would notice at its first request."""
    if not url.startswith("https://"):
        address = _checked_address(url)
        raise BadInput(f"a certificate is given, and {address} is no https:// address", Part.ELASTICSEARCH_CA)
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # also every ssl.SSLError
        raise BadInput(f"{path} holds no certificate that can be used: {error}", Part.ELASTICSEARCH_CA) from error
    return path


def _checked_address(url: str) -> str:
    try:
        return public_address(url)
    except ValueError as error:
        raise BadInput(f"Elasticsearch's address is none: {error}", Part.ELASTICSEARCH) from error


def _reason(error: BaseException) -> str:
    """The system's own words at the bottom of a chain of wrapped errors: `connection refused`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(error).rstrip(".")


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, ApiError):
        return error.status_code in BUSY or error.message == BLOCKED
    return isinstance(error, TransportError | Overloaded)

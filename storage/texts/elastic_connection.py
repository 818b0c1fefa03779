"""A connection to Elasticsearch on which an overloaded or restarting server costs time, but no texts.

The client's own retries are off: they do not wait, and they miss the items that a successful bulk refused. This
connection repeats a call with exponential backoff for `patience` seconds, then raises a named error.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from elasticsearch import ApiError, Elasticsearch, TransportError, UnsupportedProductError
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_delay, wait_random_exponential

from storage.addresses import public_address
from storage.errors import BadInput, Part, Refused, Unreachable

OLDEST = (8, 19)
BUSY = frozenset({429, 502, 503, 504})
"""The statuses of a full queue, or of a node (or its proxy) that is starting: these calls are tried again."""
CONNECT_SECONDS = 6.0
"""The limit for all of connecting: a wrong address must be reported within ten seconds."""

Result = TypeVar("Result")
LOGGER = logging.getLogger(__name__)


class Overloaded(Exception):
    """The server was too busy for some items of a bulk. Only this folder knows the error, and tries again."""


class ElasticConnection:
    """A checked client; `version` is the server's. Raises Unreachable, Refused or BadInput within ten seconds."""

    def __init__(self, url: str, patience: float = 60.0) -> None:
        self.address = _checked_address(url)
        self._patience = patience
        # The pool warns about choosing a node; there is only one node, and its failures become our errors.
        logging.getLogger("elastic_transport.node_pool").setLevel(logging.ERROR)
        self._deadline = time.monotonic() + CONNECT_SECONDS
        try:
            self.client = Elasticsearch(url, request_timeout=30, max_retries=0, retry_on_timeout=False)
        except ValueError as error:
            raise BadInput(f"Elasticsearch's address is none: {error}", Part.ELASTICSEARCH) from error
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
        """Run the action and return its result. Tries again while the server is busy or away.

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
            if error.status_code in (401, 403):
                raise Refused(
                    f"Elasticsearch at {self.address} refuses us: {error.message}", Part.ELASTICSEARCH
                ) from error
            raise self._unreachable(f"status {error.status_code}, {error.message}") from error
        except (TransportError, Overloaded) as error:
            raise self._unreachable(_reason(error)) from error

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable(Part.ELASTICSEARCH, self.address, reason)


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
        return error.status_code in BUSY
    return isinstance(error, TransportError | Overloaded)

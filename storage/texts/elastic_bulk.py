"""Bulk writes to Elasticsearch that end with every item done, or with the server's reason.

A server refuses a whole bulk, or single items inside a 200. A proxy may refuse a bulk for its size (nginx takes 1 MB by
default). So the items that were refused for the moment are sent again, and a bulk that is too large is halved.
"""

from collections.abc import Mapping
from typing import Any

from elasticsearch import ApiError
from elasticsearch.helpers import streaming_bulk

from storage.errors import Failed, Part
from storage.texts.elastic_connection import BLOCKED, BUSY, ElasticConnection, Overloaded, cause
from storage.texts.elastic_index import ElasticIndex

BATCH = 1_000
BULK_BYTES = 5 * 1024 * 1024
SMALLEST = 4 * 1024
"""Bytes; a proxy that refuses a single text of this size is a mistake in its settings."""
TOO_LARGE = 413
GONE = "index_not_found_exception"

Actions = Mapping[str, Mapping[str, Any]]
"""Text id -> one action of a bulk."""


class Bulk:
    """Writes batches of actions. It remembers the size that the server, or a proxy before the server, takes."""

    def __init__(self, connection: ElasticConnection, index: ElasticIndex) -> None:
        self._connection, self._index = connection, index
        self._bytes = BULK_BYTES

    def write(self, actions: Actions) -> dict[str, int]:
        """Text id -> final status of every item.

        Raises Failed, with the other items written, where the server will never take an item; Refused or Unreachable
        where the server takes none of the rest within the connection's patience.
        """
        done: dict[str, int] = {}
        never: dict[str, str] = {}
        self._connection.call(lambda: self._send_rest(actions, done, never))
        if never:
            first, reason = next(iter(never.items()))
            raise Failed(
                f"Elasticsearch will not take {len(never)} of {len(actions)} texts; the first is text {first}: "
                f"{reason}. The other {len(done)} are written.",
                Part.ELASTICSEARCH_INDEX,
            )
        return done

    def _send_rest(self, actions: Actions, done: dict[str, int], never: dict[str, str]) -> None:
        self._index.make_if_missing()
        waiting, reason, too_large = 0, "", False
        coming = (
            {"_index": self._index.name, "_id": name, **actions[name]}
            for name in actions
            if name not in done and name not in never
        )
        for _, item in streaming_bulk(
            self._connection.client,
            coming,
            chunk_size=BATCH,
            max_chunk_bytes=self._bytes,
            raise_on_error=False,
            raise_on_exception=False,
            require_alias=self._index.is_alias,
        ):
            (operation, outcome), *_ = item.items()
            if _is_done(operation, outcome):
                done[outcome["_id"]] = outcome["status"]
            elif outcome["status"] == TOO_LARGE:
                too_large = True
            elif _may_pass(operation, outcome):
                waiting, reason = waiting + 1, reason or _reason(outcome)
            else:
                never[outcome["_id"]] = _reason(outcome)
        if too_large:
            self._halve()
            self._send_rest(actions, done, never)
        elif waiting:
            raise Overloaded(f"{waiting} of {len(actions)} texts are not taken yet ({reason})")

    def _halve(self) -> None:
        if self._bytes <= SMALLEST:
            raise self._connection.refused(f"a request of {self._bytes:,} bytes is too large (413)")
        self._bytes //= 2


def _is_done(operation: str, outcome: Mapping[str, Any]) -> bool:
    status = outcome["status"]
    # A 404 of an update is a text that is unknown, or an index that is gone.
    unknown = (operation, status) == ("update", 404) and cause(outcome.get("error"))[0] != GONE
    return status in (200, 201) or (operation, status) == ("create", 409) or unknown


def _may_pass(operation: str, outcome: Mapping[str, Any]) -> bool:
    """Whether an item may be taken later. Raises the error that refused a whole bulk for good."""
    kind, status = cause(outcome.get("error"))[0], outcome["status"]
    refusal = outcome.get("exception")
    if isinstance(refusal, ApiError):
        kind = refusal.message
        if status not in BUSY and kind not in (BLOCKED, GONE):
            raise refusal
    return status in BUSY or kind in (BLOCKED, GONE) or (operation, status) == ("update", 409)


def _reason(outcome: Mapping[str, Any]) -> str:
    refusal = outcome.get("exception")
    error = refusal.body.get("error") if isinstance(refusal, ApiError) and isinstance(refusal.body, Mapping) else None
    return cause(error or outcome.get("error"))[1] or f"status {outcome['status']}"

"""Production texts in Elasticsearch 8.19 or newer, with the same contract as the SQL store.

A text's `_id` is its text id, and ingest is `create`: a repeated ingest gets a 409, which counts as success. Reads
refresh the index first, so that they see every earlier write. Reads page by point-in-time and a sort key of our own:
after a lost point-in-time (a restart, a slow caller), a new one continues after the last row.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from elasticsearch import ApiError, NotFoundError, TransportError

from storage.records import Prediction, Text
from storage.texts.elastic_bulk import BATCH, Bulk
from storage.texts.elastic_connection import Access, ElasticConnection
from storage.texts.elastic_documents import prediction_document, to_document, to_text
from storage.texts.elastic_index import ElasticIndex
from storage.texts.paging import batches, random_id, seeded_order
from storage.texts.store import Added, Counts

PAGE = 500
KEEP_ALIVE = "5m"
BY_ID = ({"text_id": "asc"},)
BY_MARGIN = ({"prediction.margin": "asc"}, {"text_id": "asc"})

Hit = Mapping[str, Any]


class ElasticTextStore:
    """A TextStore on one index, or on an alias; opening the store makes a missing index.

    Opening raises Unreachable, Refused or BadInput within ten seconds. Later calls try again for `patience` seconds
    before they raise.
    """

    def __init__(
        self,
        url: str,
        index: str = "finloop-texts",
        patience: float = 60.0,
        access: Access = Access(),  # noqa: B008 (a frozen default)
    ) -> None:
        self._index = index
        self._connection = ElasticConnection(url, patience, access)
        self._client = self._connection.client
        prepared = ElasticIndex(self._connection, index)
        self._bulk = Bulk(self._connection, prepared)
        with ExitStack() as undo:
            undo.callback(self._connection.close)
            self._connection.once(prepared.prepare)
            undo.pop_all()

    def describe(self) -> str:
        """Like `elasticsearch 8.19.5`."""
        return f"elasticsearch {self._connection.version}"

    def add(self, texts: Iterable[Text]) -> Added:
        """Store the new texts. Where a response was lost, the texts that the server had stored count as known."""
        new = known = 0
        for batch in batches(texts, BATCH):
            firsts = {text.text_id: text for text in reversed(batch)}
            statuses = self._bulk.write(
                {name: {"_op_type": "create", **to_document(text)} for name, text in firsts.items()}
            )
            created = sum(status == 201 for status in statuses.values())
            new += created
            known += len(batch) - created
        return Added(new, known)

    def record_predictions(self, predictions: Iterable[tuple[str, Prediction]]) -> int:
        """Partial updates in bulk; the last prediction of a text in the batch wins, a 404 is an unknown id."""
        changed = 0
        for batch in batches(predictions, BATCH):
            updates = {
                name: {"_op_type": "update", "retry_on_conflict": 3, "doc": prediction_document(prediction)}
                for name, prediction in batch
            }
            changed += sum(status == 200 for status in self._bulk.write(updates).values())
        return changed

    def get(self, text_ids: Collection[str]) -> dict[str, Text]:
        """By `_id`, a page at a time; sees every acknowledged write without a refresh."""
        found: dict[str, Text] = {}
        for page in batches(dict.fromkeys(text_ids), PAGE):
            response = self._connection.call(partial(self._client.mget, index=self._index, ids=page))
            found |= {hit["_id"]: to_text(hit["_source"]) for hit in response["docs"] if hit.get("found")}
        return found

    def unscored(self, model_version: str) -> Iterator[Text]:
        """By ascending text id, as of the moment the reading began."""
        other = {"bool": {"must_not": {"term": {"prediction.model_version": model_version}}}}
        return (to_text(hit["_source"]) for hit in self._hits(other, BY_ID))

    def lowest_margin(self, model_version: str) -> Iterator[Text]:
        """By (margin, text id), as of the moment the reading began."""
        return (to_text(hit["_source"]) for hit in self._hits(_to_learn_from(model_version), BY_MARGIN))

    def random_texts(self, model_version: str, seed: int) -> Iterator[Text]:
        """By ascending text id from the seed's id on, then from the least id up to there."""
        for some in ({"gte": random_id(seed)}, {"lt": random_id(seed)}):
            found = self._hits(_to_learn_from(model_version, {"range": {"text_id": some}}), BY_ID)
            yield from (to_text(hit["_source"]) for hit in found)

    def random_audit(self, seed: int) -> Iterator[Text]:
        """All ids of the audit share in the seed's order, their texts fetched a page at a time."""
        audit = [hit["_id"] for hit in self._hits({"term": {"audit": True}}, BY_ID, size=5_000, source=False)]
        for page in batches(seeded_order(audit, seed), PAGE):
            texts = self.get(page)
            yield from (texts[identity] for identity in page if identity in texts)

    def counts(self) -> Counts:
        """One search without hits; one shard, so the numbers are exact."""
        self._refresh()
        aggregations: dict[str, Any] = {
            "audit": {"filter": {"term": {"audit": True}}},
            "predicted": {"terms": {"field": "prediction.model_version", "size": 10_000}},
        }
        response = self._connection.call(
            lambda: self._client.search(index=self._index, size=0, track_total_hits=True, aggregations=aggregations)
        )
        versions = response["aggregations"]["predicted"]["buckets"]
        return Counts(
            texts=response["hits"]["total"]["value"],
            audit=response["aggregations"]["audit"]["doc_count"],
            predicted={version["key"]: version["doc_count"] for version in versions},
        )

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _hits(
        self, query: Mapping[str, Any], sort: tuple[Mapping[str, str], ...], size: int = PAGE, source: bool = True
    ) -> Iterator[Hit]:
        """Every hit of a query in the order of `sort`, a key that no two texts share."""
        search: dict[str, Any] = {"query": query, "sort": list(sort), "size": size, "source": source}
        self._refresh()
        after: list[Any] | None = None
        point = self._open_point()
        try:
            while True:
                try:
                    response = self._page(point, after, search)
                except NotFoundError:  # the point-in-time is lost
                    point = self._open_point()
                    continue
                point, hits = response["pit_id"], response["hits"]["hits"]
                yield from hits
                if len(hits) < size:
                    return
                after = hits[-1]["sort"]
        finally:
            with contextlib.suppress(ApiError, TransportError):  # it expires by itself
                self._client.close_point_in_time(id=point)

    def _page(self, point: str, after: list[Any] | None, search: dict[str, Any]) -> Any:
        return self._connection.call(
            lambda: self._client.search(
                pit={"id": point, "keep_alive": KEEP_ALIVE},
                search_after=after,
                track_total_hits=False,
                allow_partial_search_results=False,
                **search,
            ),
            passing=NotFoundError,
        )

    def _open_point(self) -> str:
        response = self._connection.call(
            lambda: self._client.open_point_in_time(index=self._index, keep_alive=KEEP_ALIVE)
        )
        return str(response["id"])

    def _refresh(self) -> None:
        self._connection.call(lambda: self._client.indices.refresh(index=self._index))


def _to_learn_from(model_version: str, *also: Mapping[str, Any]) -> dict[str, Any]:
    """The query of the texts outside the audit share that this version predicted last."""
    mine = [{"term": {"audit": False}}, {"term": {"prediction.model_version": model_version}}]
    return {"bool": {"filter": [*mine, *also]}}

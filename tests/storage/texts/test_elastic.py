"""What only a real Elasticsearch can do to us: refuse under load, die, hang, lose a point-in-time."""

import contextlib
import copy
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from elasticsearch import ApiError, Elasticsearch

from storage.errors import BadInput, Failed, Part, Refused, Unreachable
from storage.records import Prediction, Text
from storage.text import text_id
from storage.texts.elastic import ElasticTextStore
from storage.texts.elastic_documents import MAPPING, to_document
from storage.texts.store import Added, Counts
from tests.fixtures_elasticsearch import Node, running_node
from tests.schemes import named

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
CLIENTS = 12


@pytest.fixture
def store(elasticsearch_url: str, elasticsearch_index: str) -> Iterator[ElasticTextStore]:
    elastic = ElasticTextStore(elasticsearch_url, elasticsearch_index)
    yield elastic
    elastic.close()


def some_texts(first: int, number: int) -> list[Text]:
    texts = [f"Order backlog of unit {each} grew" for each in range(first, first + number)]
    return [Text(text_id(text), text, "feed", False, NOON) for text in texts]


def a_prediction(margin: float = 0.5) -> Prediction:
    return Prediction("positive", named(0.7, 0.2, 0.1), named(2.0, 1.0, 0.0), 0.7, margin, "1", NOON)


def rejected(client: Elasticsearch) -> int:
    answer = client.nodes.stats(metric="thread_pool")
    return sum(node["thread_pool"]["write"]["rejected"] for node in answer["nodes"].values())


@pytest.fixture(scope="module")
def tight_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node of this module's own with one writer and a queue of one: a few clients are too many for it."""
    tight = ("thread_pool.write.size=1", "thread_pool.write.queue_size=1")
    with running_node(tmp_path_factory.mktemp("tight") / "node", *tight) as node:
        yield node


def test_an_overloaded_server_loses_no_text_and_stores_none_twice(tight_node: Node) -> None:
    url = tight_node.url
    shares = [some_texts(share * 250, 500) for share in range(CLIENTS)]  # most texts belong to two clients
    ids = {text.text_id for share in shares for text in share}

    def work(share: list[Text]) -> tuple[Added, int]:
        with contextlib.closing(ElasticTextStore(url, "overloaded", patience=300)) as mine:
            parts = [mine.add(share[start : start + 100]) for start in range(0, len(share), 100)]
            scored = mine.record_predictions((text.text_id, a_prediction()) for text in share)
            return Added(sum(part.new for part in parts), sum(part.known for part in parts)), scored

    with (
        contextlib.closing(ElasticTextStore(url, "overloaded", patience=300)) as store,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        results = list(pool.map(work, shares))
        with Elasticsearch(url) as client:
            assert rejected(client) > 0, "the server never refused: the test shows nothing"
        assert sum(added.new for added, _ in results) == len(ids)
        assert sum(added.known for added, _ in results) == CLIENTS * 500 - len(ids)
        assert [scored for _, scored in results] == [500] * CLIENTS
        assert store.counts() == Counts(len(ids), 0, {"1": len(ids)})
        found = [text.text_id for text in store.lowest_margin("1")]
        assert len(found) == len(set(found))
        assert set(found) == ids


def test_a_frozen_server_costs_time_and_no_text(tight_node: Node) -> None:
    with contextlib.closing(ElasticTextStore(tight_node.url, "frozen")) as store, ThreadPoolExecutor(1) as pool:
        tight_node.process.send_signal(signal.SIGSTOP)
        added = pool.submit(store.add, some_texts(0, 100))
        with pytest.raises(TimeoutError):
            added.result(timeout=1)
        tight_node.process.send_signal(signal.SIGCONT)
        assert added.result(timeout=60) == Added(100, 0)


def test_a_killed_server_costs_time_and_no_text(tmp_path: Path) -> None:
    """One kill -9 and restart under a half-read reader and a half-done ingest; without the restart it is told."""
    texts = some_texts(0, 2_600)
    with running_node(tmp_path / "node") as first, contextlib.ExitStack() as stack:
        store, impatient = ElasticTextStore(first.url, patience=300), ElasticTextStore(first.url, patience=1.0)
        for each in (store, impatient):
            stack.callback(each.close)
        store.add(texts[:1_100])
        reader = store.unscored("1")
        seen = [text.text_id for text in islice(reader, 500)]

        def feed() -> Iterator[Text]:
            yield from texts[:2_300]
            first.process.kill()
            first.process.wait()
            yield from texts[2_300:]

        pool = stack.enter_context(ThreadPoolExecutor(1))
        added = pool.submit(store.add, feed())
        first.process.wait(timeout=60)
        with pytest.raises(Unreachable) as caught:
            impatient.counts()
        assert caught.value.part is Part.ELASTICSEARCH
        with running_node(tmp_path / "node", port=urlsplit(first.url).port or 0):
            assert added.result(timeout=300) == Added(new=1_500, known=1_100)
            seen += [text.text_id for text in reader]
            assert store.counts() == Counts(2_600, 0, {})
    assert len(seen) == len(set(seen))
    assert {text.text_id for text in texts[:1_100]} <= set(seen)


def test_readers_leave_no_point_in_time_open(store: ElasticTextStore, elasticsearch_url: str) -> None:
    store.add(some_texts(0, 1_100))
    with Elasticsearch(elasticsearch_url) as client:

        def opened() -> int:
            answer = client.nodes.stats(metric="indices", index_metric="search")
            return sum(node["indices"]["search"]["open_contexts"] for node in answer["nodes"].values())

        before = opened()
        list(store.unscored("1"))
        left_early = store.unscored("1")
        assert len(list(islice(left_early, 5))) == 5
        assert opened() == before + 1
        left_early.close()  # type: ignore[attr-defined]
        assert opened() == before


def test_an_index_that_is_not_ours_is_refused(elasticsearch_url: str, elasticsearch_index: str) -> None:
    with Elasticsearch(elasticsearch_url) as client:
        client.index(index=elasticsearch_index, document={"message": "somebody's log"})
    with pytest.raises(BadInput, match=f"the index {elasticsearch_index} ") as caught:
        ElasticTextStore(elasticsearch_url, elasticsearch_index)
    assert caught.value.part is Part.ELASTICSEARCH_INDEX


def test_reading_an_index_that_was_deleted_is_told_with_the_servers_reason(
    store: ElasticTextStore, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    store.add(some_texts(0, 3))
    reading = store.unscored("1")
    with contextlib.closing(Elasticsearch(elasticsearch_url)) as client:
        client.indices.delete(index=elasticsearch_index)
    for read in (store.counts, lambda: list(reading)):
        with pytest.raises(Refused, match="answers, but refuses: no such index") as caught:
            read()
        assert caught.value.part is Part.ELASTICSEARCH_INDEX


def test_many_processes_may_make_the_index_at_once(elasticsearch_url: str, elasticsearch_index: str) -> None:
    together = threading.Barrier(8)

    def start(_: int) -> str:
        together.wait()
        with contextlib.closing(ElasticTextStore(elasticsearch_url, elasticsearch_index)) as mine:
            return mine.describe()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1


def test_a_field_that_the_mapping_does_not_know_is_an_error(
    store: ElasticTextStore, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    with Elasticsearch(elasticsearch_url) as client, pytest.raises(ApiError, match="strict_dynamic_mapping"):
        client.index(index=elasticsearch_index, document={"text_id": "x", "sentimnt": "positive"})


def test_a_text_that_the_server_will_never_take_is_named(store: ElasticTextStore) -> None:
    broken = Text("an-id", "text", "x" * 40_000, False, NOON)
    with pytest.raises(Failed, match="an-id"):
        store.add([*some_texts(0, 2), broken])


def test_the_server_names_its_version(store: ElasticTextStore, elasticsearch_url: str) -> None:
    with Elasticsearch(elasticsearch_url) as client:
        assert store.describe() == f"elasticsearch {client.info()['version']['number']}"


def test_an_index_with_the_mapping_of_before_label_schemes_goes_on(
    elasticsearch_url: str, elasticsearch_index: str
) -> None:
    number = {"type": "double", "index": False}
    three = {"properties": dict.fromkeys(("positive", "neutral", "negative"), number)}
    before = copy.deepcopy(dict(MAPPING))
    before["properties"]["prediction"]["properties"] |= {"scores": three, "logits": three}
    (text,) = some_texts(0, 1)
    with Elasticsearch(elasticsearch_url) as client:
        client.indices.create(index=elasticsearch_index, mappings=before)
        old = to_document(replace(text, prediction=a_prediction()))
        client.index(index=elasticsearch_index, id=text.text_id, document=old, refresh=True)
    store = ElasticTextStore(elasticsearch_url, elasticsearch_index)
    assert store.get([text.text_id])[text.text_id].prediction == a_prediction()
    assert store.record_predictions([(text.text_id, a_prediction(0.25))]) == 1
    assert [found.prediction for found in store.lowest_margin("1")] == [a_prediction(0.25)]
    store.close()


def test_scores_of_any_labels_are_kept_and_not_indexed(store: ElasticTextStore, elasticsearch_url: str) -> None:
    (text,) = some_texts(0, 1)
    scores = {f"a label. number {number}": number / 20 for number in range(20)}
    said = Prediction("a label. number 19", scores, scores, 0.95, 0.05, "1", NOON)
    store.add([text])
    assert store.record_predictions([(text.text_id, said)]) == 1
    assert store.get([text.text_id])[text.text_id].prediction == said

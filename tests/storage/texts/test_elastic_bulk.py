"""A server that answers is named with the server's reason; what passes is waited for; no bulk ends half-way."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from elasticsearch import Elasticsearch

from storage.errors import Failed, Part, Refused
from storage.texts.store import Added
from tests.storage.texts.elastic_proxy import larger_than, proxied, without
from tests.storage.texts.test_elastic import some_texts
from tests.storage.texts.test_elastic_index import opened


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    with Elasticsearch(elasticsearch_url, request_timeout=30) as operator:
        yield operator


def test_a_proxy_with_a_small_limit_gets_smaller_bulks(elasticsearch_url: str, elasticsearch_index: str) -> None:
    texts = [replace(text, text=text.text + " word" * 400) for text in some_texts(0, 300)]
    with proxied(elasticsearch_url, larger_than(100_000)) as url, opened(url, elasticsearch_index) as store:
        assert store.add(texts) == Added(300, 0)
        assert store.counts().texts == 300


def test_a_proxy_that_takes_no_text_at_all_is_told_with_the_size(
    elasticsearch_url: str, elasticsearch_index: str
) -> None:
    with proxied(elasticsearch_url, larger_than(200)) as url:
        # The index is made without the proxy, whose limit is too small even for a mapping.
        with opened(elasticsearch_url, elasticsearch_index):
            pass
        with opened(url, elasticsearch_index) as store, pytest.raises(Refused, match="too large") as caught:
            store.add(some_texts(0, 3))
    assert caught.value.part is Part.ELASTICSEARCH_INDEX


def test_a_write_block_is_waited_out(client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str) -> None:
    with opened(elasticsearch_url, elasticsearch_index) as store:
        client.indices.add_block(index=elasticsearch_index, block="write")

        def lift() -> None:
            client.indices.put_settings(index=elasticsearch_index, settings={"index.blocks.write": None})

        timer = threading.Timer(0.5, lift)
        timer.start()
        assert store.add(some_texts(0, 5)) == Added(5, 0)
        timer.join()


def test_a_write_block_that_stays_is_told_with_the_servers_reason(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    with opened(elasticsearch_url, elasticsearch_index, patience=0.5) as store:
        client.indices.add_block(index=elasticsearch_index, block="write")
        with pytest.raises(Refused, match=r"answers, but refuses: 5 of 5 texts .*FORBIDDEN.*write") as caught:
            store.add(some_texts(0, 5))
    assert caught.value.part is Part.ELASTICSEARCH_INDEX


def test_a_closed_index_is_told_with_the_servers_reason(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    with opened(elasticsearch_url, elasticsearch_index, patience=0.5) as store:
        client.indices.close(index=elasticsearch_index)
        with pytest.raises(Refused, match=r"answers, but refuses: .*closed"):
            store.counts()


def test_a_text_that_the_server_will_never_take_does_not_hold_up_the_others(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    first, broken, *others = some_texts(0, 12)
    with opened(elasticsearch_url, elasticsearch_index) as store:
        with pytest.raises(Failed, match=rf"1 of 12 texts; the first is text {broken.text_id}: .*11 are written"):
            store.add([first, replace(broken, source="x" * 40_000), *others])
        assert store.counts().texts == 11


def test_an_account_that_may_only_read_is_told_so(elasticsearch_url: str, elasticsearch_index: str) -> None:
    rule = without("indices:data/write/bulk", lambda _method, path: path.endswith("_bulk"))
    with proxied(elasticsearch_url, rule) as url, opened(url, elasticsearch_index) as store:
        with pytest.raises(Refused, match=r"refuses us: action .indices:data/write/bulk. is unauthorized") as caught:
            store.add(some_texts(0, 3))
        assert caught.value.part is Part.ELASTICSEARCH
        assert store.counts().texts == 0

"""An index as operators have it: an alias, made by others, deleted, of other types, without the right to make it."""

import contextlib
import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from storage.errors import BadInput, Part, Refused
from storage.texts.elastic import ElasticTextStore
from storage.texts.elastic_documents import MAPPING
from storage.texts.store import Added
from tests.storage.texts.elastic_proxy import proxied, without
from tests.storage.texts.test_elastic import NOON, a_prediction, some_texts


@pytest.fixture
def client(elasticsearch_url: str, elasticsearch_index: str) -> Iterator[Elasticsearch]:
    """The operator, whose own index is removed after the test."""
    with Elasticsearch(elasticsearch_url, request_timeout=30) as operator:
        yield operator
        operator.indices.delete(
            index=[f"{elasticsearch_index}-one", f"{elasticsearch_index}-two"], ignore_unavailable=True
        )


def opened(url: str, index: str, patience: float = 60.0) -> contextlib.closing[ElasticTextStore]:
    return contextlib.closing(ElasticTextStore(url, index, patience))


def other_mapping(**fields: Any) -> dict[str, Any]:
    changed = copy.deepcopy(dict(MAPPING))
    changed["properties"] |= fields
    return changed


def types_of(client: Elasticsearch, index: str) -> dict[str, Any]:
    """Field -> type in an index; empty while the index is missing."""
    mappings = client.indices.get_mapping(index=index, ignore_unavailable=True).values()
    return {
        name: field.get("type", "object")
        for found in mappings
        for name, field in found["mappings"]["properties"].items()
    }


OURS = {name: field.get("type", "object") for name, field in MAPPING["properties"].items()}


def test_an_alias_of_one_index_is_as_good_as_an_index(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    client.indices.create(index=f"{elasticsearch_index}-one", mappings=MAPPING, aliases={elasticsearch_index: {}})
    with opened(elasticsearch_url, elasticsearch_index) as store:
        assert store.add(some_texts(0, 3)) == Added(3, 0)
        assert store.counts().texts == client.count(index=f"{elasticsearch_index}-one")["count"] == 3


def test_an_alias_of_several_indices_is_refused_because_a_text_could_be_in_two(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    for name in ("one", "two"):
        client.indices.create(
            index=f"{elasticsearch_index}-{name}", mappings=MAPPING, aliases={elasticsearch_index: {}}
        )
    with pytest.raises(BadInput, match=r"alias of 2 indices \(.*-one, .*-two\)"):
        ElasticTextStore(elasticsearch_url, elasticsearch_index)


def test_an_account_that_may_not_make_indices_uses_the_one_that_is_there(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    client.indices.create(index=elasticsearch_index, mappings=MAPPING)
    rule = without("indices:admin/create", lambda method, path: method == "PUT" and "_bulk" not in path)
    with proxied(elasticsearch_url, rule) as url, opened(url, elasticsearch_index) as store:
        assert store.add(some_texts(0, 3)) == Added(3, 0)
        assert store.counts().texts == 3


def test_an_account_that_may_not_make_the_missing_index_is_told_so(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    rule = without("indices:admin/create", lambda method, _path: method == "PUT")
    with (
        proxied(elasticsearch_url, rule) as url,
        pytest.raises(Refused, match=r"no index .* may not make it") as caught,
    ):
        ElasticTextStore(url, elasticsearch_index)
    assert caught.value.part is Part.ELASTICSEARCH_INDEX


@pytest.mark.parametrize("write", ["texts", "predictions"])
def test_an_index_that_was_deleted_comes_back_with_our_types(
    write: str, client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    texts = some_texts(0, 5)
    with opened(elasticsearch_url, elasticsearch_index) as store:
        store.add(texts)
        client.indices.delete(index=elasticsearch_index)
        if write == "texts":
            assert store.add(replace(text, published_at=NOON) for text in texts) == Added(5, 0)
        assert store.record_predictions([(texts[0].text_id, a_prediction())]) == (1 if write == "texts" else 0)
        assert types_of(client, elasticsearch_index) == OURS
        assert store.counts().texts == (5 if write == "texts" else 0)


def test_an_index_that_is_deleted_while_texts_come_never_gets_guessed_types(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    def vandal() -> None:
        for _ in range(5):
            client.indices.delete(index=elasticsearch_index, ignore_unavailable=True)

    with opened(elasticsearch_url, elasticsearch_index) as store, ThreadPoolExecutor(1) as pool:
        deleting, added = pool.submit(vandal), 0
        while not deleting.done():
            added += store.add(some_texts(added, 1)).new
            assert types_of(client, elasticsearch_index) in (OURS, {})
        deleting.result()
        store.add(some_texts(0, 10))
        assert types_of(client, elasticsearch_index) == OURS


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"text_id": {"type": "text"}}, "the field text_id is text, not keyword"),
        ({"audit": {"type": "keyword"}}, "the field audit is keyword, not boolean"),
        ({"prediction": {"type": "keyword"}}, "the field prediction is keyword, not object"),
        (
            {
                "prediction": {
                    "properties": {**MAPPING["properties"]["prediction"]["properties"], "margin": {"type": "text"}}
                }
            },
            "the field prediction.margin is text, not double",
        ),
    ],
)
def test_a_field_of_another_type_is_named_at_the_start(
    fields: dict[str, Any], fault: str, client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    client.indices.create(index=elasticsearch_index, mappings=other_mapping(**fields))
    with pytest.raises(BadInput, match=fault) as caught:
        ElasticTextStore(elasticsearch_url, elasticsearch_index)
    assert caught.value.part is Part.ELASTICSEARCH_INDEX


def test_an_index_that_keeps_no_source_is_refused(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    client.indices.create(index=elasticsearch_index, mappings={**MAPPING, "_source": {"enabled": False}})
    with pytest.raises(BadInput, match="_source is switched off"):
        ElasticTextStore(elasticsearch_url, elasticsearch_index)


def test_a_field_that_an_older_index_lacks_is_added(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    older = other_mapping()
    del older["properties"]["published_at"]
    client.indices.create(index=elasticsearch_index, mappings=older)
    with opened(elasticsearch_url, elasticsearch_index) as store:
        assert store.add(replace(text, published_at=NOON) for text in some_texts(0, 2)) == Added(2, 0)
    assert types_of(client, elasticsearch_index) == OURS


def test_an_index_without_any_field_yet_gets_ours(
    client: Elasticsearch, elasticsearch_url: str, elasticsearch_index: str
) -> None:
    client.indices.create(index=elasticsearch_index)
    with opened(elasticsearch_url, elasticsearch_index) as store:
        assert store.add(some_texts(0, 2)) == Added(2, 0)
    assert types_of(client, elasticsearch_index) == OURS

"""The contract of production texts, the same on SQLite, PostgreSQL and a real Elasticsearch."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.records import Prediction, Text
from storage.sql.database import open_database
from storage.sql.schema import Base
from storage.text import text_id
from storage.texts.sql import SqlTextStore
from storage.texts.store import NO_VERSION, Added, Counts, TextStore
from tests.schemes import named

MANY = 1_203
"""More than two pages and one batch of either store."""
NOON = datetime(2024, 5, 6, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql", "elasticsearch"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TextStore]:
    if request.param == "elasticsearch":
        from storage.texts.elastic import ElasticTextStore

        url = request.getfixturevalue("elasticsearch_url")
        elastic = ElasticTextStore(url, request.getfixturevalue("elasticsearch_index"))
        yield elastic
        elastic.close()
        return
    postgresql = request.param == "postgresql"
    url = request.getfixturevalue("postgresql_url") if postgresql else f"sqlite:///{tmp_path}/texts.db"
    engine = open_database(url)
    Base.metadata.create_all(engine)
    sql = SqlTextStore(engine)
    yield sql
    sql.close()
    engine.dispose()


def a_text(number: int, audit: bool = False, prediction: Prediction | None = None) -> Text:
    text = f"Company {number} narrowed its loss – “€{number}m”"
    return Text(text_id(text), text, "feed", audit, NOON, NOON - timedelta(hours=number % 50), prediction)


def a_prediction(margin: float, version: str = "1") -> Prediction:
    return Prediction(
        label="negative",
        scores=named(0.1, 0.2, 0.7),
        logits=named(-1.5, 0.1 + 0.2, 2.25),
        confidence=0.7,
        margin=margin,
        model_version=version,
        predicted_at=NOON + timedelta(microseconds=1),
    )


def test_a_text_comes_back_as_it_went_in(store: TextStore) -> None:
    bare = Text(text_id("bare"), "bare", "feed", True, NOON)
    full = a_text(1, prediction=a_prediction(0.1 + 0.2))
    store.add([bare, full])
    assert store.get([bare.text_id, full.text_id]) == {bare.text_id: bare, full.text_id: full}


def test_ids_that_are_not_stored_are_missing_from_the_answer(store: TextStore) -> None:
    store.add([a_text(1)])
    assert store.get([text_id("nowhere")]) == {}
    assert store.get([]) == {}


def test_many_ids_are_got_at_once(store: TextStore) -> None:
    texts = [a_text(number) for number in range(MANY)]
    store.add(texts)
    assert store.get([text.text_id for text in texts]) == {text.text_id: text for text in texts}


def test_a_text_ingested_twice_is_stored_once(store: TextStore) -> None:
    texts = [a_text(number) for number in range(MANY)]
    assert store.add(texts) == Added(new=MANY, known=0)
    assert store.add([*texts, a_text(MANY)]) == Added(new=1, known=MANY)
    assert store.counts().texts == MANY + 1


def test_a_repeat_within_one_ingest_is_known(store: TextStore) -> None:
    assert store.add([a_text(1), a_text(2), a_text(1)]) == Added(new=2, known=1)


def test_feeds_that_overlap_store_each_text_once(store: TextStore) -> None:
    """Opposite orders: writers that lock rows as they come would deadlock."""
    texts = [a_text(number) for number in range(400)]
    feeds = [texts, texts[::-1], texts[200:] + texts[:200], texts]
    with ThreadPoolExecutor(len(feeds)) as pool:
        added = list(pool.map(store.add, feeds))
        answers = [[(text.text_id, a_prediction(0.5)) for text in feed] for feed in feeds]
        assert list(pool.map(store.record_predictions, answers)) == [400] * 4
    assert sum(each.new for each in added) == 400
    assert sum(each.known for each in added) == 1200
    assert store.counts() == Counts(400, 0, {"1": 400})


def test_the_first_of_a_repeat_within_one_ingest_is_kept(store: TextStore) -> None:
    store.add([a_text(1, audit=True), a_text(1, audit=False)])
    assert store.get([a_text(1).text_id]) == {a_text(1).text_id: a_text(1, audit=True)}


def test_a_known_text_keeps_its_audit_flag_and_prediction(store: TextStore) -> None:
    first = a_text(1, audit=True, prediction=a_prediction(0.5))
    store.add([first])
    store.add([a_text(1, audit=False, prediction=a_prediction(0.25, "2"))])
    assert store.get([first.text_id]) == {first.text_id: first}


def test_ingesting_nothing_is_fine(store: TextStore) -> None:
    assert store.add([]) == Added(0, 0)
    assert store.record_predictions([]) == 0
    assert store.counts() == Counts(0, 0, {})


def test_a_prediction_takes_the_place_of_the_last(store: TextStore) -> None:
    text = a_text(1)
    store.add([text])
    assert store.record_predictions([(text.text_id, a_prediction(0.25, "1"))]) == 1
    assert store.record_predictions([(text.text_id, a_prediction(0.75, "2"))]) == 1
    assert store.get([text.text_id])[text.text_id].prediction == a_prediction(0.75, "2")
    assert store.counts() == Counts(1, 0, {"2": 1})


def test_the_same_prediction_twice_is_set_twice(store: TextStore) -> None:
    store.add([a_text(1)])
    answer = [(a_text(1).text_id, a_prediction(0.25))]
    assert store.record_predictions(answer) == store.record_predictions(answer) == 1


def test_predictions_of_unknown_texts_are_left_out(store: TextStore) -> None:
    texts = [a_text(number) for number in range(MANY)]
    store.add(texts)
    strangers = [(text_id(f"stranger {number}"), a_prediction(0.5)) for number in range(7)]
    known = [(text.text_id, a_prediction(0.5)) for text in texts]
    assert store.record_predictions(strangers + known) == MANY
    assert store.counts() == Counts(MANY, 0, {"1": MANY})


def test_unscored_gives_every_text_that_this_version_has_not_answered_once_by_id(store: TextStore) -> None:
    texts = [a_text(number, audit=number % 5 == 0) for number in range(MANY)]
    store.add(texts)
    store.record_predictions((text.text_id, a_prediction(0.5, "2")) for text in texts[:100])
    store.record_predictions((text.text_id, a_prediction(0.5, "1")) for text in texts[100:200])
    found = [text.text_id for text in store.unscored("2")]
    assert found == sorted(text.text_id for text in texts[100:])


def test_every_text_is_unscored_by_no_version(store: TextStore) -> None:
    texts = [a_text(number, audit=number % 3 == 0) for number in range(6)]
    store.add(texts)
    store.record_predictions((text.text_id, a_prediction(0.5, "1")) for text in texts[:4])
    assert [text.text_id for text in store.unscored(NO_VERSION)] == sorted(text.text_id for text in texts)


def test_unscored_gives_each_text_once_while_they_are_being_scored(store: TextStore) -> None:
    store.add(a_text(number) for number in range(MANY))
    seen: list[str] = []
    for text in store.unscored("1"):
        seen.append(text.text_id)
        if len(seen) % 100 == 0:
            store.record_predictions((identity, a_prediction(0.5)) for identity in seen[-100:])
    assert len(seen) == len(set(seen)) == MANY
    assert store.counts().predicted == {"1": MANY // 100 * 100}


def test_lowest_margin_comes_first_and_ties_go_by_text_id(store: TextStore) -> None:
    texts = [a_text(number) for number in range(MANY)]
    store.add(texts)
    margins = {text.text_id: random.Random(1).choice([0.1, 1 / 3, 0.5]) for text in texts}
    margins |= {text.text_id: number / 1000 + 1e-12 * number for number, text in enumerate(texts[:300])}
    store.record_predictions((identity, a_prediction(margin)) for identity, margin in margins.items())
    expected = sorted(margins, key=lambda identity: (margins[identity], identity))
    assert [text.text_id for text in store.lowest_margin("1")] == expected


def test_ties_longer_than_a_page_are_given_whole_and_once(store: TextStore) -> None:
    texts = [a_text(number, prediction=a_prediction(0.1 + 0.2)) for number in range(MANY)]
    store.add(texts)
    assert [text.text_id for text in store.lowest_margin("1")] == sorted(text.text_id for text in texts)


def test_lowest_margin_leaves_out_the_audit_and_other_versions(store: TextStore) -> None:
    store.add(
        [
            a_text(1, prediction=a_prediction(0.5)),
            a_text(2, audit=True, prediction=a_prediction(0.1)),
            a_text(3, prediction=a_prediction(0.1, "2")),
            a_text(4),
        ]
    )
    assert [text.text_id for text in store.lowest_margin("1")] == [a_text(1).text_id]


def test_random_texts_gives_every_text_of_the_version_outside_the_audit_once(store: TextStore) -> None:
    texts = [a_text(number, audit=number % 3 == 0, prediction=a_prediction(0.5)) for number in range(MANY)]
    store.add([*texts, a_text(MANY, prediction=a_prediction(0.5, "2")), a_text(MANY + 1)])
    drawn = [text.text_id for text in store.random_texts("1", 7)]
    assert sorted(drawn) == sorted(text.text_id for text in texts if not text.audit)


def test_random_texts_is_fixed_by_its_seed_and_the_same_in_every_store(store: TextStore) -> None:
    texts = [a_text(number, prediction=a_prediction(number / 20)) for number in range(20)]
    store.add(texts[:10])
    store.add(texts[10:])
    drawn = {seed: [text.text for text in store.random_texts("1", seed)] for seed in range(8)}
    assert drawn[3] == [text.text for text in store.random_texts("1", 3)]
    assert len({tuple(order) for order in drawn.values()}) > 4
    assert [words[:10] for words in drawn[3][:2]] == ["Company 1 ", "Company 13"]


def test_the_first_random_texts_are_a_fair_sample(store: TextStore) -> None:
    """Of every kind of text about as many as there are: here, by ingest and by margin."""
    texts = [a_text(number, prediction=a_prediction(number / MANY)) for number in range(MANY)]
    store.add(texts)
    firsts = [texts_of_seed for seed in range(30) for texts_of_seed in islice(store.random_texts("1", seed), 40)]
    margins = [text.prediction.margin for text in firsts if text.prediction]
    assert abs(sum(margins) / len(margins) - 0.5) < 0.05


def test_random_audit_gives_every_audit_text_once_and_no_other(store: TextStore) -> None:
    texts = [a_text(number, audit=number % 2 == 0) for number in range(MANY)]
    store.add(texts)
    drawn = list(store.random_audit(7))
    assert sorted(text.text_id for text in drawn) == sorted(text.text_id for text in texts if text.audit)
    assert all(text.audit for text in drawn)


def test_random_audit_is_fixed_by_its_seed(store: TextStore) -> None:
    texts = [a_text(number, audit=True) for number in range(300)]
    store.add(texts[:200])
    store.add(texts[200:])
    seven = [text.text_id for text in store.random_audit(7)]
    assert seven == [text.text_id for text in store.random_audit(7)]
    assert seven != [text.text_id for text in store.random_audit(8)]
    assert seven != sorted(seven)


def test_every_store_draws_the_same_audit(store: TextStore) -> None:
    store.add(a_text(number, audit=True) for number in range(20))
    first, second, *_ = (text.text for text in store.random_audit(3))
    assert (first[:10], second[:10]) == ("Company 18", "Company 4 ")


def test_a_reader_that_is_left_early_lets_go(store: TextStore) -> None:
    store.add(a_text(number, audit=number % 2 == 0, prediction=a_prediction(0.5)) for number in range(MANY))
    readers = (store.unscored("2"), store.lowest_margin("1"), store.random_texts("1", 1), store.random_audit(1))
    for reader in readers:
        assert len(list(islice(reader, 3))) == 3
    store.add([a_text(MANY)])
    assert store.counts().texts == MANY + 1


def test_counts_see_everything_written_before(store: TextStore) -> None:
    for number in range(5):
        store.add([a_text(number, audit=number < 2)])
        assert store.counts() == Counts(number + 1, min(number + 1, 2), {"1": number} if number else {})
        store.record_predictions([(a_text(number).text_id, a_prediction(0.5))])
        assert len(list(store.unscored("1"))) == 0


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.floats(0, 1), st.sampled_from("ab")), max_size=40))
def test_any_history_of_ingests_and_predictions_reads_like_a_dictionary(
    store: TextStore, history: list[tuple[int, bool, float, str]]
) -> None:
    model = {text.text_id: text for text in store.unscored("none")}
    for number, audit, margin, version in history:
        text = a_text(number, audit)
        store.add([text])
        known = model.get(text.text_id, text)
        prediction = a_prediction(margin, version)
        store.record_predictions([(text.text_id, prediction)])
        model[text.text_id] = a_text(number, known.audit, prediction)
    assert store.get(list(model)) == model
    mine = [
        text for text in model.values() if not text.audit and text.prediction and text.prediction.model_version == "a"
    ]
    expected = sorted((text.prediction.margin if text.prediction else 0.0, text.text_id) for text in mine)
    assert [text.text_id for text in store.lowest_margin("a")] == [identity for _, identity in expected]
    assert [text.text_id for text in store.unscored("b")] == sorted(
        text.text_id for text in model.values() if text.prediction and text.prediction.model_version == "a"
    )
    assert store.counts().audit == sum(text.audit for text in model.values())


def test_the_store_names_itself(store: TextStore, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["store"]
    assert store.describe().split()[0] == kind

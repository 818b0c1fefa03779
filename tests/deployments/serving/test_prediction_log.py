import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from deployments.serving.app import create_app
from deployments.serving.prediction_log import LogPolicy, PredictionLog
from storage.errors import Part, Unreachable
from storage.models.registry import Registry
from storage.records import Prediction, Text
from storage.sql.database import migrate, open_database
from storage.text import cluster_key, in_audit, text_id
from storage.texts.intake import Intake
from storage.texts.sql import SqlTextStore
from storage.texts.store import Added, TextStore
from tests.deployments.serving.models import register_model, wait_until
from tests.schemes import LABELS, SENTIMENT, named

POSITIVE = Prediction(
    label="positive",
    scores=named(0.7, 0.2, 0.1),
    logits=named(2.0, 1.0, 0.0),
    confidence=0.7,
    margin=0.5,
    model_version="1",
    predicted_at=datetime(2026, 1, 2, tzinfo=UTC),
)
QUICK = LogPolicy(capacity=50, batch=10, tries=3, wait=0.01)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TextStore]:
    engine = open_database(f"sqlite:///{tmp_path}/texts.db")
    migrate(engine)
    yield SqlTextStore(engine)
    engine.dispose()


class Failing(SqlTextStore):
    """A real store whose writes fail for as long as `failures` lasts, or with the text `poison`, or wait for `gate`."""

    failures = 0
    poison = ""
    gate = threading.Event()

    def add(self, texts: Iterable[Text]) -> Added:
        assert self.gate.wait(30)
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("the disk is away")
        given = list(texts)
        if any(text.text_id == self.poison for text in given):
            raise ValueError("this text cannot be stored")
        return super().add(given)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Failing]:
    engine = open_database(f"sqlite:///{tmp_path}/failing.db")
    migrate(engine)
    made = Failing(engine)
    made.gate = threading.Event()
    yield made
    made.gate.set()
    engine.dispose()


def test_served_texts_are_stored_with_prediction_source_and_audit_flag(store: TextStore) -> None:
    log = PredictionLog(lambda: store, Intake("salt", 0.5), QUICK)
    log.start()
    texts = [f"profit rose in {chr(0x4E00 + number)}" for number in range(40)]
    log.offer(texts, [POSITIVE] * 40)
    log.close()
    kept = store.get([text_id(text) for text in texts])
    assert len(kept) == 40 == log.written
    assert {text.source for text in kept.values()} == {"serving"}
    assert all(text.prediction == POSITIVE for text in kept.values())
    assert {key: text.audit for key, text in kept.items()} == {
        key: in_audit(cluster_key(text.text), "salt", 0.5) for key, text in kept.items()
    }
    assert 0 < sum(text.audit for text in kept.values()) < 40


def test_of_two_answers_to_one_text_the_later_is_kept(store: TextStore) -> None:
    log = PredictionLog(lambda: store, Intake("salt", 0.1), QUICK)
    log.start()
    later = replace(POSITIVE, model_version="2")
    log.offer(["profit rose", "profit rose"], [POSITIVE, later])
    log.close()
    assert store.get([text_id("profit rose")])[text_id("profit rose")].prediction == later


def test_an_offer_never_waits_and_what_does_not_fit_is_counted(failing: Failing) -> None:
    log = PredictionLog(lambda: failing, Intake("salt", 0.1), QUICK)
    log.start()
    log.offer(["the first"], [POSITIVE])
    wait_until(lambda: log.waiting == 0, "batch taken")
    log.offer([f"text {number}" for number in range(70)], [POSITIVE] * 70)  # the writer is stuck in the store
    assert (log.waiting, log.dropped) == (50, 20)
    failing.gate.set()
    log.close()
    assert (log.written, log.dropped) == (51, 20)


def test_a_store_that_fails_for_a_while_loses_nothing(failing: Failing) -> None:
    failing.gate.set()
    failing.failures = 2
    log = PredictionLog(lambda: failing, Intake("salt", 0.1), QUICK)
    log.start()
    log.offer(["profit rose"], [POSITIVE])
    wait_until(lambda: log.written == 1, "write")
    log.close()
    assert (log.errors, log.dropped) == (2, 0)


def test_a_store_that_is_away_at_the_start_is_opened_by_a_later_try(store: TextStore) -> None:
    asked = 0

    def away_at_first() -> TextStore:
        nonlocal asked
        asked += 1
        if asked < QUICK.tries:
            raise Unreachable(Part.ELASTICSEARCH, "http://127.0.0.1:9", "refused")
        return store

    log = PredictionLog(away_at_first, Intake("salt", 0.1), QUICK)
    log.start()
    log.offer(["profit rose"], [POSITIVE])
    wait_until(lambda: log.written == 1, "write")
    log.close()
    assert (log.errors, log.dropped) == (QUICK.tries - 1, 0)


def test_after_the_last_try_a_batch_is_dropped_and_the_next_one_is_written(failing: Failing) -> None:
    failing.gate.set()
    failing.failures = QUICK.tries
    log = PredictionLog(lambda: failing, Intake("salt", 0.1), QUICK)
    log.start()
    log.offer(["profit rose"], [POSITIVE])
    wait_until(lambda: log.dropped == 1, "drop")
    log.offer(["profit fell"], [POSITIVE])
    log.close()
    assert (log.written, log.dropped, log.errors) == (1, 1, QUICK.tries)


@pytest.mark.parametrize("place", [0, 13, 29])
def test_one_text_that_cannot_be_stored_loses_only_itself(failing: Failing, place: int) -> None:
    texts = [f"text {number}" for number in range(30)]
    failing.gate.set()
    failing.poison = text_id(texts[place])
    log = PredictionLog(lambda: failing, Intake("salt", 0.1), QUICK)
    log.start()
    log.offer(texts, [POSITIVE] * 30)
    wait_until(lambda: log.dropped == 1, "drop")
    log.close()
    assert log.written == 29 and len(failing.get([text_id(text) for text in texts])) == 29


def test_a_store_that_hangs_does_not_hold_up_the_end(failing: Failing) -> None:
    log = PredictionLog(lambda: failing, Intake("salt", 0.1), QUICK)
    log.start()
    log.offer([f"text {number}" for number in range(30)], [POSITIVE] * 30)
    log.close(seconds=0.1)
    assert log.written == 0


def test_the_service_logs_what_it_answered(store: TextStore, tiny_model: Path, tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "models", LABELS)
    registry.set_alias("champion", register_model(registry, tiny_model, tmp_path / "m", "data").version)
    log = PredictionLog(lambda: store, Intake("salt", 0.1))
    with TestClient(create_app(registry, SENTIMENT, admin_token="", log=log)) as asking:
        wait_until(lambda: asking.get("/readyz").status_code == 200, "ready service")
        answer = asking.post("/predict", json={"text": "  profit \n rose "}).json()
        wait_until(lambda: log.written == 1, "stored answer")
        assert "finloop_log_written_texts 1.0" in asking.get("/metrics").text
    kept = store.get([text_id("profit rose")])[text_id("profit rose")]
    assert kept.text == "profit rose"
    assert kept.prediction is not None and kept.prediction.label == answer["label"]
    assert kept.prediction.model_version == answer["model_version"]

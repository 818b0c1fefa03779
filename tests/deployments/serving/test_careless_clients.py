"""One client's carelessness costs the others nothing: a real server, with a model that the tests hold and break."""

import gzip
import json
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NoReturn

import httpx
import pytest

from deployments.serving.app import create_app
from deployments.serving.prediction_log import PredictionLog
from deployments.serving.swap import Model, load_classifier
from deployments.serving.wire import BODY, MAX_TEXTS
from storage.text import MAX_CHARACTERS
from storage.texts.intake import Intake
from tests.deployments.serving.models import Home, serve, wait_until
from tests.deployments.web.clients import Raw
from tests.schemes import SENTIMENT
from training.model.classifier import Predicted

TEXT = "Net sales rose"
JSON = {"Content-Type": "application/json"}


@dataclass
class Breakable:
    """A real model that can be held, and that fails on texts with "poison", or on all."""

    model: Model
    seen: list[str] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    lost: bool = False

    def predict(self, texts: Sequence[str]) -> Predicted:
        assert self.go.wait(60)
        self.seen += texts
        if self.lost or any("poison" in text for text in texts):
            raise IndexError("index out of range in /secret/path")
        return self.model.predict(texts)


@dataclass
class Running:
    """A running service."""

    address: str
    model: Breakable

    def waiting(self) -> float:
        page = httpx.get(f"{self.address}/metrics").text
        found = re.search(r"^finloop_waiting_texts (\S+)", page, re.MULTILINE)
        assert found is not None
        return float(found[1])


def away() -> NoReturn:
    raise OSError("the text store is away")


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[Running]:
    models: list[Breakable] = []

    def load(folder: object, labels: Sequence[str]) -> Model:
        models.append(Breakable(load_classifier(home.registry.folder(home.one), labels)))
        models[-1].go.set()
        return models[-1]

    log = PredictionLog(away, Intake("salt", 0.1))
    app = create_app(home.registry, SENTIMENT, admin_token="", log=log, load=load)
    with serve(app) as address:
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200, "ready service")
        yield Running(address, models[0])


@pytest.fixture
def running(service: Running) -> Iterator[Running]:
    """The service, at rest."""
    service.model.seen.clear()
    yield service
    service.model.lost = False
    service.model.go.set()
    wait_until(lambda: service.waiting() == 0, "rest")


def test_texts_of_clients_that_left_are_not_computed_and_shut_nobody_out(running: Running) -> None:
    running.model.go.clear()
    clients = [Raw(running.address) for _ in range(16)]
    for index, client in enumerate(clients):
        client.post("/predict", {"texts": [f"sales {index} {number}" for number in range(MAX_TEXTS)]})
    wait_until(lambda: running.waiting() >= 12 * MAX_TEXTS, "full queue")
    assert httpx.post(f"{running.address}/predict", json={"texts": [TEXT] * MAX_TEXTS}).status_code == 503
    with ThreadPoolExecutor(1) as asking:
        single = asking.submit(httpx.post, f"{running.address}/predict", json={"text": TEXT}, timeout=30)
        wait_until(lambda: running.waiting() % MAX_TEXTS == 1, "single text in the queue")
        for client in clients:
            client.close()
        wait_until(lambda: running.waiting() == 1, "end of the work for nobody")
        running.model.go.set()
        assert single.result().status_code == 200
    assert len(running.model.seen) <= 2 * 32
    assert 'finloop_requests_total{status="499"}' in httpx.get(f"{running.address}/metrics").text


def test_a_text_on_which_the_model_raises_fails_alone_and_connections_stay(running: Running) -> None:
    clients = [Raw(running.address) for _ in range(6)]
    bodies = [{"text": f"{TEXT} {number}"} for number in range(4)]
    for _ in range(2):
        running.model.go.clear()
        asked = [*bodies, {"texts": [TEXT] * 100}, {"texts": [TEXT, "poison", TEXT]}]
        for client, body in zip(clients, asked, strict=True):
            client.post("/predict", body)
        wait_until(lambda: running.waiting() == 107, "all requests in the queue")
        running.model.go.set()
        answers = [client.read() for client in clients]
        assert [status for status, _, _ in answers] == [200] * 5 + [422]
        assert answers[-1][2]["detail"] == "texts[1]: the model cannot predict this text (IndexError)"
    assert httpx.get(f"{running.address}/readyz").status_code == 200
    page = httpx.post(f"{running.address}/", data={"text": "poison"})
    assert page.status_code == 422 and "cannot predict" in page.text and "secret" not in page.text


def test_a_model_that_always_fails_makes_the_service_not_ready(running: Running) -> None:
    running.model.lost = True
    answer = httpx.post(f"{running.address}/predict", json={"text": TEXT})
    assert answer.status_code == 503 and answer.headers["retry-after"]
    ready = httpx.get(f"{running.address}/readyz")
    assert ready.status_code == 503 and "fails on every text" in ready.json()["reason"]
    assert httpx.get(f"{running.address}/healthz").status_code == 200
    running.model.lost = False
    assert httpx.post(f"{running.address}/predict", json={"text": TEXT}).status_code == 200
    assert httpx.get(f"{running.address}/readyz").status_code == 200


def test_the_bound_of_a_body_is_that_of_the_longest_request() -> None:
    longest = {"texts": ["\U0001f600" * MAX_CHARACTERS] * MAX_TEXTS, "logits": True}
    assert 0.99 * BODY.size < len(json.dumps(longest, indent=8)) <= BODY.size


def test_a_large_request_is_answered_and_delays_no_other(running: Running) -> None:
    body = json.dumps({"texts": ["\U0001f600" * 1000] * MAX_TEXTS, "logits": True}, indent=8).encode()
    slowest = 0.0
    with ThreadPoolExecutor(1) as asking:
        large = asking.submit(httpx.post, f"{running.address}/predict", content=body, headers=JSON, timeout=60)
        while not large.done():
            slowest = max(slowest, httpx.get(f"{running.address}/healthz").elapsed.total_seconds())
        assert large.result().status_code == 200
    assert 0 < slowest < 1
    refused = httpx.post(f"{running.address}/predict", content=b" " * (BODY.size + 1), headers=JSON)
    assert refused.status_code == 413 and "256 texts of 20,000 characters" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "named"),
    [
        (b'{"texts": [' + b'"", ' * 255 + b'""]}', JSON, 422, "texts[0]: the text is empty"),
        (json.dumps({"text": "\ufdfa" * 2_000_000}).encode(), JSON, 422, "2,000,000 characters"),
        (b'{"text": "a", "logits": NaN}', JSON, 422, "not JSON"),
        (b"[" * 100_000, JSON, 422, "not JSON"),
        (b'{"text": "a\\u0000"}', JSON, 422, "character"),
        (gzip.compress(b'{"text": "a"}'), {**JSON, "Content-Encoding": "gzip"}, 415, "gzip"),
        (b'{"text": "a"}', {"Content-Type": "text/plain"}, 415, "application/json"),
    ],
)
def test_what_cannot_be_read_is_refused_in_few_words(
    running: Running, content: bytes, headers: dict[str, str], status: int, named: str
) -> None:
    answer = httpx.post(f"{running.address}/predict", content=content, headers=headers)
    assert answer.status_code == status and named in answer.json()["detail"] and len(answer.content) < 300


@pytest.mark.parametrize("path", ["/predict", "/", "/admin/load", "/admin/swap", "/readyz"])
def test_no_route_takes_a_body_without_end(running: Running, path: str) -> None:
    client = Raw(running.address)
    client.head(f"POST {path}", "Content-Length: 500000000", *(f"{name}: {value}" for name, value in JSON.items()))
    status, _, said = client.read()
    assert status == 413 and "bytes" in said["detail"]
    client.close()


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/model", "/metrics", "/docs", "/openapi.json"])
def test_head_is_answered_wherever_get_is(running: Running, path: str) -> None:
    answer = httpx.head(f"{running.address}{path}")
    assert answer.status_code == 200 and answer.content == b""

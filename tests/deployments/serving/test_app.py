import asyncio
import html
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from deployments.serving.app import create_app, wired
from deployments.serving.swap import Model, load_classifier
from flows.wiring.parts import Parts, open_parts
from storage.models.registry import Registry
from tests.deployments.serving.models import Home, flip_a_bit, free_port, register_model, serve, wait_until
from tests.fixtures_home import a_verdict, register
from tests.fixtures_models import write_tiny_model
from tests.schemes import LABELS, SENTIMENT, scheme_of

TOKEN = "let me in"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
SUBJECTS = ("profit", "revenue", "net sales", "the forecast", "the dividend")
VERBS = ("rose", "fell sharply", "was held", "missed the forecast", "beat the record of the year")
TEXTS = tuple(
    f"The company said {subject} {verb} in quarter {quarter} by {number} %"
    for subject in SUBJECTS
    for verb in VERBS
    for quarter in range(1, 5)
    for number in (3, 17)
)


@pytest.fixture
def client(home: Home) -> Iterator[httpx.Client]:
    """A client of a running service that is ready."""
    app = create_app(home.registry, SENTIMENT, admin_token=TOKEN, log=None)
    with serve(app) as address, httpx.Client(base_url=address, timeout=30) as asking:
        wait_until(lambda: asking.get("/readyz").status_code == 200, "ready service")
        yield asking


def scores(answer: dict[str, Any]) -> list[float]:
    return [answer["scores"][label] for label in LABELS]


def test_the_served_answer_equals_the_offline_one_on_200_texts(client: httpx.Client, home: Home) -> None:
    assert len(TEXTS) == len(set(TEXTS)) == 200
    body = client.post("/predict", json={"texts": TEXTS, "logits": True}).raise_for_status().json()
    offline = home.offline(home.one).predict(TEXTS)
    served = np.array([scores(answer) for answer in body["predictions"]])
    raw = np.array([[answer["logits"][label] for label in LABELS] for answer in body["predictions"]])
    np.testing.assert_allclose(served, offline.probabilities, atol=1e-4)
    np.testing.assert_allclose(raw, offline.logits, atol=1e-4)
    assert [answer["label"] for answer in body["predictions"]] == [
        LABELS[index] for index in offline.probabilities.argmax(axis=1)
    ]
    assert body["model_version"] == home.one
    assert len({round(row[0], 4) for row in served.tolist()}) > 20, "the texts hardly differ for this model"


def test_a_text_that_is_read_in_part_says_so_everywhere(client: httpx.Client) -> None:
    long = "profit rose " * 200
    body = client.post("/predict", json={"texts": [TEXTS[0], long]}).raise_for_status().json()
    assert [answer["truncated"] for answer in body["predictions"]] == [False, True]
    hidden = '<p class="warning" id="truncated" hidden>'
    assert hidden not in client.post("/", data={"text": long}).text
    assert hidden in client.post("/", data={"text": TEXTS[0]}).text
    (counted,) = re.findall(r"(?m)^finloop_truncated_texts_total (\S+)", client.get("/metrics").text)
    assert float(counted) >= 2


def test_one_text_gets_one_answer_with_named_scores_and_the_version(client: httpx.Client, home: Home) -> None:
    answer = client.post("/predict", json={"text": TEXTS[0]}).raise_for_status().json()
    assert answer.keys() == {"label", "scores", "confidence", "model_version", "truncated"}
    assert answer["scores"].keys() == {"positive", "neutral", "negative"}
    assert answer["confidence"] == answer["scores"][answer["label"]] == max(answer["scores"].values())
    assert answer["model_version"] == home.one


@pytest.mark.parametrize("where", ["body", "query"])
def test_raw_logits_come_on_request_only(client: httpx.Client, where: str) -> None:
    body: dict[str, Any] = {"text": TEXTS[0]} | ({"logits": True} if where == "body" else {})
    answer = client.post("/predict" + ("?logits=true" if where == "query" else ""), json=body).json()
    raw = np.array([answer["logits"][label] for label in LABELS])
    np.testing.assert_allclose(np.exp(raw) / np.exp(raw).sum(), scores(answer), atol=1e-5)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"texts": ["fine", " \n "]}, "texts[1]: the text is empty"),
        ({"texts": ["x" * 100_000]}, "texts[0]: the text has 100,000 characters"),
        ({"text": "x" * 20_001}, "text: the text has 20,001 characters"),
        ({"text": "a\x00b"}, "text: the text holds a character"),
        ({"texts": ["x"] * 257}, "texts"),
        ({"texts": []}, "texts"),
        ({}, "either"),
        ({"text": "x", "texts": ["x"]}, "either"),
        ({"text": 7}, "text"),
        ({"txt": "x"}, "txt"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_and_its_place_named(
    client: httpx.Client, body: dict[str, Any], named: str
) -> None:
    response = client.post("/predict", json=body)
    assert response.status_code == 422
    assert named in response.json()["detail"]
    assert len(response.content) < 1000


@pytest.mark.parametrize("content", [b'{"text": "\\ud800"}', b'{"text": ', b"\xff", b"[]", b""])
def test_a_malformed_body_is_the_callers_fault(client: httpx.Client, content: bytes) -> None:
    response = client.post("/predict", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}]
)
@pytest.mark.parametrize("path", ["/admin/load", "/admin/swap"])
def test_admin_calls_need_the_token(client: httpx.Client, home: Home, headers: dict[str, str], path: str) -> None:
    response = client.post(path, json={"version": home.two}, headers=headers)
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert client.get("/model").json()["version"] == home.one


def test_without_a_configured_token_nobody_is_let_in(home: Home) -> None:
    with TestClient(create_app(home.registry, SENTIMENT, admin_token="", log=None)) as asking:
        for headers in ({}, {"Authorization": "Bearer "}, ADMIN):
            response = asking.post("/admin/load", json={"version": home.two}, headers=headers)
            assert response.status_code == 401
            assert "FINLOOP_ADMIN_TOKEN" in response.json()["detail"]


def test_swaps_under_load_fail_no_request_and_mix_no_answer(client: httpx.Client, home: Home) -> None:
    offline = {version: home.offline(version).predict(TEXTS).probabilities for version in (home.one, home.two)}
    assert np.abs(offline[home.one] - offline[home.two]).max() > 0.05, "the versions answer alike: mixing would hide"
    stop, answered, problems = threading.Event(), dict.fromkeys(offline, 0), list[str]()
    counting = threading.Lock()

    def ask(first: int) -> None:
        with httpx.Client(base_url=client.base_url, timeout=5) as asking:
            start = first
            while not stop.is_set():
                chosen = [index % len(TEXTS) for index in range(start, start + 1 + start % 70)]
                response = asking.post("/predict", json={"texts": [TEXTS[index] for index in chosen]})
                problem = judge(response, chosen)
                with counting:
                    problems.extend(problem)
                start += 7

    def judge(response: httpx.Response, chosen: list[int]) -> list[str]:
        if response.status_code != 200:
            return [response.text]
        body = response.json()
        named = {answer["model_version"] for answer in body["predictions"]} | {body["model_version"]}
        served = np.array([scores(answer) for answer in body["predictions"]])
        if len(named) != 1 or not np.allclose(served, offline[body["model_version"]][chosen], atol=1e-4):
            return [f"mixed: {named}"]
        answered[body["model_version"]] += 1
        return []

    threads = [threading.Thread(target=ask, args=(first,)) for first in (0, 31, 77)]
    for thread in threads:
        thread.start()
    for turn in range(10):
        version = (home.two, home.one)[turn % 2]
        for call in ("/admin/load", "/admin/swap", "/admin/swap"):
            client.post(call, json={"version": version}, headers=ADMIN).raise_for_status()
        goal = answered[version] + 4
        wait_until(partial(reached, answered, version, goal), f"answers by {version}")
    stop.set()
    for thread in threads:
        thread.join(30)
    assert problems == []
    assert min(answered.values()) >= 15


def reached(answered: dict[str, int], version: str, goal: int) -> bool:
    return answered[version] >= goal


def test_a_version_that_was_not_loaded_cannot_be_swapped_in(client: httpx.Client, home: Home) -> None:
    response = client.post("/admin/swap", json={"version": home.two}, headers=ADMIN)
    assert response.status_code == 409
    assert "load it first" in response.json()["detail"]
    assert client.post("/admin/load", json={"version": "99"}, headers=ADMIN).status_code == 404


def test_one_flipped_bit_is_refused_and_the_old_model_goes_on_and_it_shows(client: httpx.Client, home: Home) -> None:
    weights = home.registry.folder(home.three) / "model.safetensors"
    flip_a_bit(weights)
    try:
        response = client.post("/admin/load", json={"version": home.three}, headers=ADMIN)
    finally:
        flip_a_bit(weights)
    assert response.status_code == 422
    assert "model.safetensors" in response.json()["detail"]
    assert client.post("/admin/swap", json={"version": home.three}, headers=ADMIN).status_code == 409
    assert client.post("/predict", json={"text": TEXTS[0]}).json()["model_version"] == home.one
    model = client.get("/model").json()
    assert model["version"] == home.one
    assert "model.safetensors" in model["last_error"]["reason"] and model["last_error"]["version"] == home.three
    assert "model.safetensors" in client.get("/readyz").json()["last_error"]
    assert "The last load failed" in client.get("/").text


def test_without_a_model_nothing_is_answered_and_the_reason_is_given(tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "models", LABELS)
    with TestClient(create_app(registry, SENTIMENT, admin_token=TOKEN, log=None)) as asking:
        assert asking.get("/healthz").status_code == 200
        wait_until(lambda: "no champion yet" in asking.get("/readyz").json()["reason"], "reason")
        assert asking.get("/readyz").status_code == 503
        response = asking.post("/predict", json={"text": "profit rose"})
        assert response.status_code == 503 and "no champion yet" in response.json()["detail"]
        assert asking.get("/model").json()["version"] is None
        assert asking.get("/").status_code == 200


def test_a_slow_model_never_holds_up_the_event_loop(home: Home) -> None:
    release = threading.Event()

    class Slow:
        def __init__(self, model: Model) -> None:
            self._model, self.asked = model, 0

        def predict(self, texts: Any) -> Any:
            self.asked += 1
            if self.asked > 1:  # the first is the probe
                assert release.wait(30)
            return self._model.predict(texts)

    app = create_app(
        home.registry,
        SENTIMENT,
        admin_token=TOKEN,
        log=None,
        load=lambda folder, labels: Slow(load_classifier(folder, labels)),
    )

    async def story(address: str) -> None:
        async with httpx.AsyncClient(base_url=address, timeout=30) as asking:
            held = asyncio.create_task(asking.post("/predict", json={"text": TEXTS[0]}))
            for _ in range(20):
                assert (await asyncio.wait_for(asking.get("/healthz"), 2)).status_code == 200
            assert not held.done()
            release.set()
            assert (await held).status_code == 200

    with serve(app) as address:
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200, "ready service")
        asyncio.run(story(address))


def test_model_says_where_the_served_version_came_from(client: httpx.Client, home: Home) -> None:
    home.registry.record_verdict(home.one, a_verdict(home.one))
    model = client.get("/model").json()
    assert model["aliases"] == ["champion"] and model["verdict"]["decision"] == "promote"
    assert (model["base_model"], model["exposed"], model["dataset_version"]) == ("tiny", False, "data-0")
    assert model["metrics"] == {"macro_f1": 0.5} and model["last_error"] is None


def test_metrics_count_requests_and_name_the_served_version(client: httpx.Client, home: Home) -> None:
    client.post("/predict", json={"texts": TEXTS[:3]})
    client.post("/predict", json={"text": ""})
    page = client.get("/metrics").text
    assert 'finloop_requests_total{status="200"} 1.0' in page
    assert 'finloop_requests_total{status="422"} 1.0' in page
    assert f'finloop_model_served{{version="{home.one}"}} 1.0' in page


def test_the_api_pages_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    for page in ("/docs", "/redoc"):
        sources = re.findall(r'(?:src|href)="([^"]+)"', client.get(page).text)
        assert sources
        assert [source for source in sources if not source.startswith("/")] == []
        assert {client.get(source).status_code for source in sources} == {200}


def test_the_page_answers_a_posted_form_and_escapes_what_was_asked(client: httpx.Client) -> None:
    asked = "<script>alert('profit rose')</script>"
    page = client.post("/", data={"text": asked})
    answer = client.post("/predict", json={"text": asked}).json()
    assert page.status_code == 200
    assert "<script>alert" not in page.text and "&lt;script&gt;alert" in page.text
    for label, score in answer["scores"].items():
        shown = re.search(rf'data-label="{label}".*?<output>([^<]*)<', page.text, re.DOTALL)
        assert shown is not None and shown[1] == f"{score:.3f}"
    assert "src=" not in page.text and "http" not in page.text, "the page must need nothing from elsewhere"
    assert client.post("/", data={"text": " "}).status_code == 422


NAMES = ('Said "so" & confirmed', "rumour", "no claim", "other")
HARD = scheme_of(*NAMES, name="claims", obvious=[("It is so.", "rumour")])


@pytest.fixture
def four(tiny_model: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A service for a scheme of four labels with names that need escaping."""
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "models", HARD.names)
    model = write_tiny_model(tmp_path / "tiny", HARD.names[::-1])
    made = register_model(registry, model, tmp_path / "m", "data", labels=HARD.names[::-1])
    registry.set_alias("champion", made.version)
    with TestClient(create_app(registry, HARD, admin_token=TOKEN, log=None)) as asking:
        wait_until(lambda: asking.get("/readyz").status_code == 200, "ready service")
        yield asking


def test_a_scheme_of_other_labels_is_served_by_name_and_in_its_order(four: TestClient) -> None:
    answer = four.post("/predict?logits=true", json={"text": TEXTS[0]}).json()
    assert tuple(answer["scores"]) == tuple(answer["logits"]) == HARD.names
    assert sum(answer["scores"].values()) == pytest.approx(1)
    assert answer["label"] == max(answer["scores"], key=lambda name: answer["scores"][name])


def test_the_page_and_the_documentation_are_of_the_scheme(four: TestClient) -> None:
    page = four.post("/", data={"text": TEXTS[0]}).text
    assert [html.unescape(name) for name in re.findall(r'data-label="([^"]*)"', page)] == list(HARD.names)
    assert "claims" in page and "It is so." in page and "sentiment" not in page
    assert page.count(HARD.labels[0].colour) >= 4
    api = four.get("/openapi.json").json()
    assert "claims" in api["info"]["summary"] and "entiment" not in str(api)
    shown = api["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["example"]
    assert tuple(shown["scores"]) == HARD.names and sum(shown["scores"].values()) == pytest.approx(1, abs=1e-3)
    assert "$ref" in str(api["paths"]["/predict"]["post"]["requestBody"]), "the example stands beside the schema"


def test_a_killed_service_serves_the_champion_again(home: Home, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, uvicorn\nfrom pathlib import Path\n"
        "from deployments.serving.app import create_app\nfrom storage.models.registry import Registry\n"
        "from storage.scheme import find_scheme\nscheme = find_scheme('sentiment')\n"
        "app = create_app(Registry(sys.argv[1], Path(sys.argv[2]), scheme.names), scheme, admin_token='', log=None)\n"
        "uvicorn.run(app, host='127.0.0.1', port=int(sys.argv[3]), log_level='warning')\n"
    )
    root = home.registry.folder(home.one).parents[3]
    port = free_port()
    arguments = [sys.executable, str(script), f"sqlite:///{root}/mlflow.db", str(root / "models"), str(port)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    answers = []
    for last in (False, True):
        process = subprocess.Popen(arguments, env=environment)
        try:
            wait_until(lambda: ready(port), "ready service", 120)
            answers.append(httpx.post(f"http://127.0.0.1:{port}/predict", json={"text": TEXTS[0]}, timeout=30).json())
        finally:
            process.send_signal(signal.SIGTERM if last else signal.SIGKILL)
            process.wait(30)
    assert answers[0] == answers[1]
    assert answers[1]["model_version"] == home.one


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(("kept", "texts"), [(True, 1), (False, 0)])
def test_what_was_asked_is_kept_only_where_the_setting_says_so(
    parts: Parts, tiny_model: Path, kept: bool, texts: int
) -> None:
    parts.registry.set_alias("champion", register(parts, tiny_model).version)
    with open_parts(parts.settings.model_copy(update={"log_predictions": kept})) as own:
        with TestClient(wired(own)) as asking:
            wait_until(lambda: asking.get("/readyz").status_code == 200, "ready service")
            asking.post("/predict", json={"text": "Profit rose."}).raise_for_status()
        assert own.texts.counts().texts == texts

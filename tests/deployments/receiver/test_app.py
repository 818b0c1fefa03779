"""The receiver: what it refuses, how fast it answers, and that nothing acknowledged is lost."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi.testclient import TestClient

from deployments.receiver.app import MAX_BODY, create_app
from deployments.supervisor.ports import choose_port
from labeling.answer.reconcile import Reconciled, reconcile
from labeling.studio.owned import SECRET_HEADER
from labeling.studio.project import WEBHOOK_PATH as PATH
from storage.labels.inbox import InboxState
from storage.labels.spool import Spool
from storage.records import LabelTask
from tests.fixtures_labeling import NOON, SECRET, LabelStore, Loop, a_choice
from tests.schemes import LABELS

POSITIVE, NEUTRAL, NEGATIVE = LABELS
SIGNED = {SECRET_HEADER: SECRET}
HOOK = {"action": "ANNOTATION_CREATED", "project": {"id": 1}}

# The receiver as it is, except that its work never gets done: what a SIGKILL between answer and work leaves behind.
NEVER_WORKING = """
import sys, threading, uvicorn
from pathlib import Path
from deployments.receiver.app import create_app
from storage.sql.database import migrate, open_database
from storage.labels.inbox import Inbox
from storage.labels.spool import Spool
engine = open_database(sys.argv[1])
migrate(engine)
spool = Spool(Path(sys.argv[1].partition(":///")[2] + ".spool"))
app = create_app(Inbox(engine), spool, sys.argv[2], threading.Event().wait)
uvicorn.run(app, port=int(sys.argv[3]))
"""


def spool_of(store: LabelStore) -> Spool:
    return Spool(store.home / "webhooks")


def eventually(met: Callable[[], Any], seconds: float = 20.0) -> bool:
    """Whether it becomes true within so many seconds."""
    end = time.monotonic() + seconds
    while not (done := bool(met())) and time.monotonic() < end:
        time.sleep(0.05)
    return done


@pytest.fixture
def client(label_store: LabelStore) -> Iterator[TestClient]:
    """A receiver whose work does nothing."""
    with TestClient(create_app(label_store.inbox, spool_of(label_store), SECRET, lambda: None)) as opened:
        yield opened


class TestWhatIsRefused:
    @pytest.mark.parametrize("headers", [{}, {SECRET_HEADER: "wrong"}, {SECRET_HEADER: ""}, {SECRET_HEADER: "ä"}])
    def test_no_or_a_wrong_secret(self, client: TestClient, label_store: LabelStore, headers: dict[str, str]) -> None:
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        assert client.post(PATH, json=HOOK, headers=raw).status_code == 401  # type: ignore[arg-type]
        assert label_store.inbox.counts() == {}

    @pytest.mark.parametrize("headers", [{}, {SECRET_HEADER: ""}, SIGNED])
    def test_everything_where_no_secret_is_set(self, label_store: LabelStore, headers: dict[str, str]) -> None:
        with TestClient(create_app(label_store.inbox, spool_of(label_store), "", lambda: None)) as client:
            assert client.post(PATH, json=HOOK, headers=headers).status_code == 401

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[1]", b'"text"', b"{}", b'{"action": 1}', b'{"action": "A", "x": NaN}', b"\xff", b"[" * 100_000],
    )
    def test_what_is_not_a_json_object_with_an_action(
        self, client: TestClient, label_store: LabelStore, body: bytes
    ) -> None:
        assert client.post(PATH, content=body, headers=SIGNED).status_code == 400
        assert label_store.inbox.counts() == {}

    def test_more_than_the_cap_while_it_streams(self, label_store: LabelStore) -> None:
        taken = 0

        async def chunk() -> dict[str, Any]:
            nonlocal taken
            taken += 1
            return {"type": "http.request", "body": b"x" * 65536, "more_body": True}

        answers: list[Any] = []

        async def send(message: Any) -> None:
            answers.append(message)

        headers = [(SECRET_HEADER.lower().encode(), SECRET.encode())]
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "query_string": b""}
        anyio.run(create_app(label_store.inbox, spool_of(label_store), SECRET, lambda: None), scope, chunk, send)
        assert answers[0]["status"] == 413
        assert taken == MAX_BODY // 65536 + 1


def test_a_webhook_is_committed_before_it_is_acknowledged(client: TestClient, label_store: LabelStore) -> None:
    answer = client.post(PATH, json=HOOK, headers=SIGNED)
    assert answer.status_code == 200
    assert [(row.id, row.payload) for row in label_store.inbox.waiting()] == [(answer.json()["inbox"], HOOK)]


def test_answers_come_within_50_ms_however_long_the_work_takes(label_store: LabelStore) -> None:
    release = threading.Event()

    def work() -> None:
        release.wait()

    with TestClient(create_app(label_store.inbox, spool_of(label_store), SECRET, work)) as client:
        seconds = []
        for _ in range(40):
            began = time.perf_counter()
            assert client.post(PATH, json=HOOK, headers=SIGNED).status_code == 200
            seconds.append(time.perf_counter() - began)
        release.set()
    assert sorted(seconds)[20] < 0.05


def test_what_an_earlier_process_left_is_taken_up_at_the_start(label_store: LabelStore) -> None:
    label_store.inbox.put("ANNOTATION_CREATED", HOOK)
    seen: list[int] = []
    with TestClient(
        create_app(
            label_store.inbox, spool_of(label_store), SECRET, lambda: seen.append(len(label_store.inbox.waiting()))
        )
    ):
        assert eventually(lambda: seen == [1])


def test_work_that_fails_is_done_again_and_says_so(label_store: LabelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.receiver.inbox_worker.FIRST_PAUSE", 0.02)
    broken, healed = threading.Event(), threading.Event()

    def work() -> None:
        if not healed.is_set():
            broken.set()
            raise ZeroDivisionError("a bug nobody foresaw")
        for row in label_store.inbox.waiting():
            label_store.inbox.close(row.id, InboxState.DONE)

    with TestClient(create_app(label_store.inbox, spool_of(label_store), SECRET, work)) as client:
        assert client.post(PATH, json=HOOK, headers=SIGNED).status_code == 200
        assert broken.wait(5)
        assert eventually(lambda: client.get("/healthz").json()["status"] == "retrying")
        healed.set()
        assert eventually(lambda: label_store.inbox.counts() == {"done": 1})
        assert eventually(lambda: client.get("/healthz").json()["status"] == "ok")


def test_metrics_count_answers_and_the_inbox(client: TestClient) -> None:
    client.post(PATH, json=HOOK, headers=SIGNED)
    client.post(PATH, json=HOOK)
    text = client.get("/metrics").text
    for line in (
        'finloop_webhooks_total{status="200"} 1.0',
        'finloop_webhooks_total{status="401"} 1.0',
        'finloop_inbox{state="new"} 1.0',
    ):
        assert line in text


@contextmanager
def a_process(argv: list[str], env: dict[str, str], port: int, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers on the port, killed at the end if it lives."""
    log = home / f"receiver-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *argv], env=os.environ | env, cwd=home, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        assert eventually(lambda: process.poll() is not None or listens(port), 60) and listens(port), log.read_text()
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def listens(port: int) -> bool:
    """Whether the receiver says that it is well."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def settings_of(loop: Loop) -> dict[str, str]:
    """The environment of a real receiver; no Prefect answers there, and none is needed below the threshold."""
    return {
        "FINLOOP_HOME": str(loop.home),
        "FINLOOP_LABEL_STUDIO_URL": loop.studio.url,
        "FINLOOP_LABEL_STUDIO_TOKEN": loop.token,
        "FINLOOP_WEBHOOK_SECRET": SECRET,
        "FINLOOP_PREFECT_URL": "http://127.0.0.1:9",
        "FINLOOP_RETRAIN_AFTER": "1000",
    }


def receiver(loop: Loop, port: int) -> Any:
    """`python -m deployments.receiver.app`, as `up` starts it."""
    return a_process(["-m", "deployments.receiver.app", "--port", str(port)], settings_of(loop), port, loop.home)


def label(loop: Loop, task: LabelTask) -> str | None:
    row = loop.labels.get(task.text_id)
    return row.label if row else None


def test_a_click_becomes_a_label_and_what_came_while_nobody_listened_is_found(loop: Loop) -> None:
    port = choose_port()
    project = loop.project(f"http://127.0.0.1:{port}{PATH}")
    first, second, third = loop.sent(project, 3)
    with receiver(loop, port):
        kept = loop.answer(first, POSITIVE)
        removed = loop.answer(second, NEGATIVE)
        assert eventually(lambda: (label(loop, first), label(loop, second)) == (POSITIVE, NEGATIVE))
        loop.delete(f"/api/annotations/{removed}/")
        assert eventually(lambda: loop.labels.current(second.text_id) == [])
        # Its effect is seen before the row is marked, so that the three are waited for.
        assert eventually(lambda: loop.inbox.counts() == {"done": 3})
        loop_post(port, {**HOOK, "project": {"id": project.id + 1000}})
        assert eventually(lambda: loop.inbox.counts() == {"done": 3, "ignored": 1})
    loop.studio.api.annotations.update(kept, result=[a_choice("neutral")])
    loop.answer(third, NEGATIVE)
    assert (label(loop, first), label(loop, third)) == (POSITIVE, None)
    assert reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme) == Reconciled(
        tasks=3, answers=1, updates=1
    )
    assert [label(loop, task) for task in (first, second, third)] == [NEUTRAL, None, NEGATIVE]


def test_a_webhook_that_was_acknowledged_survives_sigkill_before_it_was_worked_on(loop: Loop) -> None:
    port = choose_port()
    project = loop.project(f"http://127.0.0.1:{port}{PATH}")
    (task,) = loop.sent(project, 1)
    url = f"sqlite:///{loop.home / 'finloop.db'}"
    with a_process(["-c", NEVER_WORKING, url, SECRET, str(port)], {}, port, loop.home) as process:
        loop.answer(task, NEGATIVE)
        assert eventually(lambda: 'status="200"} 1.0' in httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert label(loop, task) is None
    assert loop.inbox.counts() == {"new": 1}
    with receiver(loop, port):
        assert eventually(lambda: label(loop, task) == NEGATIVE)
    assert loop.inbox.counts() == {"done": 1}


def loop_post(port: int, payload: dict[str, Any]) -> None:
    """A webhook from somewhere else, properly signed."""
    body = json.dumps({**payload, "sent": NOON.isoformat()})
    answer = httpx.post(f"http://127.0.0.1:{port}{PATH}", content=body, headers=SIGNED, trust_env=False)
    assert answer.status_code == 200


@contextmanager
def locked(store: LabelStore) -> Iterator[None]:
    """Another process, such as a backup tool, keeps the database to itself."""
    other = sqlite3.connect(store.home / "finloop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_locked_database_makes_no_annotator_wait_and_loses_no_webhook(label_store: LabelStore) -> None:
    spool = spool_of(label_store)
    with TestClient(create_app(label_store.inbox, spool, SECRET, lambda: None)) as client:
        with locked(label_store):
            began = time.monotonic()
            answer = client.post(PATH, json=HOOK, headers=SIGNED)
            assert time.monotonic() - began < 1.0
            assert (answer.status_code, answer.json()) == (200, {"inbox": None})
            assert client.get("/healthz").json()["put_aside"] == 1
        assert eventually(lambda: label_store.inbox.counts().get("new", 0) >= 1 and spool.count() == 0, 60)
        assert label_store.inbox.waiting()[0].payload == HOOK


def test_what_was_put_aside_before_a_crash_is_taken_up_at_the_next_start(label_store: LabelStore) -> None:
    spool_of(label_store).put("ANNOTATION_CREATED", HOOK)
    with TestClient(create_app(label_store.inbox, spool_of(label_store), SECRET, lambda: None)):
        assert eventually(lambda: [row.payload for row in label_store.inbox.waiting()] == [HOOK])


def test_where_neither_database_nor_disk_take_a_webhook_it_is_refused(label_store: LabelStore) -> None:
    (label_store.home / "webhooks").write_text("a file in place of the folder")
    with (
        TestClient(create_app(label_store.inbox, spool_of(label_store), SECRET, lambda: None)) as client,
        locked(label_store),
    ):
        assert client.post(PATH, json=HOOK, headers=SIGNED).status_code == 503
        assert client.get("/healthz").json()["refused"] == {"503": 1}


def test_refused_webhooks_are_counted_by_status(client: TestClient) -> None:
    for _ in range(2):
        client.post(PATH, json=HOOK, headers={SECRET_HEADER: "wrong"})
    client.post(PATH, content=b"{", headers=SIGNED)
    assert client.get("/healthz").json()["refused"] == {"401": 2, "400": 1}


def test_a_webhook_of_thousands_of_annotations_is_taken(client: TestClient, label_store: LabelStore) -> None:
    many = {**HOOK, "annotation": [{"id": number, "filler": "x" * 1300} for number in range(4_000)]}
    assert client.post(PATH, json=many, headers=SIGNED).status_code == 200
    assert len(label_store.inbox.waiting()[0].payload["annotation"]) == 4_000

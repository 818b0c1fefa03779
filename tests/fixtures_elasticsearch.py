"""A real Elasticsearch for tests: the one at an address, or a node of our own that dies with the test session."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

START_SECONDS = 120


@dataclass(frozen=True)
class Node:
    """A running server: its address, and its process for tests that hurt it."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def running_node(folder: Path, *settings: str, port: int = 0) -> Iterator[Node]:
    """A node that keeps its data in `folder`; skips when FINLOOP_TEST_ELASTICSEARCH names no start script."""
    script = os.environ.get("FINLOOP_TEST_ELASTICSEARCH")
    if not script:
        pytest.skip("FINLOOP_TEST_ELASTICSEARCH is not set: no script that starts an Elasticsearch node")
    command = [script, "--data", str(folder), "--port", str(port), "--until-stdin-closes"]
    for setting in settings:
        command += ["--set", setting]
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"output-{uuid.uuid4().hex}.txt"
    with output.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield Node(_address_when_ready(process, output), process)
    finally:
        process.kill()
        process.wait(timeout=30)
        if process.stdin:
            process.stdin.close()


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server: FINLOOP_TEST_ELASTICSEARCH_URL, or a node started for this session."""
    given = os.environ.get("FINLOOP_TEST_ELASTICSEARCH_URL")
    if given:
        yield given
        return
    if not os.environ.get("FINLOOP_TEST_ELASTICSEARCH"):
        pytest.skip("neither FINLOOP_TEST_ELASTICSEARCH_URL nor FINLOOP_TEST_ELASTICSEARCH is set: no Elasticsearch")
    with running_node(tmp_path_factory.mktemp("elasticsearch")) as node:
        yield node.url


@pytest.fixture
def elasticsearch_index(elasticsearch_url: str) -> Iterator[str]:
    """The name of an index that nobody else uses; index and template of this name are removed after the test."""
    from elasticsearch import Elasticsearch

    name = f"finloop-test-{uuid.uuid4().hex}"
    yield name
    with Elasticsearch(elasticsearch_url, request_timeout=30) as client:
        client.indices.delete(index=name, ignore_unavailable=True)
        client.options(ignore_status=404).indices.delete_index_template(name=name)


def _address_when_ready(process: "subprocess.Popen[bytes]", output: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for line in output.read_text().splitlines():
            if line.startswith("ready "):
                return line.removeprefix("ready ").strip()
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"Elasticsearch did not start in {START_SECONDS} s:\n{output.read_text()[-2000:]}")

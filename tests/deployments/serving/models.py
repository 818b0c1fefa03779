"""Real, tiny, registered models and a real server around them, for the tests of serving and swapping."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from deployments.web.protocol import Bounds
from deployments.web.server import options
from storage.models.manifest import Manifest, write_manifest
from storage.models.registry import ModelVersion, Registry
from tests.schemes import LABELS
from training.model.classifier import Classifier


@dataclass(frozen=True)
class Home:
    """A registry with two good versions, the first of them the champion, and a third that can be damaged."""

    registry: Registry
    one: str
    two: str
    three: str

    def offline(self, version: str) -> Classifier:
        return Classifier.load(self.registry.folder(version), LABELS)


def register_model(
    registry: Registry,
    model: Path,
    folder: Path,
    dataset: str,
    *,
    shift: float = 0.0,
    labels: tuple[str, ...] = LABELS,
) -> ModelVersion:
    """Register a copy of `model` whose head is moved by `shift`, so that versions differ in what they answer."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    bias = weights["classifier.bias"]
    weights["classifier.bias"] = bias + shift * bias.new_tensor([1, *[0] * (len(labels) - 2), -1])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    manifest = Manifest(
        base_model="tiny",
        exposed=False,
        dataset_version=dataset,
        recipe={},
        recipe_hash="recipe",
        metrics={"macro_f1": 0.5},
        scheme="sentiment",
        labels=labels,
        created_at=datetime.now(UTC),
    )
    write_manifest(folder, manifest)
    return registry.register(folder)


def flip_a_bit(file: Path) -> None:
    """Change one bit in the middle of a file, as a failing disk would."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition; fails naming `what` when the deadline passes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.02)


@contextmanager
def serve(app: FastAPI, bounds: Bounds | None = None) -> Iterator[str]:
    """Run `app` on a real uvicorn in a thread, as `deployments.web.server.run` does; gives its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", **options(bounds)))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, "start of the server")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()

"""Compares our serving app with a transformers pipeline behind FastAPI, over HTTP, on the same texts and machine.

    .venv/bin/python -m benchmarks.serving --model FOLDER --output serving.json

Each server is a process of its own and loads the same folder (a registered model, or any folder with a manifest; by
default the packaged MiniLM with an untrained head). Rounds alternate between the two, so that other work on the
machine slows both. Their scores are compared first, because a fast wrong response is worth nothing.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from storage.models.manifest import MANIFEST_NAME, Manifest, write_manifest
from storage.models.registry import Registry
from storage.scheme import DEFAULT, find_scheme
from storage.texts.csv import read_texts

OURS, PEER = "finloop", "transformers pipeline + FastAPI"
IN_FLIGHT = 32
SCHEME = find_scheme(DEFAULT)
NEWS = (
    "Operating profit rose to EUR {n}.1 mn from EUR 8.7 mn in the corresponding period of the year before.",
    "The company said that net sales fell {n} % as demand in its main markets stayed weak.",
    "The annual general meeting will be held in Helsinki on {n} May.",
    "$ACME looking strong into earnings, {n} dollars by Friday",
)
TEXTS = [sentence.format(n=number) for number in range(1, 33) for sentence in NEWS]


def untrained(folder: Path) -> Path:
    """The packaged MiniLM with a seeded random head: speed depends on the size alone."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from training.model.base_model import find_base_model

    base = find_base_model("minilm", folder).folder
    names = SCHEME.names
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        base,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: at for at, name in enumerate(names)},
    )
    made = folder / "untrained"
    model.save_pretrained(made)
    AutoTokenizer.from_pretrained(base).save_pretrained(made)
    manifest = Manifest(
        base_model="minilm",
        exposed=False,
        dataset_version="none",
        recipe={},
        recipe_hash="untrained",
        metrics={},
        scheme=SCHEME.name,
        labels=names,
        created_at=datetime.now(UTC),
    )
    write_manifest(made, manifest)
    return made


def serve_ours(model: Path, port: int, home: Path) -> None:
    """Register the folder as champion in a registry of its own, and serve it."""
    from deployments.serving.app import create_app
    from deployments.web.server import run

    registry = Registry(f"sqlite:///{home}/mlflow.db", home / "models", SCHEME.names)
    registry.set_alias("champion", registry.register(model).version)
    run(create_app(registry, SCHEME, admin_token="", log=None), "127.0.0.1", port)


def serve_peer(model: Path, port: int) -> None:
    """The usual recipe: a pipeline behind an ordinary endpoint, which FastAPI runs in threads."""
    import uvicorn
    from fastapi import Body, FastAPI
    from transformers import pipeline

    classify: Any = pipeline("text-classification", model=str(model), top_k=None, truncation=True, max_length=128)
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/predict")
    def predict(text: str = Body(embed=True)) -> dict[str, Any]:
        return {"scores": {one["label"]: one["score"] for one in classify([text])[0]}}

    uvicorn.run(app, port=port, log_level="warning", access_log=False)


@contextmanager
def server(kind: str, model: Path, home: Path, port: int) -> Iterator[str]:
    """A ready server in a process of its own; yields its address."""
    command = [sys.executable, "-m", "benchmarks.serving", "--serve", kind, "--port", str(port), "--home", str(home)]
    process = subprocess.Popen([*command, "--model", str(model)])
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            if process.poll() is not None:
                raise SystemExit(f"the {kind} server ended with exit code {process.returncode}")
            if _ready(address):
                break
            time.sleep(0.2)
        else:
            raise SystemExit(f"the {kind} server was not ready within two minutes")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


async def sequential(address: str, texts: list[str]) -> list[float]:
    """Milliseconds of each request, sent one after the other."""
    times = []
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        for text in texts:
            began = time.perf_counter()
            (await client.post("/predict", json={"text": text})).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    return times


async def throughput(address: str, texts: list[str]) -> float:
    """Requests a second, with IN_FLIGHT requests at once."""
    waiting = iter(texts)

    async def client_loop(client: httpx.AsyncClient) -> None:
        for text in waiting:
            (await client.post("/predict", json={"text": text})).raise_for_status()

    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        began = time.perf_counter()
        await asyncio.gather(*(client_loop(client) for _ in range(IN_FLIGHT)))
        return len(texts) / (time.perf_counter() - began)


def largest_difference(first: str, second: str, texts: list[str]) -> float:
    """The largest difference between a score of the first server and that of the second."""
    differences = []
    for text in texts:
        one, two = (httpx.post(f"{at}/predict", json={"text": text}, timeout=60).json() for at in (first, second))
        differences += [abs(one["scores"][name] - two["scores"][name]) for name in one["scores"]]
    return float(max(differences))


def measure(addresses: dict[str, str], texts: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Percentiles over the requests of all rounds but the first, which warms up; the two servers in turns."""
    latencies: dict[str, list[float]] = {name: [] for name in addresses}
    rates: dict[str, list[float]] = {name: [] for name in addresses}
    for turn in range(rounds + 1):
        for name, address in addresses.items():
            times, rate = asyncio.run(sequential(address, texts[:64])), asyncio.run(throughput(address, 2 * texts))
            if turn:
                latencies[name] += times
                rates[name].append(rate)
    return {
        name: {
            "p50_ms": statistics.median(latencies[name]),
            "p99_ms": statistics.quantiles(latencies[name], n=100)[98],
            "requests_per_s": statistics.median(rates[name]),
        }
        for name in addresses
    }


def compare(model: Path | None, texts: list[str], rounds: int, port: int) -> dict[str, Any]:
    """Start both servers, compare their scores, and measure."""
    with tempfile.TemporaryDirectory() as home:
        folder = model or untrained(Path(home))
        if not (folder / MANIFEST_NAME).is_file():
            raise SystemExit(f"{folder} holds no {MANIFEST_NAME}")
        with (
            server("ours", folder, Path(home), port) as ours,
            server("peer", folder, Path(home), port + 1) as peer,
        ):
            difference = largest_difference(ours, peer, texts[:16])
            return {"score_difference": difference, "servers": measure({OURS: ours, PEER: peer}, texts, rounds)}


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--texts", type=Path, help="a CSV with a column `text` (default: written for this file)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, default=8640, help="this port and the next are used")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--serve", choices=["ours", "peer"], help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve == "ours":
        return serve_ours(given.model, given.port, given.home)
    if given.serve == "peer":
        return serve_peer(given.model, given.port)
    texts = [row.text for row in read_texts(given.texts, None).rows[: len(TEXTS)]] if given.texts else TEXTS
    report = compare(given.model, texts, given.rounds, given.port)
    ours, peer = report["servers"][OURS], report["servers"][PEER]
    print(f"{'':34}{'p50 ms':>10}{'p99 ms':>10}{f'req/s at {IN_FLIGHT}':>16}")
    for name, row in report["servers"].items():
        print(f"{name:34}{row['p50_ms']:>10.1f}{row['p99_ms']:>10.1f}{row['requests_per_s']:>16.1f}")
    faster, more = peer["p50_ms"] / ours["p50_ms"], ours["requests_per_s"] / peer["requests_per_s"]
    print(f"{'times better':34}{faster:>10.2f}{peer['p99_ms'] / ours['p99_ms']:>10.2f}{more:>16.2f}")
    print(f"largest difference of any score: {report['score_difference']:.1e}")
    if given.output:
        given.output.write_text(
            json.dumps(report | {"ratio": {"p50": faster, "requests_per_s": more}}, indent=2) + "\n"
        )
    return None


if __name__ == "__main__":
    main()

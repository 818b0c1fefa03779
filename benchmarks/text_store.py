"""Compares the two text stores: how fast texts are stored, and how fast the page of lowest margin is read.

    python -m benchmarks.text_store --texts 20000 --elasticsearch http://127.0.0.1:9200 --json stores.json

Every store gets the same texts and predictions in the same process. SQLite commits to disk (WAL, synchronous FULL)
and Elasticsearch syncs its translog for every bulk, so that both pay for durability.
"""

import argparse
import contextlib
import json
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from storage.records import Prediction, Text
from storage.sql.database import open_database
from storage.sql.schema import Base
from storage.text import text_id
from storage.texts.sql import SqlTextStore
from storage.texts.store import TextStore

PAGE = 500
ROUNDS = 7
WHEN = datetime(2024, 1, 1, tzinfo=UTC)


def make_texts(number: int) -> list[Text]:
    """`number` different texts of about 28 words, one in ten in the audit share."""
    words = [
        "profit",
        "loss",
        "sales",
        "order",
        "margin",
        "outlook",
        "guidance",
        "demand",
        "plant",
        "quarter",
        "narrowed",
        "grew",
        "fell",
        "of",
        "in",
        "the",
    ]
    draw = random.Random(0)
    contents = (f"unit {each} " + " ".join(draw.choices(words, k=26)) for each in range(number))
    return [Text(text_id(text), text, "benchmark", each % 10 == 0, WHEN) for each, text in enumerate(contents)]


SCORES, LOGITS = {"a": 0.3, "b": 0.4, "c": 0.3}, {"a": 0.0, "b": 0.3, "c": 0.0}


def make_predictions(texts: list[Text]) -> list[tuple[str, Prediction]]:
    """One prediction a text, margins uniform on 0 to 1."""
    draw = random.Random(1)
    return [
        (
            text.text_id,
            Prediction("b", SCORES, LOGITS, 0.4, draw.random(), "1", WHEN),
        )
        for text in texts
    ]


def measure(store: TextStore, texts: list[Text]) -> dict[str, float]:
    """Seconds of every operation on an empty store; reading a page is the median of several."""
    predictions = make_predictions(texts)
    return {
        "ingest": seconds(lambda: store.add(texts)),
        "ingest again": seconds(lambda: store.add(texts)),
        "record predictions": seconds(lambda: store.record_predictions(predictions)),
        "lowest-margin page": statistics.median(
            seconds(lambda: list(islice(store.lowest_margin("1"), PAGE))) for _ in range(ROUNDS)
        ),
        "read all unscored": seconds(lambda: sum(1 for _ in store.unscored("2"))),
    }


def seconds(action: Callable[[], object]) -> float:
    """How long the action took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@contextlib.contextmanager
def sqlite_store() -> Iterator[TextStore]:
    """An empty SQLite store on disk."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/texts.db")
        Base.metadata.create_all(engine)
        yield SqlTextStore(engine)
        engine.dispose()


@contextlib.contextmanager
def elastic_store(url: str) -> Iterator[TextStore]:
    """An empty index of our own, removed afterwards."""
    from elasticsearch import Elasticsearch

    from storage.texts.elastic import ElasticTextStore

    index = f"finloop-benchmark-{uuid.uuid4().hex}"
    try:
        with contextlib.closing(ElasticTextStore(url, index)) as store:
            yield store
    finally:
        with Elasticsearch(url) as client:
            client.options(ignore_status=404).indices.delete(index=index)


def show(results: dict[str, dict[str, float]], number: int) -> None:
    """The table: seconds, texts a second, and how many times SQLite's seconds Elasticsearch needs."""
    table = Table(title=f"{number:,} texts, seconds (texts/s)")
    table.add_column("")
    for name in results:
        table.add_column(name, justify="right")
    if len(results) == 2:
        table.add_column("ratio", justify="right")
    for operation in next(iter(results.values())):
        amount = PAGE if "page" in operation else number
        taken = [measured[operation] for measured in results.values()]
        cells = [f"{each:.3f} ({amount / each:,.0f})" for each in taken]
        table.add_row(operation, *cells, *([f"{taken[1] / taken[0]:.2f}"] if len(taken) == 2 else []))
    Console().print(table)


def main() -> None:
    """Measure the stores that were named, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument(
        "--elasticsearch", metavar="URL", help="a server to compare with (an index is made and removed)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")
    options = parser.parse_args()
    texts = make_texts(options.texts)
    stores = [sqlite_store()] + ([elastic_store(options.elasticsearch)] if options.elasticsearch else [])
    results: dict[str, dict[str, float]] = {}
    for opened in stores:
        with opened as store:
            results[store.describe()] = measure(store, texts)
    show(results, len(texts))
    report: dict[str, object] = {"texts": len(texts), "page": PAGE, "seconds": results}
    if len(results) == 2:
        first, second = results.values()
        report["ratio"] = {operation: second[operation] / first[operation] for operation in first}
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""One running house for all tests of this folder but the demo's, and the steps of the loop that they stand on."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import pytest

from flows.prefect_api.runs import Run
from storage.clock import now
from storage.records import LabelTask, Purpose
from tests.fixtures_home import NEWS, sentence
from tests.fixtures_models import write_tiny_base
from tests.loop.house import SERVED, House, running, until
from tests.schemes import LABELS

RETRAIN_AFTER = 10
AUDIT, SELECTED = 5, 12
TEXTS = 60


@dataclass(frozen=True)
class First:
    """The first champion's way: a retrain that the gate refused, another that found nothing new, a forced deploy."""

    refused: Run
    again: Run
    unforced: Run
    forced: Run
    version: str


@dataclass(frozen=True)
class Answered:
    """Tasks as they were sent, and the retrain that their answers brought about."""

    audit: list[LabelTask]
    selected: list[LabelTask]
    watermark: int
    retrains: list[Run]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """`finloop up` with a tiny base model: it trains in seconds and is never good enough for the gate."""
    folder = tmp_path_factory.mktemp("house")
    base = write_tiny_base(folder / "base")
    (base / "finloop_base.json").write_text('{"exposed": true}')
    with running(
        folder / "home",
        FINLOOP_BASE_MODEL=str(base),
        FINLOOP_SEED_DATA="sample",
        FINLOOP_AGREEMENT="100",
        FINLOOP_RETRAIN_AFTER=str(RETRAIN_AFTER),
        FINLOOP_AUDIT_SHARE="0.3",
        OMP_NUM_THREADS="1",  # a model this small is slowed down by a second thread, tenfold on a busy machine
    ) as made:
        yield made


@pytest.fixture(scope="package")
def first(house: House) -> First:
    refused = house.run("retrain")
    (version,) = house.parts.registry.versions()
    again = house.run("retrain")
    unforced = house.ended(house.runs.start("deploy", {"version": version.version}))
    forced = house.run("deploy", version=version.version, force=True)
    return First(refused, again, unforced, forced, version.version)


@pytest.fixture(scope="package")
def texts(house: House) -> Path:
    """So many production texts, and what the tests ask the service, which keeps that too and may have it chosen."""
    path = house.settings.home.parent / "texts.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        labels = islice(cycle(LABELS), TEXTS)
        writer.writerows((sentence(1000 + index, NEWS[label]), label) for index, label in enumerate(labels))
        writer.writerow([SERVED, "positive"])
    return path


@pytest.fixture(scope="package")
def answered(house: House, first: First, texts: Path) -> Answered:
    """Audit and selected tasks, answered in Label Studio by the stand-in; then whatever follows by itself."""
    began = now()
    house.json("ingest", str(texts))
    house.run("score")
    house.run("audit", policy={"size": AUDIT})
    house.run("select", policy={"size": SELECTED})
    sent = [task for one in house.parts.tasks.text_ids() if (task := house.parts.tasks.get(one)) is not None]
    watermark = house.parts.datasets.watermark()
    assert house.json("annotate") == {"answered": AUDIT + SELECTED, "skipped": 0, "unknown": 0}
    until(lambda: [run for run in house.runs.since("retrain", began) if run.created_by == "event"], "no retrain began")
    until(lambda: all(run.finished for run in house.runs.since("retrain", began)), "the retrain did not end", 120)
    return Answered(
        [task for task in sent if task.purpose is Purpose.AUDIT],
        [task for task in sent if task.purpose is Purpose.SELECT],
        watermark,
        house.runs.since("retrain", began),
    )

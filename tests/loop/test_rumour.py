"""The whole loop on another scheme, of two labels, with nothing but its TOML file and the sample written for it."""

import shutil
from pathlib import Path

import pytest

from deployments.demo.check_report import faults
from storage.scheme import PACKAGED
from tests.loop.demos import DEMO_SECONDS, Demo, run_demo

LABELS, AUDIT = 80, 80

pytestmark = pytest.mark.timeout(DEMO_SECONDS + 60)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("rumour")
    scheme = Path(shutil.copyfile(PACKAGED / "rumour.toml", folder / "mine.toml"))
    return run_demo(folder, "--scheme", str(scheme), "--labels", str(LABELS), "--audit", str(AUDIT), "--rounds", "1")


def test_the_loop_closes_on_two_labels(demo: Demo) -> None:
    assert faults(demo.report, must_promote=False) == []
    assert demo.report["labels"] >= LABELS
    assert {demo.report["runs"][step]["created_by"] for step in ("retrain",)} == {"event"}


@pytest.mark.parametrize("rows", ["audit", "heldout", "seed"])
def test_every_score_is_told_by_the_labels_of_the_scheme(demo: Demo, rows: str) -> None:
    for when in ("before", "after"):
        assert set(demo.report[rows][when]["recall"]) == {"confirmed", "rumour"}


def test_it_begins_with_the_labels_that_it_asks_about(demo: Demo) -> None:
    assert "rumour: confirmed, rumour" in demo.said[: demo.said.index("ingest")]

"""A training that restores a model is no result, and a champion is the same whoever needs it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.efficiency.ledger import Ledger
from benchmarks.efficiency.task import read_task
from benchmarks.efficiency.trial import Trials, Way
from benchmarks.label_efficiency import cells_of
from tests.fixtures_home import NEWS, sentence
from training.model.recipe import Recipe

RECIPE = Recipe(epochs=1, learning_rate=5e-3, batch_size=32, self_training=8)
MARGIN = Way("default", "margin", "new", RECIPE)
NONE = Way("none (new)", "none", "new", RECIPE)


@pytest.fixture
def trials(tmp_path: Path, tiny_phrasebank: Path, tiny_base_folder: Path) -> Trials:
    """Trials of the tiny model, whose stream and judge have texts of their own."""
    files = {"stream": 100, "judge": 200}
    for name, start in files.items():
        lines = [f"{sentence(start + at, word)},{label}" for label, word in NEWS.items() for at in range(6)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    stream, judge = (tmp_path / f"{name}.csv" for name in files)
    task = read_task(tiny_phrasebank, 50, stream, judge, "sentiment", str(tiny_base_folder), tmp_path / "cache")
    return Trials(task, tmp_path, Ledger(tmp_path / "ledger.jsonl"), Console(quiet=True), {})


def models(trials: Trials) -> list[Path]:
    return sorted(trials.ledger.path.parent.glob("work/*/model"))


def test_a_model_that_is_only_restored_adds_no_result(trials: Trials) -> None:
    trials.result(MARGIN, 0, 6)
    before = dict(trials.ledger.results)
    for folder in models(trials):
        shutil.rmtree(folder)
    for labels in (0, 6):
        trials.model(MARGIN, 0, labels)
    assert len(models(trials)) == 2
    assert trials.ledger.results == before == Ledger(trials.ledger.path).results


def test_a_champion_is_called_none_whoever_needs_it_and_is_measured_once(trials: Trials) -> None:
    trials.model(MARGIN, 0, 0)
    (champion,) = trials.ledger.results.values()
    assert (champion.strategy, champion.labels) == ("none", 0)
    assert trials.result(NONE, 0, 0) == replace(champion, strategy="none (new)")
    assert list(trials.ledger.results.values()) == [champion]


def test_what_is_finished_is_shown_without_a_training(trials: Trials) -> None:
    trials.result(NONE, 0, 0)
    cells = cells_of(trials.task, [MARGIN], [6], [0])
    assert [(way.strategy, labels) for way, _, labels in cells] == [("none", 0), ("margin", 6)]
    found = [trials.finished(*cell) for cell in cells]
    assert [one and one.labels for one in found] == [0, None]
    assert len(models(trials)) == 1

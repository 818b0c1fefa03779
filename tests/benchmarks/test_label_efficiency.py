"""A long table grows over several runs, and never mixes one measurement with another."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.efficiency.ledger import Ledger, Result
from benchmarks.efficiency.table import by_way, curve_of, interval, paired, ratios
from benchmarks.label_efficiency import BEFORE, ways
from storage.errors import BadInput
from training.model.recipe import Recipe

ONE = Result(
    strategy="random",
    recipe="before",
    seed=0,
    labels=300,
    macro_f1=0.7,
    accuracy=0.8,
    recall={"positive": 0.7, "neutral": None},
    seed_test_macro_f1=0.8,
    seconds=3.0,
    task="task",
    recipe_hash="hash",
)


def test_a_finished_training_is_found_again_by_a_later_run(tmp_path: Path) -> None:
    Ledger(tmp_path / "folder" / "results.jsonl").add(ONE)
    again = Ledger(tmp_path / "folder" / "results.jsonl")
    assert again.find(ONE.key) == ONE
    for other in (replace(ONE, seed=1), replace(ONE, task="other"), replace(ONE, recipe_hash="other")):
        assert again.find(other.key) is None


def test_a_line_that_a_killed_run_left_half_written_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    Ledger(path).add(ONE)
    path.write_text(path.read_text() + '{"strategy": "ran')
    Ledger(path).add(replace(ONE, seed=1))
    assert len(Ledger(path).results) == 2


def test_a_file_of_something_else_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("text,label\nrose,positive\n")
    with pytest.raises(BadInput, match="line 1"):
        Ledger(path)


def test_default_learns_by_the_recipe_of_today_and_random_by_the_one_of_before() -> None:
    default, random, new = ways(["default", "random", "random+new"], rounds=150, quick=False)
    assert (default.recipe, random.recipe, new.recipe) == (Recipe(), BEFORE, Recipe())
    assert default.rules is not None and random.rules is None
    assert Recipe() != BEFORE


def test_a_strategy_that_nobody_knows_is_refused_before_any_training() -> None:
    with pytest.raises(BadInput, match="guess"):
        ways(["default", "guess"], rounds=150, quick=False)


def test_differences_are_paired_by_seed() -> None:
    points = by_way([ONE, replace(ONE, seed=1, macro_f1=0.6), replace(ONE, strategy="margin", macro_f1=0.73)])
    assert paired(points, ("margin", 300), ("random", 300)) == pytest.approx([0.03])
    assert interval([0.03]) is None


def test_a_curve_begins_at_the_champion_of_its_own_recipe() -> None:
    champion, other = (
        replace(ONE, strategy="none", labels=0, macro_f1=0.5),
        replace(ONE, strategy="none (new)", labels=0),
    )
    points = by_way([champion, replace(other, recipe="new", macro_f1=0.6), ONE, replace(champion, seed=1)])
    assert curve_of(points, "random", [0]) == ([0, 300], [0.5, 0.7])
    points = by_way([champion, replace(other, recipe="new", macro_f1=0.6), replace(ONE, recipe="new")])
    assert curve_of(points, "random", [0]) == ([0, 300], [0.6, 0.7])


def test_a_way_is_worth_the_labels_at_which_random_has_its_score() -> None:
    random = [replace(ONE, labels=labels, macro_f1=score) for labels, score in ((100, 0.60), (1000, 0.70))]
    middle = replace(ONE, strategy="margin", labels=300, macro_f1=0.65)
    (line,) = ratios(by_way([*random, middle]))
    assert line.startswith(f"300 labels of margin are worth {math.sqrt(101 * 1001) - 1:,.0f} labels of random")
    (line,) = ratios(by_way([*random, replace(middle, macro_f1=0.8)]))
    assert "worth more than 1,000 labels" in line

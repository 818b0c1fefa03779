"""Measures what labels are worth by how they were asked for: the product's way against random labels and small-text.

    python -m benchmarks.label_efficiency --seed-data FinancialPhraseBank-v1.0 --stream stream.csv --judge judge.csv \
        --strategies default,random,margin --labels 300 --seeds 0,1,2 --folder efficiency --json efficiency.json

Every number comes from full fine-tuning by the product's own training, on the product's own merge. Strategies:

    default          the product's strategy, rules and recipe, in rounds with a retrain after each
    random           uniform, learnt by the recipe of the days before this benchmark
    all              every label of the stream, learnt by that older recipe: the ceiling
    NAME             a strategy of the product, or your own (package.module:function), asked for at once, older recipe
    small-text:NAME  a strategy of that library, asked for at once, older recipe
    ...+new          the same, learnt by the recipe of today

Files are CSV with the columns text and label; the labels of the stream are its answer key. A finished training is a
line in FOLDER/label_efficiency.jsonl, so a stopped run goes on where it was, and --finished shows what there is.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from benchmarks.efficiency.ledger import Ledger, Result
from benchmarks.efficiency.peers import PEERS
from benchmarks.efficiency.table import draw_curves, show
from benchmarks.efficiency.task import Task, read_task
from benchmarks.efficiency.trial import Trials, Way
from flows.wiring.policies import SelectPolicy
from flows.wiring.settings import DEFAULT_STRATEGY
from labeling.ask.strategies.registry import find_strategy
from storage.errors import FinloopError
from storage.scheme import DEFAULT
from training.model.recipe import Recipe

ROUNDS = 150
"""The labels of one round of `default`; the first rounds are random by its rules (`random_first`)."""

BEFORE = Recipe(epochs=4, head_rate=10, batch_size=16, label_weight=3, label_share=0.2, self_training=0, links="read")
"""The recipe before this benchmark existed, for ever: the yardstick must not move when the product's recipe does."""
QUICK = {"epochs": 1}
"""What --quick changes in both recipes: a quarter of the time, for a look at the form of the table."""


def ways(names: Sequence[str], rounds: int, quick: bool) -> list[Way]:
    """The rows of the table. Raises BadInput for a strategy that nobody knows."""
    made = []
    less = QUICK if quick else {}
    recipes = {"new": Recipe(**less), "before": BEFORE.model_copy(update=less)}
    for name in names:
        strategy, _, recipe = name.partition("+")
        recipe = "new" if recipe == "new" or strategy == "default" else "before"
        policy = SelectPolicy()
        if strategy == "default":
            steps = None if DEFAULT_STRATEGY == "random" else rounds  # chance needs no model
            made.append(Way(name, DEFAULT_STRATEGY, recipe, recipes[recipe], steps, policy.rules))
            continue
        if strategy not in ("none", "all") and strategy.partition(":")[0] not in PEERS:
            find_strategy(strategy)
        made.append(Way(name, strategy, recipe, recipes[recipe]))
    return made


Cell = tuple[Way, int, int]
"""A way, a seed and a number of labels."""


def cells_of(task: Task, rows: Sequence[Way], budgets: Sequence[int], seeds: Sequence[int]) -> list[Cell]:
    """Every cell of the table, seed by seed, so that a stopped run has whole comparisons. Champions come first."""
    cells: list[Cell] = []
    for seed in seeds:
        champions = {way.seeded(seed, 0).hash(): way for way in rows}
        for number, way in enumerate(champions.values()):
            name = "none" if not number else f"none ({way.recipe_name})"
            cells.append((Way(name, "none", way.recipe_name, way.recipe), seed, 0))
        for way in rows:
            if way.strategy == "none":
                continue
            wanted = [len(task.stream)] if way.strategy == "all" else sorted(budgets)
            cells += [(way, seed, labels) for labels in wanted if labels]
    return cells


def measure(trials: Trials, cells: Sequence[Cell]) -> list[Result]:
    """The results of all cells; what no earlier run has done is trained now."""
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=trials.console) as bar:
        row = bar.add_task("trainings", total=len(cells))
        results = []
        for way, seed, labels in cells:
            bar.update(row, description=f"{way.name}, {labels:,} labels, seed {seed}")
            results.append(trials.result(way, seed, labels))
            bar.advance(row)
    return results


def main() -> None:
    """Measure, or go on with a measurement."""
    arguments = _arguments()
    console = Console()
    try:
        rows = ways([name.strip() for name in arguments.strategies.split(",")], arguments.rounds, arguments.quick)
        task = read_task(
            arguments.seed_data, arguments.agreement, arguments.stream, arguments.judge, arguments.scheme,
            arguments.base, arguments.folder / "cache",
        )  # fmt: skip
        budgets = [int(one) for one in arguments.labels.split(",")]
        if max(budgets) > len(task.stream) or min(budgets) < 0:
            raise SystemExit(f"the stream has {len(task.stream):,} labelled texts; --labels asks for {max(budgets):,}")
        console.print(
            f"Seed data {task.seed.source}; stream {len(task.stream):,} texts ({task.left_out:,} left out: near a text "
            f"apart); judged on {len(task.judge):,} texts; base {task.base.name}."
        )
        trials = Trials(task, arguments.folder, Ledger(arguments.folder / "label_efficiency.jsonl"), console, PEERS)
        cells = cells_of(task, rows, budgets, [int(one) for one in arguments.seeds.split(",")])
        done = (trials.finished(*cell) for cell in cells)
        results = [one for one in done if one is not None] if arguments.finished else measure(trials, cells)
    except FinloopError as error:
        sys.exit(f"benchmarks.label_efficiency: {error}")
    show(results, console)
    if arguments.picture:
        draw_curves(results, arguments.picture)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"task": task.key, "results": [asdict(one) for one in results]}, indent=2) + "\n"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.label_efficiency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seed-data", type=Path, required=True, help="a folder of the PhraseBank, or a CSV")
    add("--agreement", type=int, default=50, choices=(50, 66, 75, 100), help="the PhraseBank's agreement level")
    add("--stream", type=Path, required=True, help="a CSV of texts that may be asked about, with their labels")
    add("--judge", type=Path, required=True, help="a CSV of labelled texts apart, which judge and never train")
    add("--strategies", default="default,random,margin", help="names, separated by commas")
    add("--labels", default="300", help="numbers of labels, separated by commas: points of the learning curves")
    add("--seeds", default="0,1,2", help="separated by commas; every strategy gets the same seeds")
    add("--rounds", type=int, default=ROUNDS, help="the labels that `default` asks for between two retrains")
    add("--folder", type=Path, required=True, help="finished trainings, what was asked for, and models")
    add("--json", type=Path, help="also write the results to this file")
    add("--picture", type=Path, help="also draw the learning curves into this file (png or svg)")
    add("--finished", action="store_true", help="train nothing: show what earlier runs have finished in the folder")
    add("--base", default="minilm", help="the base model")
    add("--scheme", default=DEFAULT, help="the label scheme")
    add(
        "--quick",
        action="store_true",
        help="one epoch in place of four: with one seed, a small true table in ten minutes",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()

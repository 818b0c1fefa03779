"""Shows the finished trainings of a measurement: scores over seeds, paired differences from random, learning curves."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from scipy.stats import t

from benchmarks.efficiency.ledger import Result
from training.judge.curves import area, labels_to_reach, monotone

YARDSTICK = "random"
"""The way that all others are compared with: uniform, learnt by the recipe of the days before this benchmark."""

Points = dict[tuple[str, int], dict[int, Result]]
"""(way, labels) -> seed -> result."""


def show(results: Sequence[Result], console: Console) -> None:
    """Print the table of scores, and the table of the curves where there is more than one budget."""
    points = by_way(results)
    table = Table(title="macro-F1 on the texts apart", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for head in ("asked", "labels", "seeds", "mean", "range", "against random", "recall", "test"):
        first = head == "asked"
        table.add_column(head, no_wrap=not first, min_width=9 if first else None, overflow="fold")
    for (way, labels), seeds in points.items():
        scores = [one.macro_f1 for one in seeds.values()]
        table.add_row(
            way,
            f"{labels:,}",
            f"{len(seeds)}",
            _short(statistics.mean(scores)),
            f"{_short(min(scores))} {_short(max(scores))}",
            _against(points, way, labels),
            " ".join(_short(recall, 2) for recall in _recalls(seeds.values()).values()),
            _short(statistics.mean(one.seed_test_macro_f1 for one in seeds.values())),
        )
    console.print(table)
    console.print(
        f"{YARDSTICK} is learnt by the recipe of before, and so is every way without +new but default. against "
        f"{YARDSTICK}: the mean difference over the seeds of both, with its 95 % interval. recall: "
        f"{', '.join(_recalls(results))}. test: macro-F1 on the test rows of the seed data."
    )
    if any(one.exposed for one in results):
        console.print("The base model may have seen labels of the seed data: its scores on the seed test flatter it.")
    for line in ratios(points):
        console.print(line)


def by_way(results: Iterable[Result]) -> Points:
    """The results by way and number of labels, in the order in which the ways come."""
    points: Points = defaultdict(dict)
    for one in results:
        points[one.strategy, one.labels][one.seed] = one
    return points


def paired(points: Points, one: tuple[str, int], other: tuple[str, int]) -> list[float]:
    """The differences in macro-F1 of the seeds that both have."""
    mine, theirs = points.get(one, {}), points.get(other, {})
    return [mine[seed].macro_f1 - theirs[seed].macro_f1 for seed in mine if seed in theirs]


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a mean over seeds by Student's t; None for fewer than two seeds."""
    if len(values) < 2:
        return None
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values) - half, statistics.mean(values) + half


def curve_of(points: Points, way: str, seeds: Sequence[int]) -> tuple[list[int], list[float]]:
    """The labels and scores of a way, seed by seed; the curve begins at the champion of the way's recipe."""
    recipes = {one.recipe for (name, count), found in points.items() if name == way and count for one in found.values()}
    found = [
        (count, one.macro_f1)
        for (name, count), by_seed in points.items()
        for seed in seeds
        if (one := by_seed.get(seed)) is not None and (name == way if count else one.recipe in recipes)
    ]
    return [count for count, _ in found], [score for _, score in found]


def ratios(points: Points, repetitions: int = 2_000) -> list[str]:
    """How many labels of the yardstick each way's largest budget is worth, by a paired bootstrap over the seeds."""
    budgets = sorted({labels for way, labels in points if way == YARDSTICK})
    if len(budgets) < 2:
        return [f"Labels of {YARDSTICK} for the same score need two or more budgets of {YARDSTICK}."]
    lines = []
    for way in dict.fromkeys(name for name, labels in points if labels and name not in (YARDSTICK, "all")):
        most = max(labels for name, labels in points if name == way)
        seeds = sorted(seed for seed in points[way, most] if all(seed in points[YARDSTICK, one] for one in budgets))
        if not seeds:
            continue
        draw = np.random.default_rng(0)
        samples = [seeds, *(draw.choice(seeds, len(seeds)).tolist() for _ in range(repetitions))]
        worth = [_worth(points, way, most, sample) for sample in samples]
        said, low, high = (
            _number(one, budgets[-1]) for one in (worth[0], *np.quantile(worth[1:], [0.025, 0.975], method="nearest"))
        )
        lines.append(
            f"{most:,} labels of {way} are worth {said} labels of {YARDSTICK} ({low} to {high}; {len(seeds)} seeds); "
            f"area under its curve {area(monotone(*curve_of(points, way, seeds))):.3f}, "
            f"{YARDSTICK}'s {area(monotone(*curve_of(points, YARDSTICK, seeds))):.3f}"
        )
    return lines


def draw_curves(results: Sequence[Result], path: Path) -> None:
    """Write a picture of the smoothed learning curves, with the least and the most of the seeds as a band."""
    from matplotlib.figure import Figure

    points = by_way(results)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    every = sorted({seed for seeds in points.values() for seed in seeds})
    for number, way in enumerate(dict.fromkeys(name for name, labels in points if labels and name != "all")):
        found = defaultdict[int, list[float]](list)
        for count, score in zip(*curve_of(points, way, every), strict=True):
            found[count].append(score)
        counts = sorted(found)
        labels, scores = monotone(
            [one for one in counts for _ in found[one]], [one for at in counts for one in found[at]]
        )
        colour = f"C{number}"
        axes.plot(labels, scores, marker="o", color=colour, label=way)
        axes.fill_between(
            counts, [min(found[at]) for at in counts], [max(found[at]) for at in counts], color=colour, alpha=0.15
        )
    ceiling = [one.macro_f1 for (name, _), seeds in points.items() if name == "all" for one in seeds.values()]
    if ceiling:
        axes.axhline(statistics.mean(ceiling), color="grey", linestyle=":", label="all labels of the stream")
    axes.set(xlabel="labels", ylabel="macro-F1 on the texts apart")
    axes.legend()
    figure.savefig(path)


def _worth(points: Points, way: str, labels: int, seeds: Sequence[int]) -> float:
    score = statistics.mean(points[way, labels][seed].macro_f1 for seed in seeds)
    reached = labels_to_reach(monotone(*curve_of(points, YARDSTICK, seeds)), score)
    return math.inf if reached is None else reached


def _number(labels: float, most: int) -> str:
    return f"more than {most:,}" if math.isinf(labels) else f"{labels:,.0f}"


def _against(points: Points, way: str, labels: int) -> str:
    moved = paired(points, (way, labels), (YARDSTICK, labels))
    if way == YARDSTICK or not moved:
        return ""
    found = interval(moved)
    low_high = f" {_short(found[0], sign='+')} {_short(found[1], sign='+')}" if found else ""
    return _short(statistics.mean(moved), sign="+") + low_high


def _short(value: float, digits: int = 3, sign: str = "-") -> str:
    """A number below one without its zero: .629."""
    return f"{value:{sign}.{digits}f}".replace("0.", ".", 1)


def _recalls(seeds: Iterable[Result]) -> dict[str, float]:
    known: dict[str, list[float]] = defaultdict(list)
    for one in seeds:
        for label, recall in one.recall.items():
            if recall is not None:
                known[label].append(recall)
    return {label: statistics.mean(found) for label, found in known.items()}

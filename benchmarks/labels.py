"""Measures how much the labels of a finished demo bring, over several seeds, on the rows of the demo's report.

    python -m benchmarks.labels --home demo-run/20261122-062732 --seeds 5 --json labels.json

The peer is the model without annotators' labels: the demo's first dataset against its last, with the same recipe, seed
and rows. A demo's report has one seed; here the intervals are over seeds (Student's t), so they show how much is luck.
"""

import argparse
import json
import math
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import t

from deployments.demo.summary import slices
from flows.wiring.parts import Parts, open_parts
from training.judge.evaluate import Examples, evaluate
from training.model.classifier import Classifier
from training.model.finetune import finetune
from training.model.recipe import Recipe

Slices = list[tuple[str, str, Examples]]
Measured = dict[str, list[dict[str, float]]]
"""slice -> a mapping for each seed: macro_f1 and the recalls."""


def measure(parts: Parts, dataset: str, rows: Slices, seeds: int, console: Console) -> Measured:
    """Train on the dataset once for each seed, and score every slice."""
    loaded = parts.datasets.load(dataset)
    found: Measured = {name: [] for name, _, _ in rows}
    for seed in track(range(seeds), f"dataset {dataset[:12]}", console=console):
        with tempfile.TemporaryDirectory() as folder:
            made = finetune(
                loaded.rows, parts.base_model, Recipe(seed=seed), Path(folder) / "model", parts.scheme.names
            )
            model = Classifier.load(made.folder, parts.scheme.names)
            for name, _, examples in rows:
                scores = evaluate(model, examples).scores()
                recalls = {f"recall {label}": one for label, one in scores.recall.items() if one is not None}
                found[name].append({"macro_f1": scores.macro_f1, **recalls})
    return found


def over_seeds(values: list[float]) -> dict[str, float]:
    """Mean and 95 % interval of the mean over seeds."""
    mean = statistics.mean(values)
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def compare(parts: Parts, seeds: int, draw: int, console: Console) -> dict[str, Any]:
    """Both datasets measured, and the paired change of every slice."""
    versions = [one["version"] for one in parts.datasets.summaries()]
    if len(versions) < 2:
        raise SystemExit(f"{parts.settings.home} has {len(versions)} datasets; a finished demo has two or more")
    first, last = versions[-1], versions[0]
    models = {version.manifest.dataset_version: version for version in parts.registry.versions()}
    rows = [one for one in slices(parts, [models[first], models[last]], draw) if len(one[2])]
    before, after = (measure(parts, version, rows, seeds, console) for version in (first, last))
    compared = {}
    for name, title, examples in rows:
        moved = [new["macro_f1"] - old["macro_f1"] for old, new in zip(before[name], after[name], strict=True)]
        compared[name] = {
            "rows": title,
            "n": len(examples),
            "before": before[name],
            "after": after[name],
            "change": over_seeds(moved),
        }
    base = parts.base_model
    return {"base_model": base.name, "exposed": base.exposed, "seeds": seeds, "slices": compared}


def show(report: dict[str, Any], console: Console) -> None:
    """Macro-F1 before and after with the spread over seeds, recalls, and the change."""
    table = Table(title=f"macro-F1 over {report['seeds']} seeds, base {report['base_model']}", title_justify="left")
    for column in ("rows", "before", "after", "change (95 %)", "recall before", "recall after"):
        table.add_column(column)
    for name, one in report["slices"].items():
        change = one["change"]
        table.add_row(
            f"{name}, {one['n']:,}",
            *(_range([seed["macro_f1"] for seed in one[when]]) for when in ("before", "after")),
            f"{change['mean']:+.3f} ({change['low']:+.3f} to {change['high']:+.3f})",
            *(_recalls(one[when]) for when in ("before", "after")),
        )
    console.print(table)
    if report["exposed"]:
        console.print("The base model has seen PhraseBank labels: its PhraseBank scores flatter it.")


def _range(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f} [{min(values):.3f} to {max(values):.3f}]"


def _recalls(seeds: list[dict[str, float]]) -> str:
    recalls = [name for name in seeds[0] if name.startswith("recall ")]
    return " ".join(f"{statistics.mean(one[name] for one in seeds):.2f}" for name in recalls)


def main() -> None:
    """Measure one demo's work folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labels", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the work folder of a finished demo")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each dataset, two or more")
    parser.add_argument("--draw", type=int, default=0, help="the demo's --seed, which drew the held-out texts")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    os.environ["FINLOOP_HOME"] = str(arguments.home)
    console = Console()
    with open_parts() as parts:
        report = compare(parts, max(2, arguments.seeds), arguments.draw, console)
    show(report, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

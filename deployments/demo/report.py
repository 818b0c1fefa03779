"""The numbers of a demo run: before and after on the same rows, as JSON for machines and as a table for people."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from storage.records import LABELS
from training.evaluate import Answers


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same rows; None where there are no such rows."""

    name: str
    title: str
    before: Answers
    after: Answers


def numbers(answers: Answers) -> dict[str, Any]:
    """{n, accuracy, macro_f1, recall, intervals} of one model on some rows."""
    scores = answers.scores()
    return {
        "n": scores.n,
        "accuracy": scores.accuracy,
        "accuracy_interval": list(scores.accuracy_interval),
        "macro_f1": scores.macro_f1,
        "macro_f1_interval": list(scores.macro_f1_interval),
        "recall": {label.value: scores.recall[label] for label in LABELS},
    }


def compared(comparison: Comparison) -> dict[str, Any]:
    """Before, after and the paired difference with its 95 % interval."""
    difference = comparison.after.against(comparison.before)
    return {
        "before": numbers(comparison.before),
        "after": numbers(comparison.after),
        "difference": {"macro_f1": difference.macro_f1, "low": difference.low, "high": difference.high},
    }


def table(comparisons: list[Comparison], before: str, after: str) -> Table:
    """The table of the summary."""
    made = Table(title=f"Before (version {before}) and after (version {after})", title_justify="left")
    for name in ("rows", "n", "", "accuracy", "macro-F1", *(f"recall {label}" for label in LABELS), "difference"):
        made.add_column(name, justify="left" if name in ("rows", "") else "right")
    for one in comparisons:
        difference = one.after.against(one.before)
        made.add_row(one.title, str(len(one.before)), "before", *_cells(one.before), "")
        moved = f"{difference.macro_f1:+.3f}\n[dim]{difference.low:+.3f} to {difference.high:+.3f}[/dim]"
        made.add_row("", "", "after", *_cells(one.after), moved, end_section=True)
    return made


def _cells(answers: Answers) -> list[str]:
    scores = answers.scores()

    def with_interval(value: float, interval: tuple[float, float]) -> str:
        return f"{value:.3f}\n[dim]{interval[0]:.3f} to {interval[1]:.3f}[/dim]"

    return [
        with_interval(scores.accuracy, scores.accuracy_interval),
        with_interval(scores.macro_f1, scores.macro_f1_interval),
        *(f"{scores.recall[label]:.3f}" for label in LABELS),
    ]

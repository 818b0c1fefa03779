"""Shows two models on the same rows, before and after, as JSON for programs and as tables for people."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from training.judge.evaluate import Evaluation


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first champion (before) and the last candidate (after) on the same rows."""

    name: str
    title: str
    before: Evaluation
    after: Evaluation


def numbers(evaluation: Evaluation) -> dict[str, Any]:
    """{n, accuracy, macro_f1, recall, intervals} of one model on some rows."""
    scores = evaluation.scores()
    return {
        "n": scores.n,
        "accuracy": scores.accuracy,
        "accuracy_interval": list(scores.accuracy_interval),
        "macro_f1": scores.macro_f1,
        "macro_f1_interval": list(scores.macro_f1_interval),
        "recall": dict(scores.recall),
    }


def compared(comparison: Comparison) -> dict[str, Any]:
    """Before, after and the paired difference with its 95 % interval."""
    difference = comparison.after.against(comparison.before)
    return {
        "before": numbers(comparison.before),
        "after": numbers(comparison.after),
        "difference": {"macro_f1": difference.macro_f1, "low": difference.low, "high": difference.high},
    }


def tables(comparisons: list[Comparison], before: str, after: str) -> Group:
    """The summary's tables, one for each kind of rows; they fit a terminal of 80 columns."""
    classes = ", ".join(comparisons[0].before.labels) if comparisons else ""
    said = Text(
        f"Before (version {before}) and after (version {after})\n95 % intervals in brackets; recall of {classes}",
        "italic",
    )
    return Group(said, *(_table(one) for one in comparisons))


def _table(one: Comparison) -> Table:
    made = Table(title=f"{one.title}, {len(one.before):,}", title_justify="left", title_style="bold")
    made.add_column("", no_wrap=True)
    for name in ("accuracy", "macro-F1", "recall"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_row("before", *_cells(one.before))
    made.add_row("after", *_cells(one.after), end_section=True)
    moved = one.after.against(one.before)
    made.add_row("change", "", f"{moved.macro_f1:+.3f} [dim]({moved.low:+.3f} to {moved.high:+.3f})[/dim]", "")
    return made


def _cells(evaluation: Evaluation) -> list[str]:
    scores = evaluation.scores()

    def with_interval(value: float, interval: tuple[float, float]) -> str:
        return f"{value:.3f} [dim]({interval[0]:.3f} to {interval[1]:.3f})[/dim]"

    return [
        with_interval(scores.accuracy, scores.accuracy_interval),
        with_interval(scores.macro_f1, scores.macro_f1_interval),
        " ".join("unknown" if recall is None else f"{recall:.2f}" for recall in scores.recall.values()),
    ]

"""Draws confusion matrices for the artifacts of a run, so that a person sees at once which labels are mixed up."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from training.judge.metrics import Scores

DOTS_PER_INCH = 110
CELL = 0.75
"""Inches of a cell, when there are more than five labels; fewer share a matrix of fixed size."""


def confusion_matrices(models: Sequence[tuple[str, Scores]], title: str) -> bytes:
    """A PNG with one matrix per (name, scores), side by side: rows are the truth, columns the predictions.

    Colour goes by the share of the row, so that a rare label shows as well as a common one. Drawn without pyplot, which
    keeps figures for ever and is not safe in threads.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = max(4.2, CELL * max(len(scores.labels) for _, scores in models))
    figure = Figure(figsize=(0.6 + side * len(models), 0.4 + side), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    for axes, (name, scores) in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        _draw(axes, name, scores)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DOTS_PER_INCH)
    return png.getvalue()


def _draw(axes: Any, name: str, scores: Scores) -> None:
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for row in range(len(scores.labels)):
        for column in range(len(scores.labels)):
            share = shares[row, column]
            axes.text(
                column,
                row,
                f"{counts[row, column]:,}\n{share:.0%}",
                ha="center",
                va="center",
                fontsize=12,
                color="white" if share > 0.55 else "black",
            )
    axes.set_xticks(range(len(scores.labels)), scores.labels, rotation=0 if len(scores.labels) <= 5 else 90)
    axes.set_yticks(range(len(scores.labels)), scores.labels, rotation=90, va="center")
    axes.set_xlabel("the model said")
    axes.set_ylabel("the annotators said")
    axes.set_title(
        f"{name}: macro-F1 {scores.macro_f1:.3f}, accuracy {scores.accuracy:.3f}, n {scores.n:,}", fontsize=10
    )

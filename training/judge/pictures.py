"""Draws what a run shows in its artifacts: which labels are mixed up, and what labels brought."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from storage.models.worth import MORE, LearningCurve
from training.judge.curves import Gain, grown, growth
from training.judge.metrics import NORMAL, Scores

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


def learning_curve(curve: LearningCurve) -> bytes:
    """A PNG of a curve: each version's gain in points with its 95 % interval, and the fitted growth with its band."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    labels = [one.labels for one in curve.points]
    gains, halves = [100 * one.gain for one in curve.points], [100 * NORMAL * one.error for one in curve.points]
    axes.errorbar(labels, gains, yerr=halves, fmt="o", color="black", capsize=3)
    for one, gain in zip(curve.points, gains, strict=True):
        axes.annotate(f"version {one.version}", (one.labels, gain), xytext=(5, 5), textcoords="offset points")
    _band(axes, curve)
    axes.axhline(0.0, color="grey", linewidth=0.8)
    axes.set_xlabel("annotators' labels")
    axes.set_ylabel("points of macro-F1 above the first version")
    axes.set_title(f"audit slice, {curve.audit_rows:,} rows", fontsize=10)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DOTS_PER_INCH)
    return png.getvalue()


def _band(axes: Any, curve: LearningCurve) -> None:
    """The fitted growth from the first version to MORE labels beyond the newest, where one was fitted."""
    start, *rest = curve.points
    fitted = growth([Gain(one.labels, one.gain, one.error) for one in rest], start.labels)
    if fitted is None:
        return
    labels = np.linspace(start.labels, curve.points[-1].labels + MORE, 60)
    ahead = 100 * np.array([grown(start.labels, count) for count in labels])
    half = NORMAL * fitted.error
    axes.plot(labels, ahead * fitted.beta, color="tab:blue")
    axes.fill_between(labels, ahead * (fitted.beta - half), ahead * (fitted.beta + half), color="tab:blue", alpha=0.2)

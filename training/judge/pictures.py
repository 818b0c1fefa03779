"""Draws what a run or a report shows: which labels are mixed up, what labels brought, models side by side."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from storage.models.worth import MORE, LearningCurve
from training.judge.calibration import auc, roc
from training.judge.curves import Gain, grown, growth
from training.judge.evaluate import Evaluation
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
    return _png(figure)


def _png(figure: Any) -> bytes:
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
    return _png(figure)


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


def side_by_side(models: Sequence[tuple[str, Evaluation]], title: str) -> bytes:
    """A PNG of models on the same rows: accuracy and macro-F1 with intervals, then a curve of each label against the
    rest. A label that all rows have, or none, has no curve.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels = models[0][1].labels
    columns = 2  # wider pictures are too small to read in a page
    lines = -(-(1 + len(labels)) // columns)
    figure = Figure(figsize=(5.2 * columns, 4.3 * lines + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    first, *rest = figure.subplots(lines, columns, squeeze=False).ravel()
    _bars(first, models)
    areas = [auc(found) for _, found in models]
    for axes, label in zip(rest, labels, strict=False):
        _curves(axes, label, models, [of_model[label] for of_model in areas])
    for axes in rest[len(labels) :]:
        axes.set_axis_off()
    return _png(figure)


def _bars(axes: Any, models: Sequence[tuple[str, Evaluation]]) -> None:
    """Two bars a model, in the colour of the model's curves: accuracy full, macro-F1 pale."""
    for place, (_, found) in enumerate(models):
        scores, colour = found.scores(), f"C{place}"
        for shift, value, (low, high), alpha in (
            (-0.2, scores.accuracy, scores.accuracy_interval, 1.0),
            (0.2, scores.macro_f1, scores.macro_f1_interval, 0.45),
        ):
            ends = [[max(0.0, value - low)], [max(0.0, high - value)]]
            axes.barh(place + shift, value, height=0.38, color=colour, alpha=alpha, xerr=ends, ecolor="dimgrey")
    axes.set_yticks(range(len(models)), [name for name, _ in models])
    axes.invert_yaxis()
    axes.set_xlim(0.0, 1.0)
    axes.set_title("accuracy (full) and macro-F1 (pale), 95 %", fontsize=10)


def _curves(axes: Any, label: str, models: Sequence[tuple[str, Evaluation]], areas: Sequence[float | None]) -> None:
    axes.plot([0, 1], [0, 1], color="lightgrey", linewidth=0.8)
    for place, ((name, found), area) in enumerate(zip(models, areas, strict=True)):
        if area is None:
            continue
        is_label = [true == label for true in found.truth]
        across, up = roc(is_label, found.probabilities[:, found.labels.index(label)])
        axes.plot(across, up, color=f"C{place}", label=f"{name}: {area:.3f}")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, loc="lower right", title="area (AUC)", title_fontsize=8)
    axes.set_xlabel("share of the other rows taken")
    axes.set_ylabel("share of the label's rows taken")
    axes.set_title(f"{label} against the rest", fontsize=10)

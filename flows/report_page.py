"""Writes a report as one HTML file that loads nothing: pictures lie inside, and every value is escaped by the template.

Texts, sources and names of models come from strangers, so that the template never marks a value as safe.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.markup import picture
from flows.steps.report import Ground, Report

if TYPE_CHECKING:
    from training.judge.evaluate import Evaluation

MOST_ROWS = 50
"""Rows of each list of mistakes that are shown; the list says how many there are."""


def page(report: Report) -> str:
    """The report as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined
    )
    this, other = report.version, report.other
    return environment.get_template("report.html").render(
        report=report,
        version=this.named,
        other=None if other is None else other.named,
        sentence=sentence(report),
        grounds=[_shown(report, ground) for ground in report.grounds],
    )


def sentence(report: Report) -> str:
    """What a manager reads: how good the version is, and whether it is better than the other one."""
    ground = next((one for one in report.grounds if one.this is not None), None)
    if ground is None or ground.this is None:
        return "There are no rows that this version has not learnt from, so nothing can be said of it yet."
    scores, rows = ground.this.scores(), f"{len(ground.this):,} rows of the {ground.title.lower()}"
    low, high = scores.accuracy_interval
    said = f"Version {report.version.version} is right on {scores.accuracy:.0%} ({low:.0%} to {high:.0%}) of {rows}"
    if ground.exposed:
        said += " (perhaps too high, because a base model had seen labels of the seed data)"
    if ground.other is None or report.other is None:
        return f"{said}; there is no other version to compare it with."
    difference = ground.this.against(ground.other)
    against = f"version {report.other.version}"
    points = f"{100 * difference.macro_f1:+.1f} points of macro-F1, {100 * difference.low:+.1f} to "
    points += f"{100 * difference.high:+.1f}"
    if difference.low > 0:
        return f"{said}, and it is better than {against} ({points})."
    if difference.high < 0:
        return f"{said}, and it is worse than {against} ({points})."
    return f"{said}; these rows do not show that it is better or worse than {against} ({points})."


def _shown(report: Report, ground: Ground) -> dict[str, Any]:
    if ground.this is None:
        return {"ground": ground, "n": 0}
    from training.judge.pictures import confusion_matrices, side_by_side

    versions = list(_versions(report, ground))
    models = [*ground.baselines.items(), *versions]
    return {
        "ground": ground,
        "n": len(ground.this),
        "models": [_figures(name, found) for name, found in models],
        "versions": [name for name, _ in versions],
        "labels": ground.this.labels,
        "difference": None if ground.other is None else ground.this.against(ground.other),
        "compared": picture(side_by_side(models, "Models on the same rows")),
        "confusion": picture(confusion_matrices([(name, found.scores()) for name, found in versions], ground.title)),
        "slices": list(_slices(versions, ground)),
        "mistakes": list(_mistakes(report, ground)),
    }


def _versions(report: Report, ground: Ground) -> "Iterator[tuple[str, Evaluation]]":
    if ground.other is not None and report.other is not None:
        yield f"version {report.other.version}", ground.other
    if ground.this is not None:
        yield f"version {report.version.version}", ground.this


def _figures(name: str, found: "Evaluation") -> dict[str, Any]:
    import numpy as np

    from training.judge.calibration import auc, brier, calibration
    from training.judge.metrics import f1_of_labels

    scores, areas = found.scores(), auc(found)
    confusion = np.array(scores.confusion)
    f1, said, true = f1_of_labels(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    labels = [
        {
            "name": label,
            "n": int(true[at]),
            "precision": confusion[at, at] / said[at] if said[at] else None,
            "recall": scores.recall[label],
            "f1": f1[at] if said[at] + true[at] else None,
            "auc": areas[label],
        }
        for at, label in enumerate(found.labels)
    ]
    return {"name": name, "scores": scores, "labels": labels, "brier": brier(found), "calibration": calibration(found)}


def _slices(versions: "list[tuple[str, Evaluation]]", ground: Ground) -> Iterator[dict[str, Any]]:
    from training.judge.slices import part, slices

    for kind, name, rows in slices(versions[-1][1], ground.known):
        scores = [part(found, rows).scores() for _, found in versions]
        yield {"kind": kind, "name": name, "n": len(rows), "scores": scores}


def _mistakes(report: Report, ground: Ground) -> Iterator[dict[str, Any]]:
    """What only one of two versions has wrong; of a version alone, what it has wrong."""
    this, other = ground.this, ground.other
    assert this is not None
    mine = f"Version {report.version.version}"
    if other is None or report.other is None:
        yield _listed(
            f"{mine} has wrong", this, [at for at, true in enumerate(this.truth) if this.predicted[at] != true]
        )
        return
    yours = f"version {report.other.version}"
    right = [(this.predicted[at] == true, other.predicted[at] == true) for at, true in enumerate(this.truth)]
    lost, won = ([at for at, one in enumerate(right) if one == pair] for pair in ((False, True), (True, False)))
    yield _listed(f"{yours.capitalize()} has right, {mine.lower()} has wrong", this, lost)
    yield _listed(f"{mine} has right, {yours} has wrong", other, won)


def _listed(title: str, wrong: "Evaluation", rows: list[int]) -> dict[str, Any]:
    shown = [
        {
            "text": wrong.texts[at],
            "truth": wrong.truth[at],
            "said": wrong.predicted[at],
            "confidence": float(wrong.probabilities[at].max()),
        }
        for at in rows[:MOST_ROWS]
    ]
    return {"title": title, "count": len(rows), "rows": shown}

"""The tables, pictures and sentences that a run shows to people in Prefect's dashboard.

Every value goes through `flows.markup`, because the dashboard renders tables and descriptions as Markdown too.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import shorten
from types import MappingProxyType
from typing import cast
from uuid import UUID

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.markup import cells, filled, picture, plain, table
from flows.steps.judge import Judged
from flows.steps.promote import Promotion
from flows.steps.score import Scored
from labeling.answer.reconcile import Reconciled
from labeling.ask.send import said
from storage.datasets.parents import in_words
from storage.models.registry import ModelVersion
from storage.models.worth import MORE, Evidence
from storage.records import DatasetVersion, LabelTask, Purpose
from storage.texts.bad_lines import BadLine, noted
from storage.texts.store import Counts

SHOWN = 50
"""Texts in a table: enough to see what kind they are."""

START = 200
"""Characters of a text that its row in a table begins with."""

MOVE_AFTER = 3.0
"""Seconds between two moves of a progress bar: the training waits for the request of each move."""


class Progress:
    """A progress bar in the dashboard. It moves every MOVE_AFTER seconds at most, and always at the end."""

    def __init__(self, key: str, description: str) -> None:
        self._id = cast(UUID, create_progress_artifact(0.0, key=key, description=description))
        self._last = time.monotonic()

    def __call__(self, fraction: float, message: str = "") -> None:
        """Move the bar; `fraction` is from 0 to 1."""
        if fraction < 1 and time.monotonic() - self._last < MOVE_AFTER:
            return
        self._last = time.monotonic()
        update_progress_artifact(
            self._id, progress=round(100 * min(fraction, 1.0), 1), description=plain(message) or None
        )


def show_scores(counts: Counts, champion: ModelVersion | None, scored: Scored) -> None:
    """Show how many texts there are, how many each version scored last, and how many this run read only in part."""
    words = filled(
        "**{}** texts, **{}** of them set aside for the audit. The champion is version **{}**.\n\n"
        "This run scored **{}** texts. **{}** of them are longer than the model reads: the model read only a part of "
        "them.\n\n",
        f"{counts.texts:,}",
        f"{counts.audit:,}",
        champion.version if champion else "none",
        f"{scored.texts:,}",
        f"{scored.truncated:,}",
    )
    lines = [(version, f"{count:,}") for version, count in sorted(counts.predicted.items())]
    create_markdown_artifact(
        words + table(["scored last by version", "texts"], lines),
        key="scores",
        description="Texts by the version that scored them last",
    )


def show_sent(
    purpose: Purpose,
    tasks: Sequence[LabelTask],
    project_url: str,
    strategy: str = "",
    left_out: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Show the texts that were sent to annotators, why they were chosen, and how many others were left out."""
    why = {
        Purpose.AUDIT: "drawn at random from the audit share; annotators do not see the prediction",
        Purpose.SELECT: f"chosen by the strategy {plain(strategy)}, in the order in which they are worth a label",
    }[purpose]
    shown = sorted(tasks, key=lambda task: task.worth or 0)
    create_table_artifact(
        cells(map(_task_line, shown[:SHOWN])) or [{"text": "none"}],
        key=f"{purpose}-tasks",
        description=f"{len(tasks)} texts sent: {why}. The first {min(SHOWN, len(tasks))}:",
    )
    if left_out:
        create_table_artifact(
            cells({"left out": why_not, "texts": f"{count:,}"} for why_not, count in left_out.items()),
            key=f"{purpose}-left-out",
            description="Texts that were not asked about, by reason",
        )
    create_link_artifact(
        project_url, "Label them in Label Studio", key=f"{purpose}-project", description="Where annotators answer"
    )


def show_verdict(judged: Judged, dataset: DatasetVersion, left_out: Sequence[BadLine]) -> None:
    """Show the dataset, confusion matrices and verdict of a retrain; `left_out` are bad lines of the seed data."""
    _dataset(dataset, judged.judgement.candidate.seed.labels, left_out)
    _confusion(judged)
    verdict = judged.verdict
    rows = [
        ("yes" if check.passed else "NO", check.name, f"{check.value:.4f}", f"{check.threshold:.4f}")
        for check in verdict.checks
    ]
    reasons = "\n".join(filled("- {}", check.why) for check in verdict.checks)
    exposed = "\n\nIts base model had already seen PhraseBank labels." if judged.candidate.manifest.exposed else ""
    champion = f"version {verdict.champion}" if verdict.champion else "no champion: this is the first"
    create_markdown_artifact(
        filled("# {}: version {}\n\n", verdict.decision.said.capitalize(), verdict.candidate)
        + filled("{}\n\nAgainst {}.", verdict.reason, champion)
        + f"{exposed}\n\n{table(['passed', 'check', 'value', 'threshold'], rows)}\n\n{reasons}",
        key="verdict",
        description="What the gate said of the candidate",
    )


def show_worth(candidate: str, evidence: Evidence) -> None:
    """Show what labels brought and what more would bring, as far as it was measured."""
    found = {
        f"The next {MORE} labels": evidence.curve and evidence.curve.sentence,
        "The same gain at random": evidence.yardstick and evidence.yardstick.sentence,
        "Change by labels": evidence.stability and evidence.stability.sentence,
    }
    said = [filled("**{}**: {}.", title, sentence) for title, sentence in found.items() if sentence]
    if not said:
        return
    if evidence.yardstick is None:
        said.append(
            filled("`finloop retrain --yardstick` trains another model, and tells what the gain costs at random.")
        )
    curve = evidence.curve
    points = [
        (one.version, f"{one.labels:,}", f"{one.macro_f1:.3f}", f"{one.gain:+.3f}", f"{one.error:.3f}")
        for one in (curve.points if curve else ())
    ]
    lines = table(["version", "labels", "macro-F1", "above the first", "standard error"], points) if points else ""
    create_markdown_artifact(
        filled("# What labels brought until version {}\n\n", candidate) + "\n\n".join([*said, lines]),
        key="worth",
        description="What labels brought, and what more would bring",
    )
    if curve is not None and len(curve.points) > 1:
        from training.judge.pictures import learning_curve

        create_image_artifact(picture(learning_curve(curve)), key="learning-curve", description="Gain by labels")


def described(dataset: DatasetVersion, left_out: Sequence[BadLine]) -> str:
    """A dataset's parents, its bad lines (`left_out`) and its dropped texts, in one line."""
    line = f"Dataset {dataset.version[:12]}: {in_words(dataset.parents, dataset.label_watermark)}"
    dropped = [f"{count} dropped ({why})" for why, count in dataset.dropped.items()]
    return ", ".join([noted(line, left_out), *dropped])


def show_promotion(promotion: Promotion, serving_url: str) -> None:
    """Show the version that is served, and the version that it replaced."""
    create_markdown_artifact(
        filled("# Version {} is served\n\n", promotion.version)
        + filled("It replaced version {}; `finloop rollback` brings that one back.", promotion.previous or "(none)"),
        key="served",
        description="The version that is served",
    )
    create_link_artifact(serving_url, "Try it", key="serving", description="The serving page")


def show_sync(found: Reconciled, restarted: Sequence[str]) -> None:
    """Show what the webhooks had missed, and what was started again."""
    lines = [(name.replace("_", " "), count) for name, count in found.counts().items()]
    again = filled("\n\nStarted again: {}", ", ".join(restarted)) if restarted else ""
    create_markdown_artifact(
        table(["found in Label Studio", "how many"], lines) + again,
        key="sync",
        description="What the webhooks had missed",
    )


def _task_line(task: LabelTask) -> dict[str, object]:
    if task.purpose is Purpose.AUDIT:
        return {"source": task.source, "text": task.text}
    # The text comes last: it is wide, and would push the other columns out of sight.
    return {
        "worth": task.worth,
        "why": said(task),
        "prediction": task.prediction.label if task.prediction else "none",
        "confidence": f"{task.prediction.confidence:.3f}" if task.prediction else "",
        "source": task.source,
        "text": shorten(task.text, START, placeholder=" …"),
    }


def _dataset(dataset: DatasetVersion, labels: Sequence[str], left_out: Sequence[BadLine]) -> None:
    counts = Counter((row.origin, row.split, row.label) for row in dataset.rows)
    groups = sorted({(origin, split) for origin, split, _ in counts})
    create_table_artifact(
        cells(
            {"from": origin, "split": split, **{label: counts[origin, split, label] for label in labels}}
            for origin, split in groups
        ),
        key="dataset",
        description=plain(described(dataset, left_out)),
    )


def _confusion(judged: Judged) -> None:
    from training.judge.pictures import confusion_matrices

    judgement = judged.judgement
    for name, title in (("audit", "audit slice"), ("seed", "test rows of the seed data")):
        if not len(getattr(judgement.candidate, name)):
            continue
        models = [(f"version {judged.candidate.version}", getattr(judgement.candidate, name).scores())]
        if judgement.champion is not None:
            champion = getattr(judgement.champion, name).scores()
            models.insert(0, (f"champion, version {judged.verdict.champion}", champion))
        image = picture(confusion_matrices(models, title))
        create_image_artifact(image, key=f"confusion-{name}", description=f"Confusion on the {title}")

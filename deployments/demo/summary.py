"""Compares the first champion with the last candidate on the same rows, and writes report.json."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from deployments.demo.annotator import AnswerKey
from deployments.demo.client import Traffic, mixed
from deployments.demo.report import Comparison, compared, tables
from deployments.demo.rounds import Round
from deployments.local.plan import LocalPlan
from flows.prefect_api.runs import Run
from flows.steps.judge import Learnt, audit_slice, learnt_by, near_trained
from flows.wiring.parts import Parts
from storage.models.registry import ModelVersion
from storage.models.verdict import Decision
from storage.records import Row, Split
from training.judge.evaluate import Examples, evaluate, examples, rows_as_examples
from training.model.classifier import Classifier, choose_device

HELD_OUT = 2400


@dataclass(frozen=True)
class Summary:
    """The report, and the comparisons that its table shows."""

    report: dict[str, Any]
    comparisons: list[Comparison]
    path: Path

    def write(self) -> None:
        """Write report.json."""
        self.path.write_text(json.dumps(self.report, indent=2, default=str) + "\n")

    def show(self, console: Console, plan: LocalPlan) -> None:
        """Print the tables and where to look."""
        report = self.report
        console.print(tables(self.comparisons, report["first_champion"], report["candidate"]))
        said, colour = Decision(report["verdict"]["decision"]).said, "green" if report["promoted"] else "yellow"
        console.print(
            f"Version {report['candidate']}, [{colour}]{said}[/{colour}] by the gate: {report['verdict']['reason']}"
        )
        if report["base_model_exposed"]:
            console.print(
                "[yellow]The base model had seen PhraseBank labels: its PhraseBank scores flatter it.[/yellow]"
            )
        console.print(_facts(report))
        console.print(_places(plan, self.path))


def summarise(
    seed: int, parts: Parts, first: str, last: Round, traffic: Traffic, runs: dict[str, Run], seconds: dict[str, float]
) -> Summary:
    """Evaluate both models on the audit slice, held-out texts and the test rows of the seed data.

    The report keeps a reference to `seconds`, so that it also has the time that is added before the report is written.
    """
    models = {version: parts.registry.resolve(version) for version in (first, last.candidate.version)}
    loaded = {version: Classifier.load(parts.registry.folder(version), parts.scheme.names) for version in models}
    before, after = models[first], models[last.candidate.version]
    comparisons = [
        Comparison(name, title, *(evaluate(loaded[one.version], rows) for one in (before, after)))
        for name, title, rows in slices(parts, [before, after], seed)
        if len(rows)
    ]

    def offline(version: str, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        model = loaded.get(version) or Classifier.load(parts.registry.folder(version), parts.scheme.names)
        said = model.predict(texts)
        return [dict(zip(said.labels, row, strict=True)) for row in said.probabilities.tolist()]

    sent = text_ids_in_studio(parts)
    report: dict[str, Any] = {one.name: compared(one) for one in comparisons}
    report |= {
        "first_champion": first,
        "candidate": after.version,
        "champion": parts.registry.aliases()["champion"],
        "promoted": last.promoted,
        "verdict": after.verdict and after.verdict.model_dump(mode="json"),
        "labels": len(parts.labels.trainable()),
        "tasks_created": len(sent),
        "tasks_duplicated": sum(count - 1 for count in Counter(sent).values()),
        "webhooks": sum(parts.inbox.counts().values()),
        "requests": {
            "sent": traffic.sent,
            "failed": len(traffic.failures),
            "mixed": mixed(traffic, offline),
            "versions": traffic.versions(),
            "failures": traffic.failures[:10],
        },
        "seconds": seconds,
        "latency": latency(last, runs),
        "runs": {
            name: {"flow_run_id": run.id, "created_by": run.created_by, "event_id": run.event_id}
            for name, run in runs.items()
        },
        "text_store": parts.texts.describe(),
        "base_model": after.manifest.base_model,
        "base_model_exposed": after.manifest.exposed,
        "device": choose_device(),
        "seed_data": parts.datasets.load(after.manifest.dataset_version).parents[0].name,
    }
    return Summary(report, comparisons, parts.settings.home / "report.json")


def text_ids_in_studio(parts: Parts) -> list[str]:
    """The text id of each task in our Label Studio project; a text that was sent twice is there twice."""
    ours = parts.projects.get(parts.studio.url)
    tasks = parts.studio.tasks(ours.id, "id,data") if ours else ()
    return [str(task["data"]["text_id"]) for task in tasks]


def latency(last: Round, runs: dict[str, Run]) -> dict[str, float]:
    """Seconds from the last label to the new model's first reply: the total, and its parts."""
    deploy, retrain = runs.get("deploy"), runs["retrain"]
    if last.first_reply is None or deploy is None or not (retrain.started and retrain.ended and deploy.started):
        return {}
    training, judging = last.task_seconds.get("train", 0.0), last.task_seconds.get("judge", 0.0)
    total = last.first_reply - last.last_label
    handed = min(retrain.ended, deploy.started)  # a retrain goes on to measure when the deployment has been asked for
    parts = {
        "last label to start of retrain": (retrain.started - last.last_label_at).total_seconds(),
        "retrain less training and evaluation": (handed - retrain.started).total_seconds() - training - judging,
        "end of retrain to start of deploy": (deploy.started - handed).total_seconds(),
    }
    parts["deploy until the first answer"] = total - training - judging - sum(parts.values())
    figures = {"total": total, "training": training, "evaluation": judging, "rest": total - training - judging, **parts}
    return {name: round(value, 2) for name, value in figures.items()}


def slices(parts: Parts, models: Sequence[ModelVersion], seed: int) -> list[tuple[str, str, Examples]]:
    """The rows to compare these models on: (name, title, rows). `seed` draws the held-out texts."""
    dataset = parts.datasets.load(models[-1].manifest.dataset_version)
    test = [row for row in dataset.rows if row.split is Split.TEST]
    learnt = [learnt_by(one, parts.registry, parts.datasets) for one in models]
    return [
        ("audit", "audit slice", audit_slice(parts.labels, learnt)),
        ("heldout", "production texts sent to nobody", _held_out(parts, learnt, seed)),
        ("seed", f"test rows of the seed data{_likeness(test)}", rows_as_examples(test)),
    ]


def _likeness(rows: Sequence[Row]) -> str:
    """A note where many rows are rewordings of each other, because the intervals assume independent rows."""
    groups = len({row.cluster for row in rows})
    return f" in {groups} groups (its intervals are too narrow)" if groups < 0.9 * len(rows) else ""


def _held_out(parts: Parts, learnt: Sequence[Learnt], seed: int) -> Examples:
    """Random texts with a known answer that were sent to nobody, and are near no text that trained a model."""
    key = AnswerKey(parts.settings.home, parts.scheme).read()
    never_sent = sorted(key.keys() - set(parts.tasks.text_ids()))
    random.Random(seed).shuffle(never_sent)
    texts = parts.texts.get(never_sent[: 2 * HELD_OUT])
    chosen = [(text_id, texts[text_id].text) for text_id in never_sent if text_id in texts]
    seen = near_trained([text for _, text in chosen], learnt)
    clean = [(text, key[text_id]) for index, (text_id, text) in enumerate(chosen) if index not in seen]
    return examples(clean[:HELD_OUT])


def _facts(report: dict[str, Any]) -> Table:
    made = Table(title="What happened", title_justify="left", show_header=False)
    requests, latency_ = report["requests"], report["latency"]
    made.add_row("tasks", f"{report['tasks_created']} made, {report['tasks_duplicated']} duplicated")
    made.add_row("labels", f"{report['labels']} trainable, by {report['webhooks']} webhooks")
    made.add_row("requests", f"{requests['sent']} sent, {requests['failed']} failed, {requests['mixed']} mixed")
    made.add_row("answered by", ", ".join(f"version {version}" for version in requests["versions"]))
    if latency_:
        made.add_row("last label to first answer", f"{latency_['rest']:.1f} s beside training and evaluation")
    made.add_row("seconds", ", ".join(f"{name} {value:.0f}" for name, value in report["seconds"].items()))
    return made


def _places(plan: LocalPlan, report: Path) -> Table:
    settings = plan.settings
    made = Table(title="Where to look (while it is up)", title_justify="left", show_header=False)
    made.add_row("Label Studio", settings.label_studio_url)
    if plan.account is not None:
        made.add_row("  login", f"{plan.account.username}  {plan.account.password}")
    made.add_row("Prefect", f"{settings.prefect_url}/dashboard")
    if settings.prefect_auth is not None:
        made.add_row("  login", settings.prefect_auth.get_secret_value())
    made.add_row("Serving", settings.serving_url)
    made.add_row("Report", str(report))
    return made

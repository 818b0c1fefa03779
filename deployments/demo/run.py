"""Runs the loop once on real servers: ingest, first champion, score, audit, select, annotate, retrain, deploy.

The demo starts the score, audit and select runs. It never starts retrain or deploy: it waits for the events that do.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deployments.demo.annotator import AnswerKey
from deployments.demo.check_report import faults
from deployments.demo.client import Client
from deployments.demo.console import Steps
from deployments.demo.rounds import Rounds, asked_for, await_run, started_by_event
from deployments.demo.summary import summarise
from deployments.local.data import sample_texts, seed_path
from deployments.local.home import keep_private, occupied
from deployments.local.plan import LocalPlan, check_given, make_plan
from deployments.supervisor.stack import Stack, interrupts
from flows.prefect_api.events import deliver
from flows.prefect_api.runs import Run, Runs
from flows.steps import asking
from flows.steps.dataset import build_dataset
from flows.steps.decide import record_decision
from flows.steps.ingest import Ingested, ingest
from flows.steps.judge import judge
from flows.steps.recover import RETRAIN_LEASE, RUN_LEASE
from flows.steps.train import Progress, train
from flows.wiring.parts import Parts, open_parts
from flows.wiring.policies import RetrainPolicy
from flows.wiring.settings import Settings, load_settings
from storage.addresses import public_address
from storage.clock import now
from storage.errors import BadInput, Failed
from storage.records import Purpose
from storage.text import text_id
from storage.texts.bad_lines import noted
from storage.texts.csv import CsvRow, read_texts

SPARE = 1.25
"""The audit share is expected to hold this many times the audit tasks, so that a random share is large enough."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line. Without `texts` the sample is used, without `scheme` that of the settings."""

    texts: Path | None
    labels: int
    audit: int
    home: Path
    rounds: int
    seed: int
    keep: bool
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What was read before anything started. `labels` and `seed` are in words; `exposed` is that of the base model."""

    texts: Path
    labelled: bool
    labels: str
    seed: str
    exposed: bool


class DemoFailed(Failed):
    """The loop did not close; the message says at which step and why."""


def run_demo(options: Options) -> None:
    """Run the loop and print the results. All files lie under `options.home`. Raises BadInput or DemoFailed."""
    console = Console()
    if options.home.exists() and not (options.home.is_dir() and not any(options.home.iterdir())):
        raise BadInput(f"{options.home} is no empty folder; name a new one with --workdir")
    settings, given = _read(options, console)
    check_given(settings)
    keep_private(settings.home)
    plan = make_plan(settings)
    console.print(_header(plan, given))
    stack = Stack(plan.processes, plan.settings.home / "logs")
    with occupied(plan.settings.home), interrupts(), open_parts(plan.settings) as parts, stack.launched():
        report = _loop(options, console, plan, parts, stack, given.texts)
        broken = faults(report, must_promote=False)
        for fault in broken:
            console.print(f"[red]The loop does not hold what it promises: {fault}[/red]")
        if options.keep:
            console.print(f"Everything is up; Ctrl-C stops it. Logs are in {plan.settings.home / 'logs'}.")
            with suppress(KeyboardInterrupt):
                stack.watch()
    if broken:
        raise DemoFailed(f"{len(broken)} promises were not held; {plan.settings.home / 'report.json'} has the numbers")


def _read(options: Options, console: Console) -> tuple[Settings, Given]:
    """Read the user's files, so that faults in them show first; the audit share depends on the number of texts."""
    settings = own_settings(options)
    with console.status("reading texts, seed data and base model"), open_parts(settings) as parts:
        texts = options.texts or sample_texts(parts)
        rows = read_texts(texts, parts.scheme).rows
        settings = _with_audit_share(settings, texts, rows, options.audit, options.labels)
        seed_path(parts)
        labelled = any(row.label for row in rows)
        labels = f"{parts.scheme.name}: {', '.join(parts.scheme.names)}"
        seed = f"{parts.seed.source}, {len(parts.seed.rows):,} texts"
        return settings, Given(texts, labelled, labels, seed, parts.base_model.exposed)


def own_settings(options: Options) -> Settings:
    """The user's settings with a new home, so that no earlier label or text changes the results.

    Service, receiver and Prefect server are new too: a demo must never swap the model of a service that people use, nor
    start a retrain of theirs.
    """
    stamp = now().strftime("%Y%m%d%H%M%S")
    own = {
        "home": options.home.resolve(),
        "database_url": None,
        "elasticsearch_index": f"finloop-demo-{stamp}",
        "label_studio_project": f"demo-{stamp}",
        "retrain_after": options.labels,
        **dict.fromkeys(("serving_url", "receiver_url", "prefect_url")),
        "prefect_suffix": "",
        **dict.fromkeys(("prefect_auth", "admin_token", "webhook_secret")),
    }
    if options.scheme is not None:
        own["scheme"] = options.scheme
    return load_settings(written_by_up=False).model_copy(update=own)


def _with_audit_share(settings: Settings, texts: Path, rows: Sequence[CsvRow], audit: int, labels: int) -> Settings:
    distinct = len({text_id(row.text) for row in rows})
    wanted = max(settings.audit_share, SPARE * audit / distinct)
    if wanted > 0.5:
        raise BadInput(
            f"{texts} has {distinct} texts, too few for an audit of {audit}; give more, or a smaller --audit"
        )
    answerable = len({text_id(row.text) for row in rows if row.label}) or distinct
    left = int((1 - wanted) * answerable)
    if left < asked_for(labels):
        raise BadInput(
            f"{texts} has {answerable} texts that can be answered, about {left} of them beside the audit share: "
            f"too few for {labels} labels; give more, or smaller --labels and --audit"
        )
    return settings.model_copy(update={"audit_share": wanted})


def _header(plan: LocalPlan, given: Given) -> Panel:
    from training.model.classifier import choose_device

    settings = plan.settings
    seen = " (it has seen PhraseBank labels)" if given.exposed else ""
    lines = [
        ("labels", given.labels, "--scheme FILE.toml"),
        ("texts", str(given.texts), "--texts FILE.csv"),
        ("text store", text_store(settings), "FINLOOP_ELASTICSEARCH_URL"),
        ("seed data", given.seed, "FINLOOP_SEED_DATA"),
        ("base model", settings.base_model + seen, "FINLOOP_BASE_MODEL=ProsusAI/finbert"),
        ("device", choose_device(), "a GPU, where PyTorch sees one"),
        ("Label Studio", f"real, at {settings.label_studio_url}", "FINLOOP_LABEL_STUDIO_URL"),
        ("Prefect", f"real, at {settings.prefect_url}", "a demo has its own"),
        ("annotator", *_annotator(plan, given.labelled)),
    ]
    said = Table.grid(padding=(0, 2, 0, 0))
    said.add_column(no_wrap=True)
    said.add_column(overflow="fold")
    said.add_column(style="dim", overflow="fold")
    for name, value, setting in lines:
        said.add_row(name, Text(value), Text(setting))
    return Panel(said, title="finloop demo: what is real in this run, and what would change it", title_align="left")


def text_store(settings: Settings) -> str:
    """The text store in words."""
    if settings.elasticsearch_url is None:
        return "embedded (SQLite)"
    return f"Elasticsearch at {public_address(settings.elasticsearch_url)}, index {settings.elasticsearch_index}"


def _annotator(plan: LocalPlan, labelled: bool) -> tuple[str, str]:
    if labelled:
        return "a stand-in, who answers from the labels in the file", "--texts without labels: you answer"
    login = f", as {plan.account.username} with {plan.account.password}" if plan.account else ""
    return f"you, in Label Studio{login}", "--texts with labels"


def _loop(
    options: Options, console: Console, plan: LocalPlan, parts: Parts, stack: Stack, texts: Path
) -> dict[str, Any]:
    steps = Steps(console)
    runs = Runs(plan.settings.prefect_server)
    found: dict[str, Run] = {}
    with steps.step("ingest") as step:
        key = AnswerKey(parts.settings.home, parts.scheme)
        done = ingest(read_texts(texts, parts.scheme), texts.stem, parts.texts, parts.intake, key.add, step.progress)
        step.say(_ingested(done))
    with steps.step("first champion") as step:
        first = _first_champion(parts, stack, runs, step.progress)
        said = f"version {first} trained on the seed data alone, registered and served"
        step.say(noted(said, parts.seed.bad_lines))
    for name, policy in (
        ("score", {}),
        ("audit", {"size": options.audit, "seed": options.seed}),
        ("select", {"size": asked_for(options.labels)}),
    ):
        with steps.step(name) as step:
            found[name] = await_run(runs, stack, runs.start(name, {"policy": policy}), step)
            step.say(_tasks(parts, name))
    project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
    rounds = Rounds(options.labels, options.seed, console, steps, parts, stack, runs, project, key.read())
    with _client(parts) as client:
        last = rounds.until_promoted(options.rounds, client)
    found.update(last.runs)
    with steps.step("summary"):
        summary = summarise(options.seed, parts, first, last, client.traffic, found, steps.seconds)
    summary.write()
    summary.show(console, plan)
    return summary.report


def _ingested(done: Ingested) -> str:
    return noted(f"{done.new:,} texts, {done.audit:,} set aside for the audit", done.bad_lines)


def _tasks(parts: Parts, name: str) -> str:
    if name == "score":
        counts = parts.texts.counts()
        return ", ".join(f"{count:,} texts scored by version {version}" for version, count in counts.predicted.items())
    counts_by_state = parts.tasks.counts().get(Purpose(name), {})
    return f"{sum(counts_by_state.values())} tasks in Label Studio"


def _first_champion(parts: Parts, stack: Stack, runs: Runs, progress: Progress) -> str:
    """Train on the seed data alone while the servers start; an event deploys the model like any other version."""
    policy, began = RetrainPolicy(), now()
    with parts.leases.hold(RETRAIN_LEASE, RUN_LEASE):
        registry, datasets, scheme = parts.registry, parts.datasets, parts.scheme
        dataset = build_dataset(parts.labels, parts.texts, datasets, parts.seed, policy.merge, parts.scheme)
        candidate = train(dataset, parts.base_model, registry, policy.recipe, scheme, progress)
        verdict = judge(candidate, dataset, registry, parts.labels, datasets, scheme, policy.gate).verdict
        record_decision(verdict, dataset, registry, datasets, parts.outbox, parts.problems)
    if not verdict.promoted:
        raise DemoFailed(f"the first champion is not sound: {verdict.reason}")
    progress(1.0, "waiting for the servers")
    stack.wait_until_ready()
    asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
    deliver(parts.outbox, parts.settings.prefect_server)
    started_by_event(runs, stack, "deploy", began)
    return candidate.version


@contextmanager
def _client(parts: Parts) -> Iterator[Client]:
    sample = [text.text for _, text in zip(range(500), parts.texts.random_audit(seed=1), strict=False)]
    with Client(parts.settings.needed("serving_url"), sample) as client:
        yield client

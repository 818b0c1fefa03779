"""The verbs that do one step of the loop by hand. Those with a deployment in prefect.yaml run on a Prefect worker."""

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.terminal import Json, Unescape, bar, console, errors, print_json, run_and_wait
from flows.prefect_api.runs import Runs
from flows.wiring.settings import load_settings

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end of the run.")]
Size = Annotated[int | None, typer.Option(min=1, max=5000, help="Texts to send; unset: as prefect.yaml says.")]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command(epilog="Example:  finloop ingest posts.csv")(ingest)
    app.command(epilog="Example:  finloop score --withdraw-above 0.9")(score)
    app.command(epilog="Example:  finloop audit --size 200")(audit)
    app.command(epilog="Example:  finloop select --size 50 --strategy power_margin")(select)
    app.command(epilog="Example:  finloop annotate --limit 50")(annotate)
    app.command(epilog="Example:  finloop sync")(sync)
    app.command(epilog="Example:  FINLOOP_KEEP_DAYS=7 finloop prune")(prune)
    app.command(epilog="Example:  finloop retrain --no-wait")(retrain)
    app.command(epilog="Example:  finloop deploy challenger")(deploy)
    app.command(epilog="Example:  finloop rollback")(rollback)


def ingest(
    file: Annotated[Path, typer.Argument(help="CSV with the column text; label, source, published_at if there.")],
    unescape: Unescape = False,
    as_json: Json = False,
) -> None:
    """Store production texts; a salted hash puts the audit share aside for ever."""
    from deployments.demo.annotator import AnswerKey
    from flows.steps.ingest import ingest as ingest_file
    from flows.wiring.parts import open_parts
    from storage.texts.csv import read_texts

    with open_parts() as parts, bar(f"ingest {file.name}") as move:
        reading, keep = (
            read_texts(file, parts.scheme, unescape=unescape),
            AnswerKey(parts.settings.home, parts.scheme).add,
        )
        done = ingest_file(reading, file.stem, parts.texts, parts.intake, keep, move)
    for bad in done.bad_lines:
        errors.print(f"{file}:{bad.line}: left out: {bad.reason}", markup=False, highlight=False)
    for note in done.notes:
        errors.print(f"{file}: {note}", markup=False, highlight=False)
    counts = {"new": done.new, "known": done.known, "audit": done.audit, "labelled": done.labelled}
    if as_json:
        print_json({**counts, "left_out": len(done.bad_lines), "notes": done.notes})
        return
    console.print(
        f"{done.new:,} new texts, {done.known:,} known, {done.audit:,} of them in the audit share; "
        f"{done.labelled:,} labels read, {len(done.bad_lines)} lines left out"
    )


def score(
    withdraw_above: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Also take back open tasks that nobody has touched, where the champion's margin has risen above this; "
            "unset: as the deployment's policy says, which takes none back by default.",
        ),
    ] = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Give every text its prediction by the champion, and rank the open tasks by its doubts."""
    _run("score", {} if withdraw_above is None else {"policy": {"withdraw_above": withdraw_above}}, wait, as_json)


def audit(size: Size = None, wait: Wait = True, as_json: Json = False) -> None:
    """Send random texts of the audit share to annotators, without the model's prediction."""
    _run("audit", {} if size is None else {"policy": {"size": size}}, wait, as_json)


def select(
    size: Size = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="The query strategy: a name, or package.module:function; unset: the policy's, or FINLOOP_STRATEGY."
        ),
    ] = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Send the texts that are worth a label to annotators, with the model's answer beside each.

    Before there is a champion, --strategy typical or random sends texts without an answer.
    """
    if strategy is not None and ":" not in strategy:  # a user's own function may lie on the workers' machine alone
        from labeling.ask.strategies.registry import find_strategy

        find_strategy(strategy)
    given = {"size": size, "strategy": strategy}
    policy = {name: value for name, value in given.items() if value is not None}
    _run("select", {"policy": policy} if policy else {}, wait, as_json)


def sync(wait: Wait = True, as_json: Json = False) -> None:
    """Find answers that webhooks missed, send reserved texts, and start again what a crash interrupted."""
    _run("sync", {}, wait, as_json)


def prune(wait: Wait = True, as_json: Json = False) -> None:
    """Delete webhooks, finished intents and ended problems older than FINLOOP_KEEP_DAYS; labels are never deleted."""
    _run("prune", {}, wait, as_json)


def retrain(
    yardstick: Annotated[
        bool,
        typer.Option(
            "--yardstick",
            help="Measure now what the gain would cost at random, by a second training. A retrain does so by itself "
            "each time that the labels have doubled.",
        ),
    ] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Train on seed data and labels; the gate decides whether the candidate is deployed."""
    _run("retrain", {"policy": {"yardstick": "always"}} if yardstick else {}, wait, as_json)


def deploy(
    version: Annotated[str, typer.Argument(help="challenger, or a version number.")] = "challenger",
    force: Annotated[bool, typer.Option(help="Deploy the version even if the gate did not promote it.")] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Load a version in the service, check it, make it the champion, and swap it in."""
    _run("deploy", {"version": version, "force": force}, wait, as_json)


def rollback(wait: Wait = True, as_json: Json = False) -> None:
    """Bring the previous champion back."""
    _run("deploy", {"version": "previous", "force": True}, wait, as_json)


def annotate(
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many answers.")] = None,
    as_json: Json = False,
) -> None:
    """Have the stand-in annotator answer open tasks, from the answer key that ingest kept."""
    from deployments.demo.annotator import AnswerKey
    from deployments.demo.annotator import annotate as answer
    from flows.steps import asking
    from flows.wiring.parts import open_parts

    with open_parts() as parts, bar("annotate") as move:
        project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
        key = AnswerKey(parts.settings.home, parts.scheme).read()
        done = answer(parts.studio, project, key, parts.scheme, limit=limit, progress=move)
    if as_json:
        print_json({"answered": done.answered, "skipped": done.skipped, "unknown": done.unknown})
        return
    left = f" ({done.unknown} left open: the key has no answer for them)" if done.unknown else ""
    console.print(f"{done.answered} answered, {done.skipped} skipped{left} in {project.url}", soft_wrap=True)


def _run(name: str, parameters: dict[str, object], wait: bool, as_json: bool) -> None:
    settings = load_settings()
    runs = Runs(settings.prefect_server)
    run_and_wait(runs, name, parameters, wait=wait, as_json=as_json)

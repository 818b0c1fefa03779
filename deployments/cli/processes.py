"""The verbs about processes: start them all, run the demo, show the status."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.terminal import Json, console, print_json, show_facts
from flows.wiring.settings import load_settings
from storage.clock import now

if TYPE_CHECKING:
    from deployments.local.plan import LocalPlan


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command(epilog="Example:  finloop up")(up)
    app.command(epilog="Example:  finloop status --json")(status)
    app.command(epilog="Example:  finloop demo --texts posts.csv --labels 300 --audit 200")(demo)


def up() -> None:
    """Start each server that has no address in the settings, keep all of them up, and stop them on Ctrl-C."""
    from deployments.cli.status import said_problem
    from deployments.local.home import keep_private, occupied
    from deployments.local.our_project import find_project
    from deployments.local.plan import check_given, make_plan, prepare_home
    from deployments.supervisor.process import ProcessEvent
    from deployments.supervisor.stack import Stack
    from flows.steps.troubles import changed_servers
    from flows.wiring.parts import open_parts

    given = load_settings(written_by_up=False)
    check_given(given)

    def report(event: ProcessEvent) -> None:
        console.print(
            f"{event.seconds:6.1f} s  {event.process} {event.kind} {event.detail}", markup=False, highlight=False
        )

    with occupied(given.home.resolve()):
        if changed := keep_private(given.home.resolve()):
            console.print(f"others could read {changed} of the folders and files of {given.home}; now only you can")
        with open_parts(given) as parts:
            for said in prepare_home(parts):
                console.print(said, markup=False, highlight=False)
        plan = make_plan(given)

        def when_ready() -> None:
            with open_parts(plan.settings) as parts:
                unusable = find_project(parts, ours=plan.account is not None)
                changed = changed_servers(parts.projects, parts.studio.url)
            for sentence in plan.said:
                console.print(sentence, markup=False, highlight=False, soft_wrap=True)
            show_addresses(plan)
            for sentence in filter(None, [unusable, *map(said_problem, changed)]):
                console.print(sentence, style="yellow", markup=False, highlight=False, soft_wrap=True)

        Stack(plan.processes, plan.settings.home / "logs", report).run_until_interrupted(when_ready)


def show_addresses(plan: "LocalPlan") -> None:
    """Print the addresses, and the login of our Label Studio."""
    settings = plan.settings
    places = {
        "Label Studio": settings.label_studio_url,
        "Prefect": f"{settings.prefect_url}/dashboard",
        "Serving": settings.serving_url,
        "Receiver": settings.receiver_url,
        "Logs": settings.home / "logs",
    }
    if settings.prefect_auth is not None:
        places["Prefect login"] = settings.prefect_auth.get_secret_value()
    if plan.account is not None:
        places["Label Studio login"] = f"{plan.account.username}  {plan.account.password}"
    show_facts(places, "finloop is up; Ctrl-C stops it")


def demo(
    texts: Annotated[Path | None, typer.Option(help="CSV with text,label; unset: the sample.")] = None,
    labels: Annotated[int, typer.Option(min=10, max=4500, help="Labels to learn from, until the retrain.")] = 300,
    audit: Annotated[int, typer.Option(min=60, max=5000, help="Audit tasks to send; the gate needs 50 answers.")] = 200,
    workdir: Annotated[
        Path | None, typer.Option(help="FINLOOP_HOME for this run, new or empty; unset: demo-run/TIME.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=5, help="Rounds of labels at most, until a promotion.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Fixes the random draws: audit, skips, held-out texts.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything up at the end, until Ctrl-C.")] = False,
    scheme: Annotated[
        str | None, typer.Option(help="A label scheme: sentiment, rumour or a TOML file; unset: FINLOOP_SCHEME.")
    ] = None,
) -> None:
    """Run the whole loop once on real servers, and compare the model before and after."""
    from deployments.demo.run import Options, run_demo

    home = workdir or Path("demo-run", now().strftime("%Y%m%d-%H%M%S"))
    run_demo(Options(texts, labels, audit, home, rounds, seed, keep, scheme))


def status(as_json: Json = False) -> None:
    """Show texts, tasks, labels until the next retrain, the served model, and problems."""
    from deployments.cli.status import show_standing, standing
    from flows.wiring.parts import open_parts

    with open_parts(reading=True) as parts:
        found = standing(parts)
    if as_json:
        print_json(found.to_json())
    else:
        show_standing(found)

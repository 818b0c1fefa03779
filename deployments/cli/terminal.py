"""Writes to the terminal in one way for all verbs: a console, exit codes of errors, and tables or JSON."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from flows.prefect_api.runs import Run, Runs
from flows.wiring.cures import name_setting
from storage.errors import Failed, FinloopError

console = Console()
errors = Console(stderr=True, soft_wrap=True)

FAILED, USER_ERROR = 1, 2
Unescape = Annotated[bool, typer.Option("--unescape", help="Read HTML entities such as &amp; as characters.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the command at a named error: exit code 1 where something failed, 2 where the user can correct something.

    A file that cannot be read or written is named too, wherever it lies.
    """
    try:
        yield
    except FinloopError as error:
        name_setting(error)
        errors.print(f"finloop: {error}", style="red", markup=False, highlight=False)
        raise SystemExit(FAILED if isinstance(error, Failed) else USER_ERROR) from error
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        errors.print(f"finloop: {error.filename}: {error.strerror}", style="red", markup=False, highlight=False)
        raise SystemExit(FAILED) from error


@contextmanager
def bar(description: str) -> Iterator[Any]:
    """A progress bar on stderr; yields a function of (fraction, message)."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[message]}"), console=errors, transient=True) as progress:
        task = progress.add_task(description, total=1.0, message="")

        def move(fraction: float, message: str = "") -> None:
            progress.update(task, completed=min(1.0, fraction), message=message)

        yield move


def show(rows: Sequence[Mapping[str, Any]], title: str, as_json: bool) -> None:
    """A table with a column for each key of the first row, or the rows as JSON on stdout."""
    if as_json:
        print_json(list(rows))
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in rows[0] if rows else ("nothing yet",):
        table.add_column(str(name))
    for row in rows:
        # As Text: brackets in a text are no markup.
        table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
    console.print(table)


def show_facts(facts: Mapping[str, Any], title: str) -> None:
    """A table with a line for each name and value."""
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in facts.items():
        table.add_row(name, Text("" if value is None else str(value)))
    console.print(table)


def counted(counts: Mapping[str, Any]) -> str:
    """Names and numbers in one line: `audit 3, select 5`."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def print_json(value: Any) -> None:
    """JSON for scripts: nothing else goes to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def run_and_wait(runs: Runs, name: str, parameters: dict[str, Any], *, wait: bool, as_json: bool) -> Run:
    """Start a run of a deployment, print its address and, with `wait`, wait for its end; closes `runs` then.

    Raises RunFailed.
    """
    try:
        run = runs.start(name, parameters)
        if not as_json:
            console.print(f"{name}: {runs.page(run)}", soft_wrap=True)
        if wait:
            with errors.status(f"{name} is running"):
                run = runs.finish(run)
    finally:
        runs.close()
    if as_json:
        print_json({"flow_run_id": run.id, "state": run.state, "message": run.message})
    elif wait:
        console.print(Text.assemble(f"{name} ", (run.state.lower(), "green"), f" {run.message}"))
    return run

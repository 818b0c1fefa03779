"""The command `finloop`: collects the verbs, and turns named errors into messages and exit codes.

Heavy packages are imported inside the verbs, so that `finloop --help` responds at once.
"""

import os
import sys
from io import TextIOWrapper
from pathlib import Path

import typer

from deployments.cli import datasets, loop, models, processes, train
from deployments.cli.terminal import exit_codes
from deployments.supervisor.cores import share_cores
from storage.errors import BadInput

app = typer.Typer(
    name="finloop",
    help="A served text classifier that gets better from the texts it is unsure about.",
    epilog="Begin with:  finloop demo",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
processes.add_to(app)
loop.add_to(app)
train.add_to(app)
app.add_typer(datasets.group, name="datasets")
app.add_typer(models.group, name="models")


def main() -> None:
    """The entry point: named errors become a message and an exit code."""
    _ask_loopback_directly()
    _show_what_can_be_shown()
    share_cores()
    with exit_codes():
        _check_folder()
        app()


def _ask_loopback_directly() -> None:
    """Proxies are for the internet: no process of ours uses one to reach another on this machine."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    direct = ",".join(filter(None, (known, "127.0.0.1", "localhost")))
    os.environ.update(no_proxy=direct, NO_PROXY=direct)


def _show_what_can_be_shown() -> None:
    """A terminal that is not UTF-8 shows a question mark for what it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _check_folder() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise BadInput(
            "the folder in which finloop was called is gone.\nGo to another folder, then call it again."
        ) from error


if __name__ == "__main__":
    main()

"""Starts a Label Studio server from a virtual environment of its own, because its pinned versions clash with ours.

The migrations of an empty database take 30 to 54 s. `make install` runs them once, for a template without users; a copy
of the template starts in 5 s. The first start on a copy makes the user and its token.
"""

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from storage.errors import BadInput, FinloopError

DATABASE = "label_studio.sqlite3"
"""The file in a data folder that shows that a server was there before."""

MIGRATION_DEADLINE = 600.0
"""Seconds that a migration of an empty database may take; about 30 on 2 cores."""


@dataclass(frozen=True, slots=True)
class Account:
    """The one user of a server of ours; Label Studio keeps at most 40 characters of a token."""

    username: str = "finloop@localhost.local"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    token: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute, and what to add to the environment for it."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)


def label_studio_command(executable: Path, data: Path, port: int, account: Account) -> Command:
    """The command of a server on 127.0.0.1:`port` that keeps everything, its secret key too, in `data`.

    The account is made at the first start on that folder and never changed by a later one: keep it with the data.
    """
    variables = {
        **_quiet(data),
        "HOST": f"http://127.0.0.1:{port}",
        "PORT": str(port),
        "USERNAME": account.username,
        "PASSWORD": account.password,
        "USER_TOKEN": account.token,
        "ENABLE_LEGACY_API_TOKEN": "true",
        "DISABLE_SIGNUP_WITHOUT_LINK": "true",
    }
    argv = (str(executable.absolute()), "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port))
    return Command(argv, _prefixed(variables))


def template_of(executable: Path) -> Path:
    """Where `make install` keeps the template: in the server's own environment, so that both are removed together."""
    return executable.parent.parent / "finloop-template"


def prepare_template(executable: Path, template: Path) -> None:
    """Migrate an empty database into `template`, without a user; an existing template is left alone.

    The template is made elsewhere and renamed, so that an interruption leaves no half template. Raises BadInput where
    there is no server to run, and FinloopError with the server's last lines where it cannot migrate.
    """
    if (template / DATABASE).is_file():
        return
    if not executable.is_file():
        raise BadInput(f"there is no Label Studio at {executable}. Run `make install`.")
    template.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=template.parent, prefix=".finloop-template-") as folder:
        made = Path(folder) / "data"
        made.mkdir(mode=0o700)
        _migrate(executable, made)
        _write_ahead(made / DATABASE)
        # A secret key signs sessions: every data folder gets its own at its first start.
        (made / ".env").unlink(missing_ok=True)
        _rename(made, template)


def prepare_data(data: Path, template: Path) -> bool:
    """Make `data` a copy of the template unless a server was there before; False where there is no template.

    Without a template the first start takes longer; nothing else differs.
    """
    if (data / DATABASE).is_file():
        return True
    if not (template / DATABASE).is_file():
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return False
    data.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data.parent, prefix=".label-studio-") as folder:
        copy = shutil.copytree(template, Path(folder) / "data")
        copy.chmod(0o700)
        _rename(copy, data)
    return True


def _write_ahead(database: Path) -> None:
    """Have SQLite sync the disk once for a commit, not four times: 12.5 answers a second on 2 cores, not 8.3."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # kept in the file, and so in every copy


def _migrate(executable: Path, data: Path) -> None:
    """`label-studio version` applies every migration before it answers, and makes no user."""
    environment = os.environ | _prefixed(_quiet(data))
    # The template must have no user, and no server may start: without these it would ask for a user.
    for name in ("USERNAME", "PASSWORD", "USER_TOKEN"):
        environment.pop(f"LABEL_STUDIO_{name}", None)
    done = subprocess.run(
        [str(executable.absolute()), "version"],
        env=environment,
        cwd=data,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MIGRATION_DEADLINE,
        check=False,
    )
    if done.returncode or not (data / DATABASE).is_file():
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise FinloopError(f"Label Studio could not migrate its database (exit code {done.returncode}):\n{last}")


def _quiet(data: Path) -> dict[str, str]:
    """The variables of every run: its folder, no calls home, and webhooks to loopback addresses allowed."""
    return {
        "BASE_DATA_DIR": str(data.absolute()),
        "DATABASE_NAME": str(data.absolute() / DATABASE),
        "DJANGO_DB": "sqlite",
        "DEBUG": "false",
        "LOG_LEVEL": "WARNING",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "SSRF_PROTECTION_ENABLED": "false",
        # The default is one second, too short beside a training; a webhook that fails is lost until the next sync.
        "WEBHOOK_TIMEOUT": "5",
    }


def _prefixed(variables: dict[str, str]) -> dict[str, str]:
    """With the prefix that wins over the bare names (HOST, PORT, USERNAME), which Label Studio reads too."""
    return {f"LABEL_STUDIO_{name}": value for name, value in variables.items()}


def _rename(made: Path, place: Path) -> None:
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()
    made.rename(place)


def main() -> None:
    """`python -m deployments.local.label_studio EXECUTABLE`: prepare its template, for `make install`."""
    executable = Path(sys.argv[1]).absolute()
    try:
        prepare_template(executable, template_of(executable))
    except FinloopError as error:
        raise SystemExit(f"finloop: {error}") from error


if __name__ == "__main__":
    main()

"""The work folder of an `up` or demo: held by one at a time; its finloop.env tells the others what was started."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import SecretStr

from deployments.local.label_studio import Account
from flows.wiring.settings import Settings
from storage.errors import BadInput


@contextmanager
def occupied(home: Path) -> Iterator[None]:
    """Keep a home, made if need be, for one `up` or demo: a second would start its servers on the same files.

    Raises BadInput where another has it, or where there can be no folder.
    """
    lock = FileLock(home / "up.lock", timeout=0)
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise BadInput(
            f"finloop is up already in {home} (FINLOOP_HOME).\nStop it there with Ctrl-C, or name another folder."
        ) from error
    except OSError as error:
        raise BadInput(
            f"{home} (FINLOOP_HOME) cannot be used: {error.strerror}.\nName a folder that you may write to."
        ) from error
    try:
        yield
    finally:
        lock.release()


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings as the environment variables that give them back, whatever else a process finds in its own.

    What is unset is empty, not left out: a part must not take a database from the shell or the `.env` it starts in.
    """
    values = {f"FINLOOP_{name.upper()}": getattr(settings, name) for name in Settings.model_fields}
    return {name: _written(value) for name, value in values.items()}


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def write_environment(path: Path, environment: Mapping[str, str], account: Account | None) -> None:
    """Write finloop.env whole, readable by its owner only; the login of our Label Studio goes with it."""
    login = account and {
        "LOGIN_USERNAME": account.username,
        "LOGIN_PASSWORD": account.password,
        "LOGIN_TOKEN": account.token,
    }
    lines = [f"{name}={_quoted(value)}" for name, value in {**environment, **(login or {})}.items() if value]
    aside = path.with_suffix(".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("# Written by `finloop up`: addresses and secrets of what it started.\n" + "\n".join(lines) + "\n")
    aside.replace(path)


def _quoted(value: str) -> str:
    # python-dotenv fills in ${NAME} inside quotes too; a variable without a name has no value but its default.
    literal = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "${:-${}")
    return f"'{literal}'"

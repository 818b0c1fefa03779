"""Keeps a home for one `up` or demo at a time and from other people's eyes, and writes finloop.env.

In finloop.env other processes find what was started.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import SecretStr

from deployments.local.label_studio import Account
from flows.wiring.settings import Settings
from flows.wiring.written import WRITTEN_IN
from storage.errors import BadInput
from storage.sql.files import private_folder

SECRET = ("*.db", "*.db-*", "*.env", "*.csv", "prefect/*.db*", "label-studio/*.sqlite3*")
"""The files of a home that hold texts, labels, tokens or passwords."""


@contextmanager
def occupied(home: Path) -> Iterator[None]:
    """Lock a home, made if need be, for one `up` or demo: a second one would start its servers on the same files.

    Raises BadInput where another process holds the lock, or where the folder cannot be made.
    """
    lock = FileLock(home / "up.lock", timeout=0)
    try:
        private_folder(home)
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


def keep_private(home: Path) -> int:
    """Take the rights of everybody else from an older home and from its files with secrets. Returns how many had some.

    Files that this process and its children make from now on have no such rights. What belongs to another user, or lies
    on a disk without rights, stays as it is.
    """
    os.umask(0o077)
    changed = 0
    for path in (home, *(path for pattern in SECRET for path in home.glob(pattern))):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077 and not path.is_symlink():
                path.chmod(mode & ~0o077)
                changed += 1
        except OSError:
            continue
    return changed


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables: a process with these variables reads the same settings.

    An unset setting is an empty variable, or a process could take a database from the shell or from a `.env`.
    """
    values = {f"FINLOOP_{name.upper()}": getattr(settings, name) for name in Settings.model_fields}
    return {name: _written(value) for name, value in values.items()}


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def write_environment(path: Path, environment: Mapping[str, str], account: Account | None) -> None:
    """Replace finloop.env, readable by its owner only; it holds the login of our Label Studio too.

    The home is the folder in which the file lies, so a moved or copied file still means its own home.
    """
    login = account and {
        "LOGIN_USERNAME": account.username,
        "LOGIN_PASSWORD": account.password,
        "LOGIN_TOKEN": account.token,
    }
    ours = str(Settings.model_fields["label_studio"].default)  # it moves with the repository
    kept = {name: value for name, value in environment.items() if name != "FINLOOP_HOME" and value != ours}
    written = {WRITTEN_IN: str(path.parent.resolve()), **kept, **(login or {})}
    lines = [f"{name}={_quoted(value)}" for name, value in written.items() if value]
    aside = path.with_suffix(".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("# Written by `finloop up`: addresses and secrets of what it started.\n" + "\n".join(lines) + "\n")
    aside.replace(path)


def _quoted(value: str) -> str:
    # python-dotenv replaces ${NAME} inside quotes too; a variable without a name always has its default.
    literal = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "${:-${}")
    return f"'{literal}'"

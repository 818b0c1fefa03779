"""The values that the supervisor takes and gives: processes to keep up, and the events of their lives."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from storage.errors import Failed


@dataclass(frozen=True, slots=True)
class Process:
    """One process to keep up.

    `env` is added to our own environment. `ready` is an address that must respond with a status below 400, or a check
    that must return True within a second and raise nothing; without it a process is ready once it is started.
    `prepare` runs once, when the needs are ready and before the first start; its error stops the stack. A process with
    `restart=False` that dies stops the stack. `ready_deadline` is the seconds from start to ready.

    A process that was ready and is frozen for `silent_deadline` seconds is killed, and counts as one that died. It is
    frozen if `alive` (unset: the address of `ready`) gives no good response within some seconds, or if it is stopped.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    ready: str | Callable[[], bool] | None = None
    port: int | None = None
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    restart: bool = True
    ready_deadline: float = 180.0
    alive: Callable[[], bool] | None = None
    silent_deadline: float = 60.0


class EventKind(StrEnum):
    """What can happen to a process, in the order of its life."""

    STARTED = "started"
    READY = "ready"
    DIED = "died"
    RESTARTED = "restarted"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """Something happened to a process; `seconds` since its start (for stopped: since it was told to stop)."""

    kind: EventKind
    process: str
    seconds: float = 0.0
    detail: str = ""


class ProcessFailed(Failed):
    """A process cannot be started or kept up; the message ends with the last lines of its log."""

    def __init__(self, process: str, reason: str, log: Path, last_lines: tuple[str, ...] = ()) -> None:
        lines = "".join(f"\n    {line}" for line in last_lines) or " it wrote nothing."
        super().__init__(f"{process} {reason}. Its last lines, from {log}:{lines}")
        self.process, self.reason, self.log, self.last_lines = process, reason, log, last_lines


def exit_reason(code: int) -> str:
    """`exit code 3`, or `killed by SIGKILL` for subprocess's codes below zero."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"

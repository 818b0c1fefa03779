"""Outlives the supervisor just long enough to end what it started, whatever ended the supervisor itself.

It holds the reading end of a pipe whose other end only the supervisor has: end of file means that it stopped or was
killed. The parent's id is looked at too, since a child forked by the supervisor may hold the pipe open.
"""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from deployments.supervisor.descendants import end

GRACE = 4.0
"""Seconds between SIGTERM and SIGKILL; with the sweep and the kernel it must stay below ten."""


class Guard:
    """The supervisor's side: starts the guard process, and asks it for a last sweep when closed."""

    def __init__(self, stack_id: str, log: Path) -> None:
        self._stack_id = stack_id
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it in a session of its own, so that the terminal's Ctrl-C does not reach it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deployments.supervisor.guard", self._stack_id, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def keep(self) -> None:
        """Start it again if somebody killed it."""
        if self._process and self._process.poll() is not None:
            self._let_go()
            self.start()

    def close(self, deadline: float = 10.0) -> None:
        """Let it sweep and wait for its end."""
        if self._process is None:
            return
        self._let_go()
        try:
            self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _let_go(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()


def main() -> None:
    """`python -m deployments.supervisor.guard STACK_ID OWNER_PID`: end the stack's processes when the owner ends."""
    stack_id, owner = sys.argv[1], int(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.getppid() == owner:
        readable, _, _ = select.select([sys.stdin], [], [], 1.0)
        if readable:
            break
    left = end(stack_id, grace=GRACE)
    if left:
        raise SystemExit(f"these processes could not be ended: {left}")


if __name__ == "__main__":
    main()

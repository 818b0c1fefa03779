"""Ends the processes of a stack when the supervisor has ended, even if the supervisor was killed.

The guard is a process that reads from a pipe. Only the supervisor has the other end, so end of file means that the
supervisor has ended. The guard checks its parent's id too, because a child of the supervisor may hold the pipe open.
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
"""Seconds between SIGTERM and SIGKILL; all processes must have ended ten seconds after the supervisor."""

CLOSE_DEADLINE = 10.0


class Guard:
    """The supervisor's side: starts the guard process, and has it end all that is left when closed."""

    def __init__(self, stack_id: str, log: Path) -> None:
        self._stack_id = stack_id
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the guard process in a session of its own, so that the terminal's Ctrl-C does not reach it."""
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
        """Start the guard process again if it was killed."""
        if self._process and self._process.poll() is not None:
            self._let_go()
            self.start()

    def close(self) -> None:
        """Have the guard process end what is left of the stack, and wait for it."""
        if self._process is None:
            return
        self._let_go()
        try:
            self._process.wait(CLOSE_DEADLINE)
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

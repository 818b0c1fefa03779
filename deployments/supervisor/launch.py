"""Resets the signals, then becomes another program: `python -I -S launch.py PROGRAM ARGUMENTS`.

A script that starts `finloop up` with `&` makes it ignore SIGINT, and a Prefect worker that inherits this never stops.
subprocess can reset signals only by preexec_fn, which is unsafe beside threads; exec keeps the process id.
"""

import os
import signal
import sys


def main() -> None:
    """Reset ignored and blocked signals, which exec would keep, then exec; exit code 127 where exec fails."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    argv = sys.argv[1:]
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.stderr.write(f"cannot execute {argv[0]}: {error.strerror}\n")
        raise SystemExit(127) from error


if __name__ == "__main__":
    main()

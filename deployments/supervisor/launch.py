"""Becomes another program with ordinary signals; run by path, as `python -I -S launch.py PROGRAM ARGUMENTS`.

Whoever starts `finloop up` from a script with `&` hands down an ignored SIGINT, and a Prefect worker that inherits it
never stops. subprocess can't restore that without preexec_fn, which is unsafe beside threads; exec keeps our pid.
"""

import os
import signal
import sys


def main() -> None:
    """Reset what is inherited across exec (ignored and blocked signals), then exec; exits 127 where that fails."""
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

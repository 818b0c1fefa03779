"""Keeps one process up: starts it when its needs are ready, waits until it is ready, starts it again when it dies."""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from deployments.supervisor.descendants import end, marks
from deployments.supervisor.ports import port_is_free
from deployments.supervisor.process import EventKind, Process, ProcessEvent, ProcessFailed, exit_reason
from deployments.supervisor.pulse import Pulse, responds

RESTARTS = 3
RESTART_WINDOW = 60.0
POLL = 0.1
BACKOFF = 0.5
LAST_LINES = 20
LAUNCH = Path(__file__).with_name("launch.py")


class Keeper:
    """The life of one process; `run` is a thread's body, `signal_stop` and `gone` are for the thread that stops it."""

    def __init__(
        self,
        process: Process,
        stack_id: str,
        log: Path,
        report: Callable[[ProcessEvent], None],
        stopping: threading.Event,
    ) -> None:
        self.process = process
        self.ready = threading.Event()
        self._stack_id = stack_id
        self._log = log
        self._report = report
        self._stopping = stopping
        self._child: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._log_offset = 0

    @property
    def pid(self) -> int | None:
        """The process id of the process, None before its first start."""
        return self._child.pid if self._child else None

    def run(self, needs: Mapping[str, threading.Event]) -> None:
        """Keep the process up until the stack stops. Raises ProcessFailed when the process cannot be kept up."""
        self._await(needs)
        if self.process.prepare and not self._stopping.is_set():
            self.process.prepare()
        deaths: deque[float] = deque()
        reason = self._attempt(EventKind.STARTED)
        if reason:
            raise self._failure(f"{reason} before it was ready" if reason.startswith("died") else reason)
        while not self._stopping.is_set():
            reason = reason or self._await_death()
            if reason:
                reason = self._again(reason, deaths, needs)

    def signal_stop(self) -> None:
        """Tell the process to stop, if it lives; it stops what it started in its own way."""
        if self._child and self._child.poll() is None:
            self._child.terminate()

    def gone(self) -> bool:
        """Whether the process has ended (or was never started)."""
        return self._child is None or self._child.poll() is not None

    def _await(self, needs: Mapping[str, threading.Event]) -> None:
        """Wait until every need is ready, or the stack stops."""
        for ready in needs.values():
            while not self._stopping.is_set() and not ready.wait(POLL):
                pass

    def _again(self, reason: str, deaths: deque[float], needs: Mapping[str, threading.Event]) -> str | None:
        """Start the process again after its death. Returns why that failed too, or None."""
        self.ready.clear()
        self._report(ProcessEvent(EventKind.DIED, self.process.name, time.monotonic() - self._started, reason))
        now = time.monotonic()
        deaths.append(now)
        while now - deaths[0] > RESTART_WINDOW:
            deaths.popleft()
        if not self.process.restart:
            raise self._failure(reason)
        if len(deaths) > RESTARTS:
            raise self._failure(f"{reason}, for the {len(deaths)}th time within a minute")
        # A child of the dead process may hold its port, its files or its lease.
        end(self._stack_id, {self.process.name}, grace=2.0)
        # A worker dies with its server. To wait for the server saves restarts of the worker.
        self._await(needs)
        self._stopping.wait(BACKOFF * len(deaths))
        return self._attempt(EventKind.RESTARTED, f"{len(deaths)} of {RESTARTS} restarts within a minute")

    def _attempt(self, kind: EventKind, detail: str = "") -> str | None:
        """Start the process and wait until it is ready. Returns why it is not, or None (also when the stack stops)."""
        if self._stopping.is_set():
            return None
        if self.process.port and not port_is_free(self.process.port):
            return f"cannot start: another process listens on port {self.process.port}"
        self._child = self._spawn()
        self._report(ProcessEvent(kind, self.process.name, 0.0, detail or f"process {self._child.pid}"))
        while not self._stopping.is_set():
            code = self._child.poll()
            if code is not None:
                return f"died ({exit_reason(code)})"
            if self._is_ready():
                self.ready.set()
                self._report(ProcessEvent(EventKind.READY, self.process.name, time.monotonic() - self._started))
                return None
            if time.monotonic() - self._started > self.process.ready_deadline:
                end(self._stack_id, {self.process.name}, grace=2.0)
                self._child.wait()
                return f"was not ready after {self.process.ready_deadline:.0f} s"
            self._stopping.wait(POLL)
        return None

    def _await_death(self) -> str | None:
        assert self._child is not None
        pulse = Pulse(self.process, self._child.pid)
        while not self._stopping.wait(POLL):
            code = self._child.poll()
            if code is not None:
                return f"died ({exit_reason(code)})"
            if pulse.lost():
                end(self._stack_id, {self.process.name}, grace=0.0)
                self._child.wait()
                return f"was frozen for {self.process.silent_deadline:.0f} s, and was killed"
        return None

    def _spawn(self) -> subprocess.Popen[bytes]:
        """The process in a session of its own, its output appended to a log that only its owner may read."""
        log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._log_offset = os.fstat(log).st_size
            self._started = time.monotonic()
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCH), *self.process.argv],
                env={
                    **os.environ,
                    "PYTHONUNBUFFERED": "1",
                    **self.process.env,
                    **marks(self._stack_id, self.process.name),
                },
                cwd=self.process.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _is_ready(self) -> bool:
        if self.process.ready is None:
            return True
        if isinstance(self.process.ready, str):
            return responds(self.process.ready)
        return self.process.ready()

    def _failure(self, reason: str) -> ProcessFailed:
        lines: tuple[str, ...] = ()
        if self._log.is_file():
            text = self._log.read_bytes()[self._log_offset :][-16_384:].decode(errors="replace")
            lines = tuple(text.splitlines()[-LAST_LINES:])
        return ProcessFailed(self.process.name, reason, self._log, lines)

"""Tells a frozen process from a living one: a process that neither ends nor responds holds its port for ever."""

import threading
import time

import psutil

from deployments.supervisor.process import Process

BEATS = 12
"""How many looks fall into the time after which a silent process is frozen."""

PATIENCE = 5.0
"""Seconds at most that a look waits for a response, when the process has responded before: it may be busy."""


class Pulse:
    """Looks at a process that was ready, now and then."""

    def __init__(self, process: Process, pid: int) -> None:
        self._process = process
        self._pid = pid
        self._every = process.silent_deadline / BEATS
        self._last = self._looked = time.monotonic()
        self._missed = 0
        self._looking = threading.Event()

    def lost(self) -> bool:
        """Whether the process has been frozen for its `silent_deadline`. Returns at once: a thread of its own looks.

        One long look is not enough: several in a row must fail, so that a laptop's sleep ends no process.
        """
        if not self._looking.is_set() and time.monotonic() - self._looked >= self._every:
            self._looking.set()
            threading.Thread(target=self._look, name=f"pulse of {self._process.name}", daemon=True).start()
        return self._missed >= BEATS // 3 and self._looked - self._last >= self._process.silent_deadline

    def _look(self) -> None:
        beats = self._beats()
        self._looked = time.monotonic()
        if beats:
            self._last, self._missed = self._looked, 0
        else:
            self._missed += 1
        self._looking.clear()

    def _beats(self) -> bool:
        try:
            if psutil.Process(self._pid).status() == psutil.STATUS_STOPPED:
                return False
        except psutil.Error:
            return True  # it has ended: its exit code says more
        if self._process.alive is not None:
            return self._process.alive()
        if isinstance(self._process.ready, str):
            return responds(self._process.ready, min(PATIENCE, self._every))
        return True


def responds(url: str, seconds: float = 1.0) -> bool:
    """Whether a GET of this loopback address has a status below 400 within this time; no proxy is used."""
    import httpx

    try:
        return httpx.get(url, timeout=seconds, trust_env=False).status_code < 400
    except httpx.TransportError:
        return False

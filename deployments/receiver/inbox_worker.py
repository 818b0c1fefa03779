"""Processes committed webhooks after the response is sent, on one thread that no error ends."""

import logging
import threading
from collections.abc import Callable

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds."""

logger = logging.getLogger(__name__)


class InboxWorker:
    """Calls `process` whenever there may be work; a call that fails is logged and made again, later each time."""

    def __init__(self, process: Callable[[], None]) -> None:
        """`process` must do all the work that waits, and be safe to repeat."""
        self._process = process
        self._work, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox-worker", daemon=True)
        self.failures = 0

    def start(self) -> None:
        """Begin with what an earlier process left over."""
        self._work.set()
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be work."""
        self._work.set()

    def stop(self) -> None:
        """Let the call that is under way finish, for at most five seconds; the rest stays in the inbox."""
        self._stop.set()
        self._work.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while self._work.wait() and not self._stop.is_set():
            self._work.clear()
            try:
                self._process()
                self.failures = 0
            except Exception:  # foreseen or not, no error may end the thread in silence
                self.failures += 1
                pause = min(FIRST_PAUSE * 2 ** (self.failures - 1), LONGEST_PAUSE)
                logger.exception("working on the inbox failed, again in %.1f s", pause)
                self._stop.wait(pause)
                self._work.set()

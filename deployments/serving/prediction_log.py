"""Keeps served texts and their predictions, so that annotators can be asked about them, and delays no response.

Requests put their texts into a bounded queue and go on. One thread writes batches to the text store. Texts that do not
fit, or that cannot be written after some tries, are dropped and counted: a response is worth more than its record.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from storage.records import Prediction
from storage.texts.intake import Intake
from storage.texts.store import TextStore

logger = logging.getLogger(__name__)

SOURCE = "serving"


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """Limits: texts that may wait, texts in a batch, tries for a batch, seconds before the second (then doubled)."""

    capacity: int = 10_000
    batch: int = 200
    tries: int = 4
    wait: float = 0.5


class PredictionLog:
    """Writes served texts and their predictions to a text store from a thread of its own.

    The first write opens the store there, so that the service works while its store is away.
    The `intake` is that of ingest, so that a served text has the same audit flag as an ingested one.
    The counts `written`, `dropped` (no room, or given up) and `errors` (failed tries) only grow.
    """

    def __init__(self, open_store: Callable[[], TextStore], intake: Intake, policy: LogPolicy | None = None) -> None:
        self._open_store, self._intake = open_store, intake
        self._policy = policy or LogPolicy()
        self._queue: deque[tuple[str, Prediction]] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._until = float("inf")
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self.written = self.dropped = self.errors = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def offer(self, texts: Sequence[str], predictions: Sequence[Prediction]) -> None:
        """Queue served texts (normalised) with their predictions; what does not fit is dropped and counted."""
        pairs = list(zip(texts, predictions, strict=True))
        with self._changed:
            room = max(0, self._policy.capacity - len(self._queue))
            self._queue.extend(pairs[:room])
            self.dropped += len(pairs) - len(pairs[:room])
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Texts that are queued."""
        return len(self._queue)

    def close(self, seconds: float = 5.0) -> None:
        """Write what is queued, for at most about `seconds`; the rest is dropped and counted. The store stays open."""
        self._until = time.monotonic() + seconds
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(seconds + 1)
        with self._changed:
            self.dropped += len(self._queue)
            self._queue.clear()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stopping.is_set())
                batch = [self._queue.popleft() for _ in range(min(self._policy.batch, len(self._queue)))]
            if not batch or time.monotonic() > self._until:
                self.dropped += len(batch)
                return
            self._write(batch)

    def _write(self, batch: list[tuple[str, Prediction]]) -> None:
        pause = self._policy.wait
        for attempt in range(1, self._policy.tries + 1):
            if self._stored(batch):
                return
            if attempt == self._policy.tries or time.monotonic() + pause > self._until:
                break
            self._stopping.wait(pause)
            pause *= 2
        self._write_halves(batch)

    def _write_halves(self, batch: list[tuple[str, Prediction]]) -> None:
        """Drop only the text at fault. A store that takes neither half of a batch is away, and the rest is dropped."""
        while len(batch) > 1 and time.monotonic() < self._until:
            middle = len(batch) // 2
            failed = [half for half in (batch[:middle], batch[middle:]) if not self._stored(half)]
            if not failed:
                return
            if len(failed) == 2:
                break
            batch = failed[0]
        self.dropped += len(batch)

    def _stored(self, batch: list[tuple[str, Prediction]]) -> bool:
        try:
            self._store_batch(batch)
        except Exception:  # two stores have two families of errors, and none of them may end this thread
            self.errors += 1
            logger.exception("prediction log: %d texts were not stored", len(batch))
            return False
        self.written += len(batch)
        return True

    def _store_batch(self, batch: list[tuple[str, Prediction]]) -> None:
        texts = [self._intake.text(text, SOURCE, prediction.predicted_at) for text, prediction in batch]
        newest = {text.text_id: (text, prediction) for text, (_, prediction) in zip(texts, batch, strict=True)}
        store = self._open_store()
        store.add(text for text, _ in newest.values())
        store.record_predictions((identity, prediction) for identity, (_, prediction) in newest.items())

"""Predicts the texts of all requests in shared batches on one thread, so that the service is fast under load.

The texts that come while a batch runs are the next batch: a single request waits for no other, and batches fill by
themselves under load. A large request is cut into pieces that share each batch with the small ones, so that 256 long
texts do not delay a headline.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deployments.serving.swap import Served
from storage.errors import FinloopError

if TYPE_CHECKING:
    from training.model.classifier import Predicted

BATCH = 32
"""Texts in one forward pass; more gains little on a CPU and makes the next request wait."""
WAITING = 4096
"""Texts that may wait (some 25 s of work on two cores); beyond that a request is refused at once."""


class NoModel(FinloopError):
    """No model is served yet."""


class Overloaded(FinloopError):
    """Too many texts are waiting already."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The predictions of one request, all by the one version in `served`."""

    served: Served
    predicted: "Predicted"


@dataclass(slots=True)
class _Request:
    texts: Sequence[str]
    served: Served
    reply: asyncio.Future[Reply]
    pieces: list["Predicted"] = field(default_factory=list)
    done: int = 0


class Batcher:
    """Predicts for the requests of one event loop; a request keeps the version that it began with."""

    def __init__(self, served: Callable[[], Served | None], observe: Callable[[int, float], None]) -> None:
        """`served` gives the current model; `observe` is told the texts and seconds of every forward pass."""
        self._served = served
        self._observe = observe
        self._waiting: deque[_Request] = deque()
        self._texts = 0
        self._wake = asyncio.Event()
        self._inference = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._loop: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Texts that were accepted and have no prediction yet."""
        return self._texts

    def start(self) -> None:
        """Begin to predict; needs a running event loop."""
        self._loop = asyncio.get_running_loop().create_task(self._run(), name="batcher")

    async def stop(self) -> None:
        """Cancel the waiting requests, and wait for the forward pass that is under way."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        for request in self._waiting:
            request.reply.cancel()
        self._inference.shutdown(wait=True, cancel_futures=True)

    async def predict(self, texts: Sequence[str]) -> Reply:
        """The predictions of `texts` (at least one), wholly by one version.

        Raises NoModel before a model is served, Overloaded where too many texts wait.
        """
        served = self._served()
        if served is None:
            raise NoModel("no model is served yet")
        if self._texts + len(texts) > WAITING:
            raise Overloaded(f"{self._texts:,} texts are waiting already")
        request = _Request(texts, served, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._texts += len(texts)
        self._wake.set()
        try:
            return await request.reply
        finally:
            self._texts -= len(texts)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            batch = self._next_batch()
            if not batch:
                self._wake.clear()
                continue
            await self._predict(batch)

    def _next_batch(self) -> list[tuple[_Request, Sequence[str]]]:
        """Up to BATCH texts for one version, an even share from each waiting request, the oldest first."""
        self._waiting = deque(request for request in self._waiting if not request.reply.done())
        if not self._waiting:
            return []
        served = self._waiting[0].served
        alike = [request for request in self._waiting if request.served is served][:BATCH]
        alike.sort(key=lambda request: len(request.texts) - request.done)
        batch: list[tuple[_Request, Sequence[str]]] = []
        room = BATCH
        for behind, request in zip(range(len(alike), 0, -1), alike, strict=True):
            share = -(-room // behind)  # large requests get the room that small ones leave
            piece = request.texts[request.done : request.done + share]
            room -= len(piece)
            batch.append((request, piece))
        return batch

    async def _predict(self, batch: list[tuple[_Request, Sequence[str]]]) -> None:
        texts = [text for _, piece in batch for text in piece]
        began = time.perf_counter()
        running = asyncio.get_running_loop().run_in_executor(self._inference, batch[0][0].served.model.predict, texts)
        await asyncio.wait([running])
        self._observe(len(texts), time.perf_counter() - began)
        if (error := running.exception()) is not None:
            for request, _ in batch:
                if not request.reply.done():
                    request.reply.set_exception(error)
            return
        start = 0
        for request, piece in batch:
            _keep(request, running.result(), start, len(piece))
            start += len(piece)


def _keep(request: _Request, predicted: "Predicted", start: int, count: int) -> None:
    from training.model.classifier import Predicted

    request.pieces.append(predicted.rows(start, start + count))
    request.done += count
    if request.done == len(request.texts) and not request.reply.done():
        request.reply.set_result(Reply(request.served, Predicted.joined(request.pieces)))

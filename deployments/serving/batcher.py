"""Predicts the texts of all requests in shared batches on one thread, so that the service is fast under load.

The texts that come while a batch runs are the next batch: a single request waits for no other, and batches fill by
themselves under load. Requests take turns: each batch has an even share from each request in it, and a request that is
not finished goes to the end of the queue. So a list of 256 long texts delays a headline by one batch. Fairness is by
request and not by address, because all clients behind a proxy have one address.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deployments.serving.passes import ModelFails, Observe, Passes, TextFails
from deployments.serving.swap import Served
from storage.errors import FinloopError

if TYPE_CHECKING:
    from training.model.classifier import Predicted

logger = logging.getLogger(__name__)

BATCH = 32
"""Texts in one forward pass; more gains little on a CPU and makes the next request wait."""
WAITING = 4096
"""Texts that may wait (some 25 s of work on two cores)."""
SHARE = 4
"""A request gets at most this part of the room that is left: lists never take the last room from single texts."""
RETRY = 5.0
"""Seconds between tries of a model that fails."""


class NoModel(FinloopError):
    """No model is served yet."""


class Overloaded(FinloopError):
    """Too many texts are waiting already."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The predictions of one request, all by the one version in `served`."""

    served: Served
    predicted: "Predicted"


@dataclass(slots=True, eq=False)
class _Request:
    texts: Sequence[str]
    served: Served
    reply: asyncio.Future[Reply]
    taken: int = 0
    rows: dict[int, "Predicted"] = field(default_factory=dict)


_Text = tuple[_Request, int]
"""A request and the place of one of its texts."""


class Batcher:
    """Predicts for the requests of one event loop; a request keeps the version that it began with."""

    def __init__(self, served: Callable[[], Served | None], observe: Observe, probe: Sequence[str]) -> None:
        """`served` gives the current model; `observe` is told the texts and seconds of every forward pass.

        `probe` are texts that a good model predicts; they tell a bad text from a model that fails.
        """
        self._served = served
        self._waiting: deque[_Request] = deque()
        self._texts = 0
        self._wake = asyncio.Event()
        self._inference = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._passes = Passes(self._inference, observe, probe)
        self._loop: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Texts that were accepted and have no prediction yet."""
        return self._texts

    def why_failing(self) -> str | None:
        """Why the served model predicts nothing, or None where it works."""
        return self._passes.why_failing(self._served())

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
        """The predictions of `texts` (at least one), wholly by one version. A caller that is cancelled costs no pass.

        Raises NoModel before a model is served, Overloaded where too many texts wait, TextFails where the model
        cannot predict one of `texts`, ModelFails where the model predicts nothing.
        """
        served = self._served()
        if served is None:
            raise NoModel("no model is served yet")
        if len(texts) * SHARE > WAITING - self._texts:
            raise Overloaded(f"{self._texts:,} texts are waiting already; try again, or send fewer than {len(texts)}")
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
            try:
                await asyncio.wait_for(self._wake.wait(), RETRY if self.why_failing() else None)
            except TimeoutError:
                await self._passes.try_again(self._served())
                continue
            batch = self._next_batch()
            if not batch:
                self._wake.clear()
                continue
            try:
                await self._predict(batch)
            except Exception as error:
                logger.exception("a batch failed")
                _fail(batch, error)

    def _next_batch(self) -> list[_Text]:
        """Up to BATCH texts for one version: an even share from each of the first requests, which then go last."""
        here = [request for request in self._waiting if _open(request)]
        alike = [request for request in here if request.served is here[0].served][:BATCH]
        moved = set(alike)
        self._waiting = deque([*(request for request in here if request not in moved), *alike])
        alike.sort(key=lambda request: len(request.texts) - request.taken)
        batch: list[_Text] = []
        for behind, request in zip(range(len(alike), 0, -1), alike, strict=True):
            share = -(-(BATCH - len(batch)) // behind)  # large requests get the room that small ones leave
            end = min(request.taken + share, len(request.texts))
            batch += [(request, index) for index in range(request.taken, end)]
            request.taken = end
        return batch

    async def _predict(self, batch: list[_Text]) -> None:
        """Predict a batch; where that fails predict its halves, until the text at fault is alone."""
        batch = [(request, index) for request, index in batch if not request.reply.done()]
        if not batch:
            return
        served = batch[0][0].served
        try:
            predicted = await self._passes.predict(served, [request.texts[index] for request, index in batch])
        except ModelFails as error:
            _fail(batch, error)
        except TextFails as error:
            if len(batch) == 1:
                ((request, index),) = batch
                request.reply.set_exception(TextFails(str(error), index))
                return
            middle = len(batch) // 2
            await self._predict(batch[:middle])
            await self._predict(batch[middle:])
        else:
            for row, (request, index) in enumerate(batch):
                _keep(request, index, predicted, row)


def _open(request: _Request) -> bool:
    return not request.reply.done() and request.taken < len(request.texts)


def _fail(batch: list[_Text], error: Exception) -> None:
    for request, _ in batch:
        if not request.reply.done():
            request.reply.set_exception(error)


def _keep(request: _Request, index: int, predicted: "Predicted", row: int) -> None:
    from training.model.classifier import Predicted

    request.rows[index] = predicted.rows(row, row + 1)
    if len(request.rows) == len(request.texts) and not request.reply.done():
        rows = [request.rows[place] for place in range(len(request.texts))]
        request.reply.set_result(Reply(request.served, Predicted.joined(rows)))

"""Runs forward passes, and tells a text that a model cannot predict from a model that predicts nothing.

A tokenizer with one token more than the embedding, a full GPU memory or a lost GPU raise the same errors. So after a
single text has failed, texts that the model predicted when it was loaded are tried.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from deployments.serving.swap import Served
from storage.errors import FinloopError
from storage.text import text_id

if TYPE_CHECKING:
    from training.model.classifier import Predicted

logger = logging.getLogger(__name__)

Observe = Callable[[int, float], None]
"""Is told the texts and seconds of every forward pass."""


class TextFails(FinloopError):
    """The model cannot predict a text: the one at `index`, or one of a batch where that is not known yet."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


class ModelFails(FinloopError):
    """The served model predicts nothing, not even the texts that it predicted when it was loaded."""


class Passes:
    """Predicts on the one thread of `inference`, and remembers whether the model works."""

    def __init__(self, inference: ThreadPoolExecutor, observe: Observe, probe: Sequence[str]) -> None:
        self._inference, self._observe, self._probe = inference, observe, list(probe)
        self._failing: tuple[Served, ModelFails] | None = None

    def why_failing(self, served: Served | None) -> str | None:
        """Why `served` predicts nothing, or None where it works or was not tried."""
        failing = self._failing
        return str(failing[1]) if failing is not None and failing[0] is served else None

    async def predict(self, served: Served, texts: Sequence[str]) -> "Predicted":
        """One forward pass over `texts`.

        Raises TextFails where a text is at fault: with several texts their halves may succeed. Raises ModelFails where
        the probe fails too.
        """
        result = await self._run(served, texts)
        if not isinstance(result, BaseException):
            self._works(served)
            return result
        if len(texts) == 1 or self.why_failing(served):
            await self.check(served)
        kind = type(result).__name__
        if len(texts) == 1:
            logger.error("version %s fails on text %s", served.version.version, text_id(texts[0]), exc_info=result)
        raise TextFails(f"the model cannot predict this text ({kind})") from result

    async def check(self, served: Served) -> None:
        """Try the probe. Raises ModelFails, logged at the first time, where it fails."""
        result = await self._run(served, self._probe)
        if not isinstance(result, BaseException):
            self._works(served)
            return
        version, kind = served.version.version, type(result).__name__
        if self.why_failing(served) is None:
            logger.error("version %s fails on every text", version, exc_info=result)
        error = ModelFails(f"version {version} fails on every text ({kind}); the log of the service has the details")
        self._failing = served, error
        raise error

    async def try_again(self, served: Served | None) -> None:
        """Notice where a model that failed works again."""
        if served is not None and self.why_failing(served):
            try:
                await self.check(served)
            except ModelFails:
                return

    def _works(self, served: Served) -> None:
        if self.why_failing(served):
            logger.info("version %s works again", served.version.version)
            self._failing = None

    async def _run(self, served: Served, texts: Sequence[str]) -> "Predicted | BaseException":
        began = time.perf_counter()
        running = asyncio.get_running_loop().run_in_executor(self._inference, served.model.predict, texts)
        # Not awaited by itself: an error that is no Exception (a panic of the tokenizer) would end the event loop.
        await asyncio.wait([running])
        self._observe(len(texts), time.perf_counter() - began)
        return running.exception() or _faults(running.result(), len(texts)) or running.result()


def _faults(predicted: "Predicted", count: int) -> ValueError | None:
    scores = predicted.probabilities
    if len(scores) != count or len(predicted.logits) != count:
        return ValueError(f"{len(scores)} rows for {count} texts")
    if not (np.isfinite(scores).all() and np.isfinite(predicted.logits).all()):
        return ValueError("scores that are not finite")
    return None

"""Connects the model, the batcher, the counts and the log of one service; knows nothing of HTTP.

The modules `app`, `admin` and `page` only translate between HTTP and the service.
"""

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request

from deployments.serving.batcher import Batcher, NoModel
from deployments.serving.metrics import ServingMetrics
from deployments.serving.prediction_log import PredictionLog
from deployments.serving.swap import Load, ModelSlot, Served, probes
from storage.errors import FinloopError
from storage.models.registry import ModelVersion, Registry
from storage.records import Prediction
from storage.scheme import Scheme

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """The prediction for a text; `truncated`: the model read only a part of the text."""

    prediction: Prediction
    truncated: bool


RECENT = 8
"""Predictions that the page shows."""


class Service:
    """One served model with its batcher, log and numbers. Start and stop it inside one event loop."""

    def __init__(
        self, registry: Registry, scheme: Scheme, *, admin_token: str, log: PredictionLog | None, load: Load
    ) -> None:
        self.admin_token = admin_token
        self.scheme = scheme
        self.slot = ModelSlot(registry, scheme, load)
        self.metrics = ServingMetrics(log)
        self.recent: deque[tuple[str, Prediction]] = deque(maxlen=RECENT)
        self._registry = registry
        self._log = log
        self._batcher = Batcher(lambda: self.slot.served, self.metrics.forward_pass, probes(scheme))
        self._background = ThreadPoolExecutor(1, thread_name_prefix="serving")

    def start(self) -> None:
        """Accept requests; the champion is loaded in the background, so that the process responds at once."""
        self._batcher.start()
        if self._log is not None:
            self._log.start()
        self.metrics.waiting.set_function(lambda: self._batcher.waiting)
        self._background.submit(self._serve_champion)

    async def stop(self) -> None:
        """Wait for the running forward pass, and write the texts that the log still holds."""
        await self._batcher.stop()
        self._background.shutdown(wait=True, cancel_futures=True)
        self.slot.close()
        if self._log is not None:
            self._log.close(seconds=3)

    def why_not_ready(self) -> str | None:
        """Why texts cannot be predicted now, or None where they can."""
        return self.slot.why_not_ready() or self._batcher.why_failing()

    async def predict(self, texts: Sequence[str]) -> list[Answer]:
        """The answers to normalised texts, all by one version; raises what `Batcher.predict` raises."""
        if (reason := self.slot.why_not_ready()) is not None:
            raise NoModel(f"no model is served: {reason}")
        reply = await self._batcher.predict(texts)
        from training.model.classifier import to_predictions

        version = reply.served.version.version
        predictions = to_predictions(reply.predicted, version, datetime.now(UTC))
        for prediction in predictions:
            self.metrics.texts.labels(prediction.label, version).inc()
        self.recent.extend(list(zip(texts, predictions, strict=True))[-RECENT:])
        if self._log is not None:
            self._log.offer(texts, predictions)
        cut = reply.predicted.truncated.tolist()
        if any(cut):
            self.metrics.truncated.inc(sum(cut))
        return [Answer(one, truncated) for one, truncated in zip(predictions, cut, strict=True)]

    def load(self, name: str) -> Served:
        """Load a version aside and check it; blocks. Raises what `ModelSlot.prepare` raises."""
        try:
            served = self.slot.prepare(name)
        except FinloopError:
            self.metrics.loads.labels("failed").inc()
            raise
        self.metrics.loads.labels("ready").inc()
        return served

    def swap(self, name: str) -> Served:
        """Serve the version that was loaded aside; raises what `ModelSlot.swap` raises."""
        before = self.slot.served
        served = self.slot.swap(name)
        if served is not before:
            self.metrics.swaps.inc()
            self.metrics.now_served(served.version.version)
        return served

    def describe(self) -> dict[str, Any]:
        """What is served, where it came from, and the last failure to load another; blocks on the registry."""
        served, failure = self.slot.served, self.slot.last_error
        return {
            **(_describe(self._newest(served.version), served.loaded_at) if served else {"version": None}),
            "loading": self.slot.loading,
            "last_error": failure and {"version": failure.version, "reason": failure.reason, "at": failure.at},
        }

    def _serve_champion(self) -> None:
        self.slot.start()
        if self.slot.served is not None:
            self.metrics.now_served(self.slot.served.version.version)

    def _newest(self, version: ModelVersion) -> ModelVersion:
        """The version with its present aliases and verdict, which may have changed since the load."""
        try:
            return self._registry.resolve(version.version)
        except Exception:  # a registry that cannot be read must not hide which model is served
            logger.exception("the registry cannot be read")
            return version


def _describe(version: ModelVersion, loaded_at: datetime) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "version": version.version,
        "aliases": version.aliases,
        "base_model": manifest.base_model,
        "exposed": manifest.exposed,
        "dataset_version": manifest.dataset_version,
        "recipe_hash": manifest.recipe_hash,
        "metrics": manifest.metrics,
        "verdict": version.verdict and version.verdict.model_dump(mode="json"),
        "created_at": version.created_at,
        "loaded_at": loaded_at,
    }


def _of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_of)]
"""An endpoint's parameter: the service of the app that it runs in."""

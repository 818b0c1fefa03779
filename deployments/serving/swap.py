"""Holds the served model and replaces it in one step, so that each response comes from one whole model.

A version is loaded beside the served one, checked against its manifest and run once; only then one reference is
replaced. A request reads `served` once, so that a swap does not change the version of a request. A version that fails
is remembered and shown, and the served one stays: the service never takes another model without saying so.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from storage.errors import CorruptModel, FinloopError
from storage.models.registry import ModelVersion, Registry
from storage.scheme import Scheme

if TYPE_CHECKING:
    from training.model.classifier import Predicted

logger = logging.getLogger(__name__)


class Model(Protocol):
    """Anything that predicts as `training.model.classifier.Classifier` does; called by one thread at a time."""

    def predict(self, texts: Sequence[str]) -> "Predicted":
        """Logits and probabilities, a row for each text."""


Load = Callable[[Path, Sequence[str]], Model]
"""(a model's folder, the labels that it must have) -> the model."""


def load_classifier(folder: Path, labels: Sequence[str]) -> Model:
    """Load with `Classifier.load`. The import of torch takes seconds, and the service must respond before.

    Raises BadInput where the folder holds no classifier, or one of other labels.
    """
    from training.model.classifier import Classifier

    return Classifier.load(folder, labels)


class NotPrepared(FinloopError):
    """The version was not loaded and checked before the swap."""


class LoadFailed(FinloopError):
    """The files of a version are as registered, but the model cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Served:
    """A version and its loaded model, never one without the other."""

    version: ModelVersion
    model: Model
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last attempt to load a version failed."""

    version: str
    reason: str
    at: datetime


class ModelSlot:
    """Holds the served model and at most one prepared model; every method may be called from any thread."""

    def __init__(self, registry: Registry, scheme: Scheme, load: Load = load_classifier) -> None:
        self._registry = registry
        self._scheme = scheme
        self._load = load
        self._prepared: Served | None = None
        self._changing = threading.Lock()
        # One thread: with two loads at once, four models would be in memory, and both loads would be slow.
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self.served: Served | None = None
        self.last_error: Failure | None = None
        self.loading: str | None = None

    def prepare(self, name: str) -> Served:
        """Load the version called `name` beside the served one and check it; blocks for seconds.

        Raises UnknownVersion, CorruptModel, BadInput or LoadFailed, and keeps it as `last_error` until a load succeeds.
        """
        future = self._loader.submit(self._load_aside, name)
        error = future.exception()
        if error is None:
            self.last_error = None
            return future.result()
        logger.error("version %s cannot be loaded: %s", name, error)
        self.last_error = Failure(name, str(error), datetime.now(UTC))
        if isinstance(error, FinloopError):
            raise error
        reason = f"version {name} cannot be loaded: {type(error).__name__}: {error}"
        self.last_error = Failure(name, reason, datetime.now(UTC))
        raise LoadFailed(reason) from error

    def swap(self, name: str) -> Served:
        """Serve the prepared version from the next batch on; a version that is served already stays.

        Raises NotPrepared for a version that is not the last one loaded, UnknownVersion for an unknown name.
        """
        version = self._registry.resolve(name).version
        with self._changing:
            prepared = self._prepared
            if prepared is not None and prepared.version.version == version:
                self.served, self._prepared = prepared, None
                logger.info("version %s is served", version)
                return prepared
            if self.served is not None and self.served.version.version == version:
                return self.served
        raise NotPrepared(f"version {version} is not loaded; load it first (POST /admin/load)")

    def start(self) -> None:
        """Serve the registry's champion if there is one; a failure is remembered and nothing is served instead."""
        try:
            champion = self._registry.aliases().get("champion")
        except Exception as error:  # MLflow and its database have many errors; the service tells why it has no model
            logger.exception("the registry cannot be read")
            self.last_error = Failure("champion", f"the registry cannot be read: {error}", datetime.now(UTC))
        else:
            if champion is not None:
                self._start_champion(champion)

    def why_not_ready(self) -> str | None:
        """Why no model is served, or None where one is."""
        if self.served is not None:
            return None
        if self.loading is not None:
            return f"version {self.loading} is being loaded"
        if self.last_error is not None:
            return f"version {self.last_error.version} could not be loaded: {self.last_error.reason}"
        return "no champion yet: the registry has no model under that alias"

    def close(self) -> None:
        """Let go of the loading thread; a load that is under way ends first."""
        self._loader.shutdown(wait=True, cancel_futures=True)

    def _start_champion(self, version: str) -> None:
        try:
            self.prepare(version)
            self.swap(version)
        except FinloopError:
            logger.warning("starting without a model: %s", self.why_not_ready())

    def _load_aside(self, name: str) -> Served:
        version = self._registry.resolve(name)
        self.loading = version.version
        try:
            folder = self._registry.folder(version.version)
            served = self.served
            if served is not None and served.version.version == version.version:
                return served
            aside = Served(version, self._load(folder, self._scheme.names), datetime.now(UTC))
            _probe(aside, self._scheme)
            with self._changing:
                self._prepared = aside
            return aside
        finally:
            self.loading = None


def probes(scheme: Scheme) -> list[str]:
    """The texts that every version must predict before it is served."""
    return [scheme.question, "$XYZ", *(case.text for case in scheme.obvious)]


def _probe(aside: Served, scheme: Scheme) -> None:
    """Run the model once. Raises CorruptModel unless every score is finite and every row sums to one."""
    tried = probes(scheme)
    scores = aside.model.predict(tried).probabilities
    name = f"version {aside.version.version}"
    if scores.shape != (len(tried), len(scheme.names)):
        raise CorruptModel(f"{name} gives {scores.shape} scores for {len(tried)} texts")
    if not np.isfinite(scores).all() or not np.allclose(scores.sum(axis=1), 1.0, atol=1e-4):
        raise CorruptModel(f"{name} gives scores that are not finite or do not sum to one")

"""Counts for Prometheus what the service does; each app has its own registry, so that two apps do not add up."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from deployments.serving.prediction_log import PredictionLog

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_TEXTS = (1, 2, 4, 8, 16, 32)


class ServingMetrics:
    """Counters that the endpoints and the batcher write; `page` is the body of `/metrics`."""

    def __init__(self, log: PredictionLog | None) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter("finloop_requests", "Responses of /predict", ["status"], registry=registry)
        self.seconds = Histogram(
            "finloop_request_seconds", "From request to response", buckets=_SECONDS, registry=registry
        )
        self.texts = Counter("finloop_texts", "Texts predicted", ["label", "version"], registry=registry)
        self.truncated = Counter("finloop_truncated_texts", "Texts read only in part", registry=registry)
        self.batch = Histogram("finloop_batch_texts", "Texts per forward pass", buckets=_TEXTS, registry=registry)
        self.forward = Histogram(
            "finloop_forward_seconds", "Seconds per forward pass", buckets=_SECONDS, registry=registry
        )
        self.waiting = Gauge("finloop_waiting_texts", "Texts accepted and not predicted yet", registry=registry)
        self.served = Gauge("finloop_model_served", "1 for the version that is served", ["version"], registry=registry)
        self.loads = Counter("finloop_loads", "Models loaded aside", ["result"], registry=registry)
        self.swaps = Counter("finloop_swaps", "Models swapped in", registry=registry)
        if log is not None:
            self._watch(log)

    def page(self) -> bytes:
        """All numbers in the text format of Prometheus."""
        return generate_latest(self._registry)

    def forward_pass(self, texts: int, seconds: float) -> None:
        """Note one forward pass."""
        self.batch.observe(texts)
        self.forward.observe(seconds)

    def now_served(self, version: str) -> None:
        """Note which version is served from now on."""
        self.served.clear()
        self.served.labels(version).set(1)

    def _watch(self, log: PredictionLog) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"finloop_log_{name}", meaning, registry=self._registry)

        gauge("waiting_texts", "Served texts waiting to be stored").set_function(lambda: log.waiting)
        gauge("written_texts", "Served texts stored").set_function(lambda: log.written)
        gauge("dropped_texts", "Served texts that were not stored").set_function(lambda: log.dropped)
        gauge("write_errors", "Failed tries to store served texts").set_function(lambda: log.errors)

"""Counts for Prometheus what the receiver does; each app has its own registry, so that two apps do not add up."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as Responses
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class ReceiverMetrics:
    """Numbers that the webhook's route writes; `page` is the body of `/metrics`, `refused` counts by status."""

    def __init__(self, rows: Callable[[], Mapping[str, int]], failures: Callable[[], int]) -> None:
        registry = self._registry = CollectorRegistry()
        registry.register(_InboxGauge(rows, failures))
        self.refused: Counter[int] = Counter()
        self._answered = Responses(
            "finloop_webhooks", "Webhooks by the status of the response", ["status"], registry=registry
        )
        self._seconds = Histogram(
            "finloop_webhook_seconds", "Seconds until the response", buckets=BUCKETS, registry=registry
        )

    def answered(self, status: int, seconds: float) -> None:
        """Note the response to a webhook."""
        self._answered.labels(str(status)).inc()
        self._seconds.observe(seconds)

    def page(self) -> bytes:
        """All numbers in the text format of Prometheus."""
        return generate_latest(self._registry)


class _InboxGauge(Collector):
    """Counts the rows when Prometheus asks, so that the numbers are right after a restart."""

    def __init__(self, rows: Callable[[], Mapping[str, int]], failures: Callable[[], int]) -> None:
        self._rows, self._failures = rows, failures

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The names of the numbers, without a query at registration."""
        return [_rows(), GaugeMetricFamily("finloop_inbox_failures", "Failures in a row")]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The present counts."""
        rows = _rows()
        for state, count in self._rows().items():
            rows.add_metric([state], count)
        return [rows, GaugeMetricFamily("finloop_inbox_failures", "Failures in a row", value=self._failures())]


def _rows() -> GaugeMetricFamily:
    return GaugeMetricFamily("finloop_inbox", "Webhooks by what became of them", labels=["state"])

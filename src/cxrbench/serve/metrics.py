"""What a server counts, for Prometheus; nothing of films or patients among it."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
FILMS = (1, 2, 4, 8, 16, 32, 64)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """One server's counters, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("cxrbench_requests", "Requests answered", ("route", "status"), registry=own)
        self.seconds = Histogram(
            "cxrbench_request_seconds", "From request to answer", ("route",), buckets=SECONDS, registry=own
        )
        self.refusals = Counter("cxrbench_refusals", "Requests refused", ("reason",), registry=own)
        self.batches = Histogram("cxrbench_batch_films", "Films the networks saw together", buckets=FILMS, registry=own)
        self._queue = Gauge("cxrbench_queue_films", "Films that wait for an answer", registry=own)

    def watch_queue(self, length: Callable[[], float]) -> None:
        """Ask ``length`` whenever the metrics are read."""
        self._queue.set_function(length)

    def text(self) -> bytes:
        """All values in Prometheus' text format."""
        return generate_latest(self.registry)

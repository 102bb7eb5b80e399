"""What ``/metrics`` says, by prometheus-client. Labels are bounded: routes are templates, methods listed.

Always the text format 0.0.4: OpenMetrics has each family's name once, and ``unsettled_writes`` is a gauge here beside
the counter ``unsettled_writes_total``. No ``_created`` series: Prometheus sees a restart by the values, each would be
one more to pay for, and they are of the wall clock, which the rest of the page is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from msgspec import Struct
from msgspec.structs import asdict
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.mirror import MirrorStats
from api.ports import PoolStats
from api.removals import RemovalStats
from api.unsettled import UnsettledStats

#: Upper bounds in seconds; 0.5 and 0.6 are the rollout table's latency limits, 1 and 2 the alerts'.
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 2.0, 5.0)
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

disable_created_metrics()  # type: ignore[no-untyped-call]


class Readings(Struct, frozen=True, kw_only=True):
    """What the other parts count themselves, as it is when the page is asked for."""

    mirror: MirrorStats
    removals: RemovalStats
    unsettled: UnsettledStats
    pool: PoolStats
    in_flight: int
    log_lines_lost: int


class Metrics:
    """Counts of one process since it started. ``read`` is asked for each page."""

    def __init__(self, read: Callable[[], Readings]) -> None:
        registry = self._registry = CollectorRegistry()
        text = "Requests answered."
        requests = Counter("http_requests_total", text, ("method", "route", "status"), registry=registry)
        text = "Requests refused before the application saw them."
        self._refused = Counter("http_requests_refused_total", text, ("status",), registry=registry)
        name, text = "http_request_duration_seconds", "From a request's head to the end of its answer."
        durations = Histogram(name, text, ("route",), registry=registry, buckets=BUCKETS_S)
        registry.register(_Parts(read))
        # To find the series anew costs each request more than to count in them.
        self._series = cache(lambda *labels: (requests.labels(*labels), durations.labels(labels[1])))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request answered; ``route`` is the template, never the path."""
        requests, durations = self._series(method if method in METHODS else "OTHER", route, status)
        requests.inc()
        durations.observe(seconds)

    def refuse(self, status: int) -> None:
        """One request refused before it was one: its head was too large, too slow or no HTTP."""
        self._refused.labels(status).inc()

    def page(self) -> bytes:
        """The whole page."""
        return generate_latest(self._registry)


class _Parts(Collector):
    """The parts' own counts, as series."""

    def __init__(self, read: Callable[[], Readings]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        read = self._read()
        yield GaugeMetricFamily(
            "http_requests_in_flight", "Requests under way, without those to /health and /ready.", read.in_flight
        )
        yield from _queue("mirror_writes_total", "mirror_queue", "Writes of the mirror", read.mirror)
        yield from _queue("unsettled_writes_total", "unsettled_writes", "Writes of unknown outcome", read.unsettled)
        yield from _queue(
            "photo_removals_total", "photo_removal_queue", "Walks whose photos are removed", read.removals
        )
        yield GaugeMetricFamily("database_pool_connections", "Connections of the pool, open.", read.pool.size)
        yield GaugeMetricFamily("database_pool_idle", "Connections of the pool, open and unused.", read.pool.idle)
        yield GaugeMetricFamily("database_pool_limit", "Connections of the pool, at most.", read.pool.limit)
        yield CounterMetricFamily("log_lines_lost_total", "Lines of the log not written.", read.log_lines_lost)


def _queue(counter: str, gauge: str, what: str, stats: Struct) -> Iterator[Metric]:
    """``stats`` has ``waiting``; every other field of it is an outcome."""
    outcomes = asdict(stats)
    yield GaugeMetricFamily(gauge, f"{what}: waiting or under way.", outcomes.pop("waiting"))
    counted = CounterMetricFamily(counter, f"{what}, by outcome.", labels=("outcome",))
    for outcome, count in outcomes.items():
        counted.add_metric((outcome,), count)
    yield counted

"""What ``/metrics`` says, in the Prometheus text format. Labels are bounded: routes are templates, methods listed."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from msgspec import Struct

from api.mirror import MirrorStats
from api.ports import PoolStats
from api.removals import RemovalStats
from api.unsettled import UnsettledStats

#: Upper bounds in seconds; 0.5 and 0.6 are the rollout table's latency limits, 1 and 2 the alerts'.
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 2.0, 5.0)
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Histogram:
    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0


class Readings(Struct, frozen=True, kw_only=True):
    """What the other parts count themselves, as it is when the page is asked for."""

    mirror: MirrorStats
    removals: RemovalStats
    unsettled: UnsettledStats
    pool: PoolStats
    in_flight: int
    log_lines_lost: int


class Metrics:
    """Counts of one process since it started."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.refused: Counter[int] = Counter()
        self._durations: dict[str, _Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request answered; ``route`` is the template, never the path."""
        self.requests[method if method in METHODS else "OTHER", route, status] += 1
        histogram = self._durations.get(route)
        if histogram is None:
            histogram = self._durations[route] = _Histogram()
        histogram.counts[bisect_left(BUCKETS_S, seconds)] += 1
        histogram.sum_s += seconds

    def refuse(self, status: int) -> None:
        """One request refused before it was one: its head was too large, too slow or no HTTP."""
        self.refused[status] += 1

    def render(self, read: Readings) -> str:
        """The whole page."""
        mirror, removals, pool = read.mirror, read.removals, read.pool
        lines = ["# TYPE http_requests_total counter"]
        lines += [
            f'http_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
            for (method, route, status), count in sorted(self.requests.items())
        ]
        lines.append("# TYPE http_requests_refused_total counter")
        lines += [
            f'http_requests_refused_total{{status="{status}"}} {count}'
            for status, count in sorted(self.refused.items())
        ]
        lines += _gauge("http_requests_in_flight", read.in_flight)
        lines.append("# TYPE http_request_duration_seconds histogram")
        for route, histogram in sorted(self._durations.items()):
            lines += _histogram(route, histogram)
        lines.append("# TYPE mirror_writes_total counter")
        lines += [
            f'mirror_writes_total{{outcome="{outcome}"}} {getattr(mirror, outcome)}'
            for outcome in (
                "submitted",
                "requeued",
                "coalesced",
                "written",
                "failed",
                "dropped",
                "skipped",
                "overtaken",
            )
        ]
        lines += _gauge("mirror_queue", mirror.waiting)
        lines.append("# TYPE unsettled_writes_total counter")
        lines += [
            f'unsettled_writes_total{{outcome="{outcome}"}} {getattr(read.unsettled, outcome)}'
            for outcome in ("noted", "settled", "dropped")
        ]
        lines += _gauge("unsettled_writes", read.unsettled.waiting)
        lines.append("# TYPE photo_removals_total counter")
        lines += [
            f'photo_removals_total{{outcome="{outcome}"}} {getattr(removals, outcome)}'
            for outcome in ("submitted", "removed", "failed", "dropped")
        ]
        lines += _gauge("photo_removal_queue", removals.waiting)
        lines += _gauge("database_pool_connections", pool.size)
        lines += _gauge("database_pool_idle", pool.idle)
        lines += _gauge("database_pool_limit", pool.limit)
        lines += ["# TYPE log_lines_lost_total counter", f"log_lines_lost_total {read.log_lines_lost}"]
        return "\n".join(lines) + "\n"


def _gauge(name: str, value: int) -> list[str]:
    return [f"# TYPE {name} gauge", f"{name} {value}"]


def _histogram(route: str, histogram: _Histogram) -> list[str]:
    name, lines, total = "http_request_duration_seconds", [], 0
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), histogram.counts, strict=True):
        total += count
        lines.append(f'{name}_bucket{{route="{route}",le="{bound}"}} {total}')
    return [
        *lines,
        f'{name}_sum{{route="{route}"}} {histogram.sum_s:.6f}',
        f'{name}_count{{route="{route}"}} {total}',
    ]

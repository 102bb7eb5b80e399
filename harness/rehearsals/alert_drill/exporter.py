"""What users and probes saw, as counters: by the names that the contract gives the target's own, one label more.

The target counts what reached it. What was refused, cut or too late only its users know: status 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.base.clock import NS
from harness.model.evidence import Operation, ProbeRow, RequestRow, Side

BOUNDS_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 2.0, 5.0)
_ROUTES = {
    Operation.LIST_WALKS: ("GET", "/v1/walks"),
    Operation.CREATE_WALK: ("POST", "/v1/walks"),
    Operation.GET_WALK: ("GET", "/v1/walks/{id}"),
    Operation.PUT_WALK: ("PUT", "/v1/walks/{id}"),
    Operation.DELETE_WALK: ("DELETE", "/v1/walks/{id}"),
}
#: The labels of what was made of the days before.
PAST = 'method="GET",route="/v1/walks"'
BAD_STATUS, GOOD_STATUS = "503", "200"


def failed(row: RequestRow) -> bool:
    """Whether the alert on errors counts it: 5xx, 429, or nothing was answered."""
    return row.status in {0, 429} or row.status >= 500


def latency_s(row: RequestRow) -> float:
    """From its due time to its answer."""
    return (row.done_ns - row.due_ns) / NS


class Seen:
    """Counts rows as they come. ``past`` are probes and requests before the first, bad and good each."""

    def __init__(self, past_probes: tuple[float, float], past_requests: tuple[float, float]) -> None:
        self._probes: Counter[str] = Counter({"bad": round(past_probes[0]), "good": round(past_probes[1])})
        self._requests: Counter[tuple[str, str, str]] = Counter(
            {
                ("GET", "/v1/walks", BAD_STATUS): round(past_requests[0]),
                ("GET", "/v1/walks", GOOD_STATUS): round(past_requests[1]),
            }
        )
        self._buckets: dict[str, list[int]] = {}
        self._sums_s: defaultdict[str, float] = defaultdict(float)

    def see(self, requests: Sequence[RequestRow], probes: Sequence[ProbeRow]) -> None:
        """Takes rows, each once."""
        for probe in probes:
            self._probes["good" if probe.good else "bad"] += 1
        for row in requests:
            if row.side is not Side.API:
                continue
            method, route = _ROUTES[row.operation]
            self._requests[method, route, str(row.status)] += 1
            if row.status:
                buckets = self._buckets.setdefault(route, [0] * (len(BOUNDS_S) + 1))
                buckets[bisect_left(BOUNDS_S, latency_s(row))] += 1
                self._sums_s[route] += latency_s(row)

    def probes_page(self) -> str:
        """Prometheus text of the probes."""
        lines = ["# TYPE availability_probes_total counter"]
        lines += [f'availability_probes_total{{outcome="{name}"}} {count}' for name, count in self._probes.items()]
        return "\n".join(lines) + "\n"

    def users_page(self) -> str:
        """Prometheus text of the users' requests."""
        lines = ["# TYPE http_requests_total counter"]
        lines += [
            f'http_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
            for (method, route, status), count in sorted(self._requests.items())
        ]
        lines.append("# TYPE http_request_duration_seconds histogram")
        name = "http_request_duration_seconds"
        for route, buckets in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), buckets, strict=True):
                total += count
                lines.append(f'{name}_bucket{{route="{route}",le="{bound}"}} {total}')
            lines += [
                f'{name}_sum{{route="{route}"}} {self._sums_s[route]:.6f}',
                f'{name}_count{{route="{route}"}} {total}',
            ]
        return "\n".join(lines) + "\n"

"""What users and probes saw, as counters: by the names that the contract gives the target's own, one label more.

The target counts what reached it. What was refused, cut or too late only its users know: status 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from harness.base.clock import NS
from harness.model.evidence import Operation, ProbeRow, RequestRow, Side
from harness.rehearsals.alert_drill import history
from harness.rehearsals.alert_drill.history import Past
from harness.rehearsals.alert_drill.types import PROBES, USERS, AlertDrillPlan

BOUNDS_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 2.0, 5.0)
_ROUTES = {
    Operation.LIST_WALKS: ("GET", "/v1/walks"),
    Operation.CREATE_WALK: ("POST", "/v1/walks"),
    Operation.GET_WALK: ("GET", "/v1/walks/{id}"),
    Operation.PUT_WALK: ("PUT", "/v1/walks/{id}"),
    Operation.DELETE_WALK: ("DELETE", "/v1/walks/{id}"),
}
#: What users may see, told from the first page on: of a series that is new Prometheus takes the first value for where
#: it began, so that a burst that is over by the next scrape is no increase.
STATUSES = (0, 200, 201, 204, 400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504)
#: Of the made days: where their requests went, how they ended, and how long the good and the slow ones took.
_PAST_ROUTE = "/v1/walks"
_BAD_STATUS, _GOOD_STATUS = "503", "200"
_GOOD_S, _SLOW_S = 0.05, 0.7
_LATENCY = "http_request_duration_seconds"


class MadeSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A series of the made days on the page of ``job``: ``bad`` times the bad events of its past and ``good`` times
    the good ones. ``family`` is of OpenMetrics' ``kind``."""

    job: str
    family: str
    series: str
    past: Past
    kind: str = "counter"
    bad: float = 0.0
    good: float = 0.0

    def told(self, bad: float, good: float) -> str:
        """Its value after so many events."""
        return f"{self.bad * bad + self.good * good:.12g}"


class Pasts(msgspec.Struct, frozen=True, kw_only=True):
    """The days before, of each objective."""

    probes: Past
    requests: Past
    latencies: Past

    def series(self) -> Iterator[MadeSeries]:
        """As the pages go on with them, a family after the other."""
        for word, bad in (("bad", 1.0), ("good", 0.0)):
            name = f'availability_probes_total{{outcome="{word}"}}'
            yield MadeSeries(
                job=PROBES, family="availability_probes", series=name, past=self.probes, bad=bad, good=1 - bad
            )
        for word, bad in ((_BAD_STATUS, 1.0), (_GOOD_STATUS, 0.0)):
            name = f'http_requests_total{{method="GET",route="{_PAST_ROUTE}",status="{word}"}}'
            yield MadeSeries(job=USERS, family="http_requests", series=name, past=self.requests, bad=bad, good=1 - bad)
        weights = [(f'bucket{{route="{_PAST_ROUTE}",le="{le}"}}', float(le >= _SLOW_S), 1.0) for le in BOUNDS_S]
        weights.append((f'bucket{{route="{_PAST_ROUTE}",le="+Inf"}}', 1.0, 1.0))
        weights.append((f'sum{{route="{_PAST_ROUTE}"}}', _SLOW_S, _GOOD_S))
        weights.append((f'count{{route="{_PAST_ROUTE}"}}', 1.0, 1.0))
        for name, bad, good in weights:
            yield MadeSeries(
                job=USERS, family=_LATENCY, kind="histogram", series=f"{_LATENCY}_{name}", past=self.latencies,
                bad=bad, good=good,
            )  # fmt: skip


def pasts(plan: AlertDrillPlan) -> Pasts:
    """The days before that a plan has."""
    return Pasts(probes=history.probes(plan), requests=history.requests(plan), latencies=history.latencies(plan))


def failed(row: RequestRow) -> bool:
    """Whether the alert on errors counts it: 5xx, 429, or nothing was answered."""
    return row.status in {0, 429} or row.status >= 500


def latency_s(row: RequestRow) -> float:
    """From its due time to its answer."""
    return (row.done_ns - row.due_ns) / NS


class RowCounter:
    """Counts rows as they come. ``past`` is what was before the first; the ``statuses`` are told from 0 on, others once
    one is seen."""

    def __init__(self, past: Pasts | None = None, statuses: Sequence[int] = ()) -> None:
        probes, requests, latencies = (
            ((0.0, 0.0),) * 3 if past is None else (past.probes.end, past.requests.end, past.latencies.end)
        )
        self._probes: Counter[str] = Counter({"bad": round(probes[0]), "good": round(probes[1])})
        self._requests: Counter[tuple[str, str, str]] = Counter(
            {(*route, str(status)): 0 for route in _ROUTES.values() for status in statuses}
            | {
                ("GET", _PAST_ROUTE, _BAD_STATUS): round(requests[0]),
                ("GET", _PAST_ROUTE, _GOOD_STATUS): round(requests[1]),
            }
        )
        self._buckets: dict[str, list[int]] = {}
        self._sums_s: defaultdict[str, float] = defaultdict(float)
        for took_s, count in ((_SLOW_S, latencies[0]), (_GOOD_S, latencies[1])):
            if count:
                self._took(_PAST_ROUTE, took_s, round(count))

    def _took(self, route: str, seconds: float, count: int = 1) -> None:
        buckets = self._buckets.setdefault(route, [0] * (len(BOUNDS_S) + 1))
        buckets[bisect_left(BOUNDS_S, seconds)] += count
        self._sums_s[route] += count * seconds

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
                self._took(route, latency_s(row))

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
        lines.append(f"# TYPE {_LATENCY} histogram")
        for route, buckets in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), buckets, strict=True):
                total += count
                lines.append(f'{_LATENCY}_bucket{{route="{route}",le="{bound}"}} {total}')
            lines += [
                f'{_LATENCY}_sum{{route="{route}"}} {self._sums_s[route]:.6f}',
                f'{_LATENCY}_count{{route="{route}"}} {total}',
            ]
        return "\n".join(lines) + "\n"

"""Facts of the autoscaler while answers are slow: by the external metric alone, and to no effect.

Pure. What is slow is the database, behind every pod: the document's HPA on the p95 adds pods as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from harness.base.message import marked
from harness.judge.endpoints import endpoints, endpoints_reached_s, most_endpoints
from harness.judge.resizes import resizes
from harness.judge.window import NS
from harness.model.autoscaling import Hpa, MetricKind, MetricSpec
from harness.model.evidence import EventRow, RequestRow
from harness.model.message import message
from harness.rehearsals.scaling.facts_autoscaling import (
    begun_with,
    down,
    fell,
    highest,
    kept_all,
    recommended,
    rises_of,
    rose,
    utilizations,
)
from harness.rehearsals.scaling.facts_sizes import reached
from harness.rehearsals.scaling.types import Part, Slowed
from harness.rules.fact import Fact, FactsOf

PHRASES = {
    "p95.before_ms": marked("the p95 was {seen} before the answers were slow"),
    "p95.target_ms": marked("its target is {seen}"),
    "p95.most_ms": marked("the p95 was up to {seen} while the database was slow"),
    "p95.least_ms": marked("with up to {pods} pods in place of {before} the p95 is never below {seen}"),
}
#: The metric is over a minute; a scrape and a sync later its figure is of the pods that there are.
SETTLED_S = 90
#: So many times the fewest pods would do, if pods were what lacks.
_MANY_TIMES = 2


class Reading(msgspec.Struct, frozen=True):
    """The external metric as the HPA's status says it, from ``at_ns`` on, in milli-units: of the p95, ms."""

    at_ns: int
    value_m: int


def slowed(
    fact: FactsOf,
    part: Part,
    did: Slowed,
    rows: Sequence[EventRow],
    requests: Sequence[RequestRow] = (),
) -> Iterator[Fact]:
    """The part's facts."""
    controlled = did.controlled
    metric = None if controlled is None else external(controlled.hpa)
    if controlled is None or metric is None:
        yield fact.every(lacks=(message("the HPA of these manifests asks for no external metric"),))
        return
    read, target_m = readings(rows, metric.name), metric.value_m or 0
    low = begun_with(part, did, rows)
    rises = rises_of(resizes(rows, did.load_ns), low, did.end_ns)
    if not rises and kept_all(part, did, rows) and _quick(did, read, requests, target_m):
        most = _s(_most(read, did))
        quick = message(
            "the metric was at most {most} s, within its target, and users' answers do not say otherwise", most=most
        )
        yield fact.every(void=(quick,))
        return
    before = _between(read, 0, did.load_ns)[-1:]
    yield fact("p95.before_ms", *before, void=() if before else (message("the metric was not read before"),))
    yield fact("p95.target_ms", target_m)
    slow = _between(read, did.load_ns, did.end_ns)
    unread = message("the metric was not read while the database was slow")
    yield fact("p95.most_ms", max(slow, default=None), void=() if slow else (unread,))
    first_s = endpoints_reached_s(rows, did.load_ns, lambda count: count > low)
    cpu = str(max((each.percent for each in utilizations(rows, "cpu", did.load_ns)), default=0))
    words = {"most": _s(_most(read, did)), "cpu": cpu}
    figures = message("p95 up to {most} s while the database was slow; CPU at most {cpu} % of its request", **words)
    yield reached(fact, "ready_s", first_s, message("to the first further pod that is ready"), figures)
    yield from rose(fact, did, rises, low, metric.name)
    yield _least(fact, did, rows, read, low)
    yield fell(fact, did, rows, highest(did, rows), recommended(rows, controlled.hpa))
    yield from down(fact, part, did, rows, most_endpoints(rows, did.load_ns, did.end_ns))


def _quick(did: Slowed, read: Sequence[Reading], requests: Sequence[RequestRow], target_m: int) -> bool:
    """Whether the metric says that the slow database is none for the target, and its users' answers do not say
    otherwise."""
    took_ms = [(row.done_ns - row.sent_ns) / 1e6 for row in requests if did.load_ns <= row.sent_ns < did.end_ns]
    quick = not took_ms or float(np.quantile(took_ms, 0.95)) <= target_m
    return bool(read) and _most(read, did) <= target_m and quick


def external(hpa: Hpa | None) -> MetricSpec | None:
    """The first external metric, by a value of its own, that ``hpa`` asks for."""
    metrics = hpa.metrics if hpa is not None else ()
    return next((each for each in metrics if each.kind is MetricKind.EXTERNAL and each.value_m), None)


def readings(rows: Sequence[EventRow], metric: str) -> list[Reading]:
    """Those of ``metric`` in the statuses of HPAs, each when it became another."""
    return [
        Reading(row.at_ns, each["value_m"])
        for row in rows
        if row.kind == "component" and row.subject.startswith("hpa/")
        for each in row.data.get("metrics", ())
        if each["name"] == metric and "value_m" in each
    ]


def _least(fact: FactsOf, did: Slowed, rows: Sequence[EventRow], read: Sequence[Reading], low: int) -> Fact:
    """Of the erratum: with many times the pods, to the end, the p95 is above its target as before."""
    many, most = _MANY_TIMES * low, str(most_endpoints(rows, did.load_ns, did.end_ns))
    many_ns = _so_many_ns(rows, did, many)
    since_ns = did.end_ns if many_ns is None else many_ns + SETTLED_S * NS
    after = [each.value_m for each in read if since_ns <= each.at_ns < did.end_ns]  # not what was read before
    why = message("the metric was not read once there were {pods} pods", pods=str(many))
    if since_ns >= did.end_ns:
        why = message("there were no {pods} pods for long enough to see what they change", pods=str(many))
    return fact("p95.least_ms", min(after, default=None), pods=most, before=str(low), void=() if after else (why,))


def _so_many_ns(rows: Sequence[EventRow], did: Slowed, count: int) -> int | None:
    """Since when there were at least ``count`` endpoints to the end of the slow answers; ``None`` of fewer at the
    end."""
    since_ns: int | None = None
    for at_ns, there in endpoints(rows):
        if at_ns >= did.end_ns:
            break
        if there < count:
            since_ns = None
        elif since_ns is None:
            since_ns = max(at_ns, did.load_ns)
    return since_ns


def _between(read: Sequence[Reading], since_ns: int, until_ns: int) -> tuple[int, ...]:
    """The values there were in the time: what was read before it stands until another is."""
    standing = [each.value_m for each in read if each.at_ns < since_ns][-1:]
    return (*standing, *(each.value_m for each in read if since_ns <= each.at_ns < until_ns))


def _most(read: Sequence[Reading], did: Slowed) -> int:
    return max(_between(read, did.load_ns, did.end_ns), default=0)


def _s(milli: int) -> str:
    return f"{milli / 1000:.2f}"

"""The autoscaler while answers are slow: by the external metric alone, and to no effect.

Pure. What is slow is the database, behind every pod: the document's HPA on the p95 adds pods as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from harness.judge.claimed import held, not_exercised, seconds, shown_or_not, unknown
from harness.judge.endpoints import endpoints, endpoints_reached_s, most_endpoints
from harness.judge.resizes import resizes
from harness.judge.window import NS
from harness.model.autoscaling import Hpa, MetricKind, MetricSpec
from harness.model.evidence import EventRow, RequestRow
from harness.model.judgement import Judgement
from harness.model.message import message, verbatim
from harness.rehearsals.scaling.judge_autoscaling import (
    begun_with,
    down,
    fell,
    highest,
    kept_all,
    recommended,
    rises_of,
    utilizations,
)
from harness.rehearsals.scaling.types import Part, Slowed

CLAIM = "manifest.hpa.external"
TO_NO_EFFECT = "manifest.hpa.latency_of_the_database"
_DOWN = ("scaling.time.hpa_down", "scaling.hpa.down_to_2")
#: The metric is over a minute; a scrape and a sync later its figure is of the pods that there are.
SETTLED_S = 90
#: So many times the fewest pods would do, if pods were what lacks.
_MANY_TIMES = 2


class Reading(msgspec.Struct, frozen=True):
    """The external metric as the HPA's status says it, from ``at_ns`` on, in milli-units: of the p95, ms."""

    at_ns: int
    value_m: int


def slowed(
    part: Part,
    did: Slowed,
    rows: Sequence[EventRow],
    requests: Sequence[RequestRow] = (),
) -> list[Judgement]:
    """The part's verdicts."""
    controlled = did.controlled
    metric = None if controlled is None else external(controlled.hpa)
    if controlled is None or metric is None:
        lacking = message("the HPA of these manifests asks for no external metric")
        return [not_exercised(part.name, claim, lacking) for claim in part.claims]
    read = readings(rows, metric.name)
    most, high, low = most_endpoints(rows, did.load_ns, did.end_ns), highest(did, rows), begun_with(part, did, rows)
    rises = rises_of(resizes(rows, did.load_ns), low, did.end_ns)
    if not rises and kept_all(part, did, rows) and _quick(did, read, requests, metric.value_m or 0):
        quick = message(
            "the metric was at most {most} s, within its target, and users' answers do not say otherwise",
            most=_s(_most(read, did)),
        )
        return [unknown(part.name, claim, quick) for claim in (CLAIM, TO_NO_EFFECT, *_DOWN)]
    return [
        _rose(part, did, rows, low=low, read=read, metric=metric),
        _to_no_effect(part, did, rows, read, low=low, metric=metric),
        fell(part, did, rows, high, recommended(rows, controlled.hpa)),
        down(part, did, rows, most),
    ]


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


def _rose(
    part: Part, did: Slowed, rows: Sequence[EventRow], *, low: int, read: Sequence[Reading], metric: MetricSpec
) -> Judgement:
    """More pods within the document's minutes, by the metric alone."""
    target_m = metric.value_m or 0
    before = _between(read, 0, did.load_ns)
    if not before or before[-1] > target_m:
        quiet = message("the metric was not read, or was above its target, before the answers were slow")
        return unknown(part.name, CLAIM, quiet)
    rises = rises_of(resizes(rows, did.load_ns), low, did.end_ns)
    if not rises:
        told = message("the autoscaler added no pod; the metric was at most {most} s", most=_s(_most(read, did)))
        return held(part.name, CLAIM, False, told)
    path = verbatim(", ".join(f"{(each.at_ns - did.load_ns) / NS:.0f} s: {each.size}" for each in rises))
    others = [each for each in rises if metric.name not in each.reason]
    if others:
        told = message("not by {metric} alone: {reason}", metric=metric.name, reason=others[0].reason)
        return held(part.name, CLAIM, False, told)
    figures = message(
        "p95 {before} s before, up to {most} s while the database was slow; CPU at most {cpu} % of its request",
        before=_s(before[-1]),
        most=_s(_most(read, did)),
        cpu=str(max((each.percent for each in utilizations(rows, "cpu", did.load_ns)), default=0)),
    )
    first_s = endpoints_reached_s(rows, did.load_ns, lambda count: count > low)
    took = seconds(first_s, part.up_within_s)
    if first_s is None or first_s > part.up_within_s:
        late = message("no further pod was ready within {most} s: {path}", most=f"{part.up_within_s:g}", path=path)
        return held(part.name, CLAIM, False, late, figures, **took)
    told = message("the first further pod ready after {seconds} s: {path}", seconds=f"{first_s:.0f}", path=path)
    return held(part.name, CLAIM, True, told, figures, **took)


def _to_no_effect(
    part: Part, did: Slowed, rows: Sequence[EventRow], read: Sequence[Reading], *, low: int, metric: MetricSpec
) -> Judgement:
    """Of the erratum: with many times the pods, to the end, the p95 is above its target as before."""
    many = _MANY_TIMES * low
    many_ns = _so_many_ns(rows, did, many)
    since_ns = did.end_ns if many_ns is None else many_ns + SETTLED_S * NS
    if since_ns >= did.end_ns:
        told = message("there were no {pods} pods for long enough to see what they change", pods=str(many))
        return unknown(part.name, TO_NO_EFFECT, told)
    after = [each.value_m for each in read if since_ns <= each.at_ns < did.end_ns]  # not what was read before
    if not after:
        told = message("the metric was not read once there were {pods} pods", pods=str(many))
        return unknown(part.name, TO_NO_EFFECT, told)
    words = {"pods": str(most_endpoints(rows, did.load_ns, did.end_ns)), "low": str(low), "least": _s(min(after))}
    told = message("with up to {pods} pods in place of {low} the p95 is never below {least} s", **words)
    return shown_or_not(part.name, TO_NO_EFFECT, min(after) > (metric.value_m or 0), told)


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

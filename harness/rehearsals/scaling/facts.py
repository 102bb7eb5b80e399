"""The facts of a run of scaling, from what it left and its evidence. Pure.

Facts of the autoscaler under load: up, down, by which metric, and of which requests its percentages are.

Pure. What its metrics asked for is read of its own status. ``tests/oracle`` holds its decisions to the rule.

Facts of the autoscaler while answers are slow: by the external metric alone, and to no effect.

Pure. What is slow is the database, behind every pod: the document's HPA on the p95 adds pods as long as it lasts.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from harness.base.clock import NS
from harness.base.message import gettext_noop
from harness.control.hpa.grouping import Settings
from harness.model.autoscaling import Hpa, MetricKind, MetricSpec
from harness.model.evidence import EventRow, RequestRow, SampleRow
from harness.model.message import Message, Told, message
from harness.model.parts import ended
from harness.model.stack import Capability
from harness.rehearsals.scaling import facts_sizes, facts_starts
from harness.rehearsals.scaling.facts_sizes import reached
from harness.rehearsals.scaling.types import (
    Applied,
    Commanded,
    Controlled,
    Drained,
    Loaded,
    Manual,
    ScalingDetails,
    ScalingPart,
    ScalingPlan,
    Slowed,
    TakenBack,
    ZoneLost,
)
from harness.rules.endpoints import endpoints, endpoints_now, endpoints_reached_s, most_endpoints
from harness.rules.resizes import Resize, resizes
from harness.rules.rule import Fact, FactsOf

_LATENCY_PHRASES = {
    "p95.before_ms": gettext_noop("the p95 was {seen} before the answers were slow"),
    "p95.target_ms": gettext_noop("its target is {seen}"),
    "p95.most_ms": gettext_noop("the p95 was up to {seen} while the database was slow"),
    "p95.least_ms": gettext_noop("with up to {pods} pods in place of {before} the p95 is never below {seen}"),
}
#: The metric is over a minute; a scrape and a sync later its figure is of the pods that there are.
SETTLED_S = 90
#: So many times the fewest pods would do, if pods were what lacks.
_MANY_TIMES = 2


class MetricReading(msgspec.Struct, frozen=True):
    """The external metric as the HPA's status says it, from ``at_ns`` on, in milli-units: of the p95, ms."""

    at_ns: int
    value_m: int


def slowed(
    fact: FactsOf, part: ScalingPart, did: Slowed, rows: Sequence[EventRow], requests: Sequence[RequestRow] = ()
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


def _quick(did: Slowed, read: Sequence[MetricReading], requests: Sequence[RequestRow], target_m: int) -> bool:
    """Whether the metric says that the slow database is none for the target, and its users' answers do not say
    otherwise."""
    took_ms = [(row.done_ns - row.sent_ns) / 1e6 for row in requests if did.load_ns <= row.sent_ns < did.end_ns]
    quick = not took_ms or float(np.quantile(took_ms, 0.95)) <= target_m
    return bool(read) and _most(read, did) <= target_m and quick


def external(hpa: Hpa | None) -> MetricSpec | None:
    """The first external metric, by a value of its own, that ``hpa`` asks for."""
    metrics = hpa.metrics if hpa is not None else ()
    return next((each for each in metrics if each.kind is MetricKind.EXTERNAL and each.value_m), None)


def readings(rows: Sequence[EventRow], metric: str) -> list[MetricReading]:
    """Those of ``metric`` in the statuses of HPAs, each when it became another."""
    return [
        MetricReading(row.at_ns, each["value_m"])
        for row in rows
        if row.kind == "component" and row.subject.startswith("hpa/")
        for each in row.data.get("metrics", ())
        if each["name"] == metric and "value_m" in each
    ]


def _least(fact: FactsOf, did: Slowed, rows: Sequence[EventRow], read: Sequence[MetricReading], low: int) -> Fact:
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


def _between(read: Sequence[MetricReading], since_ns: int, until_ns: int) -> tuple[int, ...]:
    """The values there were in the time: what was read before it stands until another is."""
    standing = [each.value_m for each in read if each.at_ns < since_ns][-1:]
    return (*standing, *(each.value_m for each in read if since_ns <= each.at_ns < until_ns))


def _most(read: Sequence[MetricReading], did: Slowed) -> int:
    return max(_between(read, did.load_ns, did.end_ns), default=0)


def _s(milli: int) -> str:
    return f"{milli / 1000:.2f}"


_AUTOSCALING_PHRASES = {
    **_LATENCY_PHRASES,
    "ready_s": gettext_noop("{what}: {seen}"),
    "rises.begun_with": gettext_noop("{seen} pods were ready before"),
    "rises.to": gettext_noop("the autoscaler asked for {seen} pods at the most [{path}]"),
    "asked.most": gettext_noop("its metrics asked for {seen} pods at the most"),
    "rises.by_others": gettext_noop("{seen} of {of} times it added pods not by {metric} alone{reasons}"),
    "load.most": gettext_noop("under the load at most {seen} pods were ready"),
    "percentages.odd": gettext_noop("{why}"),
    "fell_s": gettext_noop("{what}: {seen}"),
    "low.left": gettext_noop("{most} -> {fewest} endpoints after the end of load {after}, {seen} at the end"),
    "low.from": gettext_noop("at most {seen} pods were ready under the load"),
    "low.stayed": gettext_noop("{seen} times there were so few to the end"),
    "low.fewest": gettext_noop("{seen} at the fewest"),
    "low.wanted": gettext_noop("the autoscaler asked for {seen}"),
    "low.last_wanted": gettext_noop("the last size that the autoscaler asked for: {seen}"),
    "low.quiet_s": gettext_noop("{what}: {seen}"),
}
_QUIET = message("from when the metrics last asked for more to the last look")

#: Of a utilization below this, the whole percent is too coarse to tell one sum of requests from another.
LEAST_PERCENT = 10
#: The sample that a rung tells whose autoscaler is the rule itself: what a metric asks for.
_ASKED = "metric_replicas"
#: Between two syncs of the HPA's controller (s), and by how much the second may come early.
_SYNC_S, _JITTER_S = 15, 5

#: What the metrics asked for: when, which, how many replicas.
Asked = Sequence[tuple[int, str, float]]


class Utilization(msgspec.Struct, frozen=True, kw_only=True):
    """What an HPA's status says of a metric: percent of the requests, and the mean a pod in milli-units."""

    at_ns: int
    percent: int
    average_m: int


class Percentages(msgspec.Struct, frozen=True, kw_only=True):
    """A real HPA's ``utilizations`` of one resource. ``request_m`` is what a pod's containers request together,
    ``alone_m`` what the first one does, in milli-units of that resource."""

    utilizations: Sequence[Utilization]
    request_m: int
    alone_m: int


def under_load(
    fact: FactsOf,
    part: ScalingPart,
    did: Loaded,
    rows: Sequence[EventRow],
    samples: Sequence[SampleRow],
    *,
    controlled: Controlled | None,
    capabilities: Collection[str],
) -> Iterable[Fact]:
    """The part's facts. Where pods are processes the autoscaler is the rule, and tells what it was asked for; of a
    real one its status does."""
    metrics = () if controlled is None else controlled.hpa.metrics
    by_resource = any(each.kind is MetricKind.RESOURCE and each.name == part.resource for each in metrics)
    if controlled is None or Capability.REAL_KUBERNETES not in capabilities:
        asked = [(row.at_ns, row.subject, row.value) for row in samples if row.metric == _ASKED]
        return autoscaled(fact, part, did, rows, asked=asked, by_resource=by_resource)
    of = Percentages(
        utilizations=utilizations(rows, part.resource, did.load_ns),
        request_m=controlled.requests_m(part.resource),
        alone_m=controlled.alone_m(part.resource),
    )
    asked = recommended(rows, controlled.hpa)
    return autoscaled(fact, part, did, rows, asked=asked, of=of, by_resource=by_resource)


def recommended(rows: Sequence[EventRow], hpa: Hpa) -> list[tuple[int, str, float]]:
    """Return what the metrics asked for at each sync, before any limit, as ``Asked`` has it.

    A status stands until another is told. The pods are the ready endpoints of the moment: those that a real controller
    counts, but for the first seconds of a new one.
    """
    statuses = [row for row in rows if row.kind == "component" and row.subject == f"hpa/{hpa.name}"]
    ends_ns, there = [row.at_ns for row in [*statuses, *rows[-1:]][1:]], [*endpoints(rows)]
    found = []
    for row, end_ns in zip(statuses, ends_ns, strict=True):
        for at_ns in range(row.at_ns, max(end_ns - _JITTER_S * NS, row.at_ns + 1), _SYNC_S * NS):
            ready = [count for since_ns, count in there if since_ns <= at_ns][-1:]
            sizes = [_size(count, ratio) for count in ready for ratio in _ratios(hpa, row)]
            if sizes:
                found.append((at_ns, hpa.name, float(max(sizes))))
    return found


def _ratios(hpa: Hpa, status: EventRow) -> Iterable[float]:
    """Yield each metric's value over its target."""
    read = {each["name"]: each for each in status.data.get("metrics", ())}
    for spec in hpa.metrics:
        told = read.get(spec.name, {})
        if spec.average_utilization and "utilization" in told:
            yield told["utilization"] / spec.average_utilization
        elif spec.value_m and "value_m" in told:
            yield told["value_m"] / spec.value_m


def _size(ready: int, ratio: float) -> int:
    """Return the pods that a ratio asks for; within the controller's tolerance as many as there are."""
    within = Settings().tolerance
    return ready if 1 - within <= ratio <= 1 + within else math.ceil(ready * ratio)


def autoscaled(
    fact: FactsOf,
    part: ScalingPart,
    did: Loaded,
    rows: Sequence[EventRow],
    *,
    asked: Asked = (),
    of: Percentages | None = None,
    by_resource: bool = False,
) -> Iterator[Fact]:
    """Under one resource alone, memory where the part holds some: up while that lasts, down after it.

    ``asked`` are the metrics' own recommendations: stabilisation counts from the last of the most, which may lie before
    the end of load. ``of`` are a real controller's percentages; ``None`` where the autoscaler is the rule itself.
    ``by_resource``: the HPA goes by the resource that is loaded, so that a load for which it asked for no pod is one
    that needs none.
    """
    load_ns, end_ns = did.load_ns, did.end_ns
    most = most_endpoints(rows, load_ns, end_ns)
    low = begun_with(part, did, rows)
    rises = rises_of(resizes(rows, load_ns), low, end_ns)
    wished = [size for at_ns, _, size in asked if load_ns <= at_ns < end_ns]
    if by_resource and not rises and wished and max(wished) <= low and kept_all(part, did, rows):
        words = {"most": f"{max(wished):g}", "wanted": str(part.high)}
        yield fact.every(void=(message("the load asked for {most}, not for {wanted}", **words),))
        return
    in_time = [each.size for each in rises if each.at_ns <= load_ns + part.up_within_s * NS]
    wanted = max([most, *in_time])  # not only those that did become ready
    reached_s = None if most <= low else endpoints_reached_s(rows, load_ns, lambda count: count >= wanted)
    up = message("load to {most} ready endpoints", most=str(wanted))
    yield reached(fact, "ready_s", reached_s, up, *_early(part, reached_s))
    yield from rose(fact, did, rises, low, part.resource)
    if wished:
        yield fact("asked.most", max(wished))
    yield fact("load.most", most)
    yield of_requests(fact, of)
    yield fell(fact, did, rows, highest(did, rows), asked)
    yield from down(fact, part, did, rows, most, asked=asked)


def kept_all(part: ScalingPart, did: Loaded, rows: Sequence[EventRow]) -> bool:
    """Whether since the load began the autoscaler asked for no fewer than the fewest pods, some were ready at any time
    (one may not be for a moment), and all at last."""
    there = [count for at_ns, count in endpoints(rows) if at_ns >= did.load_ns]
    ready = all(there) and (not there or there[-1] >= part.low)
    return ready and all(each.size >= part.low for each in resizes(rows, did.load_ns))


def begun_with(part: ScalingPart, did: Loaded, rows: Sequence[EventRow]) -> int:
    """The pods that were ready before the load, and at least ``low``: manifests of somebody's own may begin with
    more."""
    return max(part.low, len(endpoints_now([row for row in rows if row.at_ns < did.load_ns])))


def _early(part: ScalingPart, reached_s: float | None) -> Told:
    """Whoever gets the pods before the least of the document's minutes has lost nothing: it is told."""
    if reached_s is None or not part.up_after_s:
        return ()
    least = f"{part.up_after_s:g}"
    if reached_s < part.up_after_s:
        return (message("sooner than the {least} s that are printed as the least", least=least),)
    return (message("not sooner than the {least} s that are printed as the least", least=least),)


def down(
    fact: FactsOf, part: ScalingPart, did: Loaded, rows: Sequence[EventRow], most: int, *, asked: Asked = ()
) -> Iterator[Fact]:
    """To the fewest pods after the load, to stay: they are what the autoscaler asked for last, it never asked for
    fewer, and no fewer are left. Some may be not ready for a moment, but not all. Where more than those are left,
    ``low.quiet_s`` is the time since the metrics asked for more: less than the stabilisation, and nothing could go.
    """
    low_s, left = _stayed_s(rows, did.end_ns, part.low), len(endpoints_now(rows))
    after = message("never") if low_s is None else message("after {seconds} s", seconds=f"{low_s:.0f}")
    more_ns = max((at_ns for at_ns, _, size in asked if size > part.low), default=0)
    looked_ns = max((row.at_ns for row in rows), default=0)
    waiting = low_s is None and left > part.low and more_ns
    last = next((each.size for each in reversed(resizes(rows, did.load_ns))), None)
    yield fact("low.left", left, most=str(most), fewest=str(part.low), after=after)
    yield fact("low.from", most)
    yield fact("low.stayed", int(low_s is not None))
    yield fact("low.fewest", min((count for at_ns, count in endpoints(rows) if at_ns >= did.end_ns), default=left))
    yield fact("low.wanted", min((each.size for each in resizes(rows, did.end_ns)), default=part.low))
    yield fact("low.last_wanted", last, low=last or 0, high=last or 0)
    yield reached(fact, "low.quiet_s", (looked_ns - more_ns) / NS if waiting else None, _QUIET)


def _stayed_s(rows: Sequence[EventRow], since_ns: int, count: int) -> float | None:
    """Seconds until there were at most ``count`` endpoints, and never more again."""
    after = [(at_ns, seen) for at_ns, seen in endpoints(rows) if at_ns >= since_ns]
    more_ns = max((at_ns for at_ns, seen in after if seen > count), default=since_ns - 1)
    return next(((at_ns - since_ns) / NS for at_ns, _ in after if at_ns > more_ns), None)


def highest(did: Loaded, rows: Sequence[EventRow]) -> int:
    """From how many pods it goes down: the most that were ready under the load, or more that stood asked for at its
    end."""
    stood = [each.size for each in resizes(rows, did.load_ns) if each.at_ns < did.end_ns]
    return max([most_endpoints(rows, did.load_ns, did.end_ns), *stood[-1:]])


def fell(fact: FactsOf, did: Loaded, rows: Sequence[EventRow], most: int, asked: Asked) -> Fact:
    """The document's five minutes, from the last time that the metrics asked for the most."""
    end_ns = did.end_ns
    fall_ns = next((each.at_ns for each in resizes(rows, end_ns) if each.size < most), None)
    before = [at_ns for at_ns, _, size in asked if did.load_ns <= at_ns < (fall_ns or math.inf) and size >= most]
    last_ns = max(before, default=end_ns)
    fell_s = None if fall_ns is None else (fall_ns - last_ns) / NS
    what = message("from the end of load to fewer replicas")
    words = {"most": str(most), "seconds": f"{abs(end_ns - last_ns) / NS:.0f}"}
    if last_ns < end_ns:
        what = message(
            "from the last recommendation of {most}, {seconds} s before the end of load, to fewer replicas", **words
        )
    if last_ns > end_ns:
        what = message(
            "from the last recommendation of {most}, {seconds} s after its cause had ended, to fewer replicas", **words
        )
    return reached(fact, "fell_s", fell_s, what)


def rose(fact: FactsOf, did: Loaded, rises: Sequence[Resize], low: int, metric: str) -> Iterator[Fact]:
    """How far the autoscaler went, and how often another metric than this one was named as its reason."""
    path = ", ".join(f"{(each.at_ns - did.load_ns) / NS:.0f} s: {each.size} ({_short(each.reason)})" for each in rises)
    others = [each for each in rises if metric not in each.reason]
    reasons = f": {others[0].reason}" if others else ""
    yield fact("rises.begun_with", low)
    none: Told = () if rises else (message("the autoscaler added no pod"),)
    yield fact("rises.to", rises[-1].size if rises else low, path=path, besides=none)
    yield fact("rises.by_others", len(others), of=len(rises), metric=metric, reasons=reasons)


def _short(reason: str) -> str:
    """Without the words that every reason of a utilization has."""
    return reason.replace(" resource utilization (percentage of request)", "")


def rises_of(steps: Sequence[Resize], low: int, end_ns: int) -> list[Resize]:
    """Those of ``steps`` before ``end_ns`` that went beyond all before them, from ``low`` on."""
    found: list[Resize] = []
    for each in steps:
        if each.at_ns < end_ns and each.size > (found[-1].size if found else low):
            found.append(each)
    return found


def utilizations(rows: Iterable[EventRow], resource: str, since_ns: int) -> list[Utilization]:
    """Those of ``resource`` in the statuses of HPAs that were seen since."""
    return [
        Utilization(at_ns=row.at_ns, percent=metric["utilization"], average_m=metric["average_m"])
        for row in rows
        if row.kind == "component" and row.subject.startswith("hpa/") and since_ns <= row.at_ns
        for metric in row.data.get("metrics", ())
        if metric["name"] == resource
    ]


def is_of(each: Utilization, request_m: int) -> bool:
    """Whether the percent is the mean's of so large a request: both are cut to whole numbers (``GetResourceReplicas``
    divides the sums, the mean is cut by itself)."""
    return (
        each.average_m * 100 < (each.percent + 1) * request_m and (each.average_m + 1) * 100 >= each.percent * request_m
    )


def of_requests(fact: FactsOf, of: Percentages | None) -> Fact:
    """How many percentages are not of the summed requests; nothing is known where none tells."""
    if of is None:
        return fact("percentages.odd", 0, why=message("the environment's autoscaler is the rule itself"))
    telling = [each for each in of.utilizations if each.percent >= LEAST_PERCENT]
    odd = [each for each in telling if not is_of(each, of.request_m)]
    percentages = message(
        "{both} of {all} percentages are of both containers' requests, {alone} of the first one's alone",
        both=str(len(telling) - len(odd)),
        all=str(len(telling)),
        alone=str(sum(is_of(each, of.alone_m) for each in telling)),
    )
    told = tuple(_odd(each) for each in odd[:3])
    none: Told = () if telling else (message("no percentage tells of which requests it is"),)
    return fact("percentages.odd", len(odd), of=len(telling), why=percentages, besides=told, void=none)


def _odd(each: Utilization) -> Message:
    return message("{percent} % of a mean of {mean}", percent=str(each.percent), mean=str(each.average_m))


#: Each fact of scaling, in a sentence.
PHRASES = {
    **facts_sizes.PHRASES,
    **facts_starts.PHRASES,
    **_AUTOSCALING_PHRASES,
    "drain_s": gettext_noop("the drain took {seen}"),
    "memory.of_a_pod_mib": gettext_noop("memory a pod {when}: {seen} MiB"),
}
#: When the memory of pods is read, in seconds around the begin or the end of the load.
_BEFORE_S, _AFTER_S, _MIB = 60, 120, 2**20


@dataclass(frozen=True)
class ScalingEvidence:
    """The evidence of a run, and what its environment could."""

    capabilities: Collection[str]
    events: list[EventRow]
    samples: list[SampleRow]
    requests: list[RequestRow]


def facts(plan: ScalingPlan, details: ScalingDetails, rows: ScalingEvidence) -> Iterator[Fact]:
    """Those of every part that was carried through."""
    for part, _, end_ns in ended(plan.parts, details.runs):
        yield from of_part(part, details, rows, end_ns)


def of_part(part: ScalingPart, details: ScalingDetails, rows: ScalingEvidence, end_ns: int) -> Iterable[Fact]:
    """Those of one part, which ended at ``end_ns``: later rows tell of other parts."""
    fact = FactsOf(PHRASES, part.name)
    events = [row for row in rows.events if row.at_ns <= end_ns]
    samples = [row for row in rows.samples if row.at_ns <= end_ns]
    found: Iterable[Fact] = ()
    match details.did.get(part.name):
        case Manual() as did:
            found = facts_sizes.manual(fact, part, did, events)
        case Applied() as did:
            found = (facts_sizes.applied(fact, part, did, events),)
        case Drained() as did:
            found = (facts_sizes.drained(fact, did, events), fact("drain_s", did.took_s))
        case TakenBack() as did:
            found = (facts_sizes.taken_back(fact, part, did, events),)
        case Slowed() as did:
            found = slowed(fact, part, did, events, rows.requests)
        case Loaded() as did:
            found = under_load(
                fact, part, did, events, samples, controlled=details.controlled, capabilities=rows.capabilities
            )
            found = (*found, *facts_starts.facts(fact, part, did, events), *_memory(part, did, rows.samples))
        case ZoneLost() as did:
            loss = facts_sizes.seen(part, did, events, rows.requests)
            found = facts_sizes.facts(fact, part, loss, spread=did.spread)
        case Commanded() as did:
            found = facts_sizes.commands(fact, did, resizes(events, did.begun_ns))
    return found


def _memory(part: ScalingPart, did: Loaded, samples: Iterable[SampleRow]) -> Iterator[Fact]:
    """The mean of a pod before the load, in its last minute, and a minute after it: a heap seldom goes back."""
    found = [row for row in samples if row.metric == "memory_bytes" and row.subject.startswith("pod/")]
    for case, when, at_ns, since_s, until_s in (
        ("before", message("before the load"), did.load_ns, -_BEFORE_S, 0),
        ("loaded", message("in the last minute of the load"), did.end_ns, -_BEFORE_S, 0),
        ("after", message("a minute and more after the load"), did.end_ns, _BEFORE_S, _AFTER_S),
    ):
        values = [row.value for row in found if since_s * NS <= row.at_ns - at_ns < until_s * NS]
        if values:
            mean = sum(values) / len(values) / _MIB
            yield FactsOf(PHRASES, part.name, case)("memory.of_a_pod_mib", round(mean), of=len(values), when=when)

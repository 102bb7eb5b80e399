"""What the page of a run of scaling shows besides its judgements: sizes over time, what was observed, the moments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.judge.endpoints import most_endpoints
from harness.judge.resizes import Resize, resizes
from harness.judge.window import NS
from harness.model.evidence import EventRow, SampleRow, Side
from harness.model.message import Message, message
from harness.model.parts import ended
from harness.model.section import Cell, Chart, Lines, Pairs, Section
from harness.rehearsal.moments import timeline
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.scaling.facts import Rows
from harness.rehearsals.scaling.facts_latency import external
from harness.rehearsals.scaling.facts_sizes import shown_s
from harness.rehearsals.scaling.facts_zones import ZoneLoss
from harness.rehearsals.scaling.facts_zones import seen as zone_seen
from harness.rehearsals.scaling.types import (
    Applied,
    Commanded,
    Did,
    Drained,
    Effect,
    Loaded,
    Part,
    ScalingDetails,
    ScalingPlan,
    Slowed,
    ZoneLost,
)
from harness.report import course as charts
from harness.report.course import stretch
from harness.report.panels import Course, chart_of, course_of
from harness.report.series import Measured, axis_of, measured_on

MIB = 2**20
BEFORE_S, AFTER_S = 60, 120


def sections(plan: ScalingPlan, seen: Seen[ScalingDetails], rows: Rows) -> Iterator[Section]:
    """All of the page; ``rows`` are those of the evidence that a part is judged by."""
    details = seen.details
    factor = message("CPU requests and limits were multiplied by")
    yield Pairs(pairs=((factor, f"{details.cpu_factor:.2f}"),), differs=True)
    for part, part_ns, end_ns in ended(plan.parts, details.runs):
        found = course(part, details, rows, part_ns, end_ns)
        chart = chart_of(part.name, message("Pods"), found)
        if chart is not None:
            axis = axis_of(part_ns, end_ns, round(end_ns - found.end_s * NS))
            yield stretch(
                message("Pods against the load"),
                axis,
                (chart, *_load(measured_on(axis, seen.evidence), details.did.get(part.name))),
                part=part.name,
            )
        lines = observed(part, details, rows, end_ns)
        if lines:
            yield Lines(title=message("Observed"), lines=lines, part=part.name)
    yield timeline(rows.events, seen.facts.anchor.monotonic_ns)


def _load(measured: Measured, did: Did | None) -> Iterator[Chart]:
    """What the pods carry: requests to the API, and the latency or CPU by which the autoscaler decides."""
    if Side.API in measured.sides:
        axis, side = measured.axis, measured.sides[Side.API]
        yield charts.requests(axis, Side.API, side)
        if isinstance(did, Slowed) and did.controlled is not None and (p95 := external(did.controlled.hpa)) is not None:
            yield charts.latency(axis, Side.API, side, [float(p95.value_m or 0)])  # thousandths of a second: ms
    yield from charts.cpu(measured)


def course(part: Part, details: ScalingDetails, rows: Rows, part_ns: int, end_ns: int) -> Course:
    """The part's endpoints and decisions, from its load on, or from its begin where it has none."""
    span = part_ns, part_ns
    match details.did.get(part.name):
        case Loaded(load_ns=load_ns, end_ns=loaded_ns) | ZoneLost(lost_ns=load_ns, end_ns=loaded_ns):
            span = load_ns, loaded_ns
    return course_of(rows.events, span, part_ns, end_ns)


# -- what was observed beside the claims ---------------------------------------------------------------------------


def observed(part: Part, details: ScalingDetails, rows: Rows, end_ns: int) -> tuple[Cell, ...]:
    """Sentences about what was seen beside the claims: for the errata, and for whoever reads the figures."""
    match details.did.get(part.name):
        case Applied(replicas=replicas) if replicas < part.high:
            told = message(
                "applying the manifests with replicas: {count} cut a Deployment that was scaled to {high}",
                count=str(replicas),
                high=str(part.high),
            )
            return (told,)
        case Drained(took_s=took_s):
            return (message("the drain took {seconds} s", seconds=f"{took_s:.1f}"),)
        case Loaded() as did:
            return of_autoscaling(part, did, rows.events, rows.samples)
        case ZoneLost() as did:
            return of_zone(zone_seen(part, did, rows.events, rows.requests))
        case Commanded() as did:
            ran = [
                message("`{command}` ended in {status}", command=one.command, status=str(one.status))
                for one in did.ran.values()
            ]
            steps = [each for each in resizes(rows.events, did.begun_ns) if each.at_ns <= end_ns]
            return (*ran, *of_effects(did.effects, steps))
        case _:
            return ()


def of_autoscaling(
    part: Part, did: Loaded, rows: Sequence[EventRow], samples: Iterable[SampleRow]
) -> tuple[Message, ...]:
    """Memory before and after the load, and what a real cluster adds to the times."""
    found = [sample for sample in samples if sample.metric == "memory_bytes" and sample.subject.startswith("pod/")]
    told = []
    before = _mean(found, did.load_ns - BEFORE_S * NS, did.load_ns)
    loaded = _mean(found, did.end_ns - BEFORE_S * NS, did.end_ns)
    after = _mean(found, did.end_ns + BEFORE_S * NS, did.end_ns + AFTER_S * NS)
    if before and loaded and after:
        told.append(
            message(
                "memory a pod: {before} MiB before, {loaded} MiB in the last minute of load, {after} MiB a minute and "
                "more after it",
                before=f"{before / MIB:.0f}",
                loaded=f"{loaded / MIB:.0f}",
                after=f"{after / MIB:.0f}",
            )
        )
        if part.hold:
            told.append(
                message(
                    "it came down because the process that held it ended; a program's own heap seldom goes back to the "
                    "system, and then the autoscaler keeps the pods it has added for memory"
                )
            )
    if most_endpoints(rows, did.load_ns, did.end_ns) > part.low:
        told.append(
            message("there was room for every pod at once; Autopilot first provisions nodes, which adds minutes")
        )
    return tuple(told)


def of_effects(effects: Iterable[Effect], steps: Iterable[Resize]) -> list[Message]:
    """What each way to another number of pods came to, without and with the autoscaler, and what that did after it."""
    told = [(each.at_ns, _of_effect(each)) for each in effects]
    last_ns = [at_ns for at_ns, _ in told]
    for step in steps:
        since_ns = max((at_ns for at_ns in last_ns if at_ns <= step.at_ns), default=step.at_ns)
        after = message(
            "{seconds} s after that the autoscaler set {size}: {reason}",
            seconds=f"{(step.at_ns - since_ns) / NS:.0f}",
            size=str(step.size),
            reason=step.reason,
        )
        told.append((step.at_ns, after))
    return [words for _, words in sorted(told, key=lambda each: each[0])]


def _of_effect(each: Effect) -> Message:
    count, after = str(each.pods), shown_s(each.after_s)
    came = message("{count} pods after {seconds}", count=count, seconds=after)
    if each.after_s is None:
        came = message("never {count} pods", count=count)
    if each.autoscaler:
        return message("with the HPA: `{command}`: {came}", command=each.command, came=came)
    return message("without the HPA: `{command}`: {came}", command=each.command, came=came)


def of_zone(loss: ZoneLoss) -> tuple[Message, ...]:
    """Where every pod was, and what Kubernetes does by itself."""
    told = [
        message("{pod} was in {zone}", pod=pod, zone=zone)
        if zone
        else message("{pod} was in no zone that is known", pod=pod)
        for pod, zone in sorted(loss.placed.items())
    ]
    told.append(
        message(
            "by default a node is called unreachable after 50 s without a word (node-monitor-grace-period), its pods "
            "leave the endpoints then, and are given up 300 s later (DefaultTolerationSeconds) unless they say "
            "otherwise"
        )
    )
    return tuple(told)


def _mean(samples: Iterable[SampleRow], since_ns: int, until_ns: int) -> float | None:
    values = [sample.value for sample in samples if since_ns <= sample.at_ns < until_ns]
    return sum(values) / len(values) if values else None

"""What the page of a run of scaling shows besides its judgements: sizes over time, the moments."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.ticks import NS
from harness.model.evidence import Side
from harness.model.message import message
from harness.model.parts import ended
from harness.model.section import Chart, Pairs, Section
from harness.rehearsals.scaling.facts import ScalingEvidence, external
from harness.rehearsals.scaling.types import (
    Did,
    Loaded,
    ScalingDetails,
    ScalingPart,
    ScalingPlan,
    Slowed,
    ZoneLost,
)
from harness.report import course as charts
from harness.report.course import stretch
from harness.report.panels import AutoscalingCourse, chart_of, course_of
from harness.report.series import MeasuredSeries, axis_of, measured_on
from harness.run.moments import timeline
from harness.run.rehearsal import RunRecord


def sections(plan: ScalingPlan, seen: RunRecord[ScalingDetails], rows: ScalingEvidence) -> Iterator[Section]:
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
    yield timeline(rows.events, seen.facts.anchor.monotonic_ns)


def _load(measured: MeasuredSeries, did: Did | None) -> Iterator[Chart]:
    """What the pods carry: requests to the API, and the latency or CPU by which the autoscaler decides."""
    if Side.API in measured.sides:
        axis, side = measured.axis, measured.sides[Side.API]
        yield charts.requests(axis, Side.API, side)
        if isinstance(did, Slowed) and did.controlled is not None and (p95 := external(did.controlled.hpa)) is not None:
            yield charts.latency(axis, Side.API, side, [float(p95.value_m or 0)])  # thousandths of a second: ms
    yield from charts.cpu(measured)


def course(
    part: ScalingPart, details: ScalingDetails, rows: ScalingEvidence, part_ns: int, end_ns: int
) -> AutoscalingCourse:
    """The part's endpoints and decisions, from its load on, or from its begin where it has none."""
    span = part_ns, part_ns
    match details.did.get(part.name):
        case Loaded(load_ns=load_ns, end_ns=loaded_ns) | ZoneLost(lost_ns=load_ns, end_ns=loaded_ns):
            span = load_ns, loaded_ns
    return course_of(rows.events, span, part_ns, end_ns)

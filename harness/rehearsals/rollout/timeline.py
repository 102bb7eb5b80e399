"""The timeline of a week as data: its phases and moments, and what the evidence measured over them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from harness.base.units import Unit
from harness.evidence.gathered import Gathered
from harness.model.evidence import EventRow, Side
from harness.model.message import Message, Told, marked, message, verbatim
from harness.model.scenario import Scenario
from harness.model.section import Axis as ChartAxis
from harness.model.section import Band, Chart, Limit, Mark, Point, Series, Style, Timeline
from harness.rehearsals.rollout.observed import Observed
from harness.rehearsals.rollout.series import ERROR_GROUPS, NS, Axis, Measured, Numbers, SideSeries, series_of

SIDE = {Side.API: message("API"), Side.FIRESTORE: message("Firestore")}
MIB = 1024 * 1024
MOST_MARKS = 30

#: Kinds of events that get a mark, in the words of the legend.
MARKED = {
    "fault": message("fault"),
    "flag": message("flag"),
    "decision": message("decision"),
    "measurement_error": message("measurement error"),
    "autoscaler": message("autoscaler"),
    "node": message("node"),
}
PHASES = {
    "stack": message("stack"),
    "admission": message("sign-in"),
    "window": message("window"),
    "judged": message("judged"),
    "end": message("end"),
}
_GROUPS = {name: Message(text=name) for name, _ in ERROR_GROUPS}
_WORST = {"p50": marked("p50 {ms} ms"), "p95": marked("p95 {ms} ms"), "p99": marked("p99 {ms} ms")}
_X = ChartAxis(label=message("time"), unit=Unit.SECONDS)
_PER_SECOND = ChartAxis(label=message("per second"))


def timeline(plan: Scenario, evidence: Gathered, week: Observed) -> Timeline | None:
    """The timeline; ``None`` where the evidence has no row."""
    measured = series_of(evidence)
    if measured is None:
        return None
    moments = [row for row in _in_order(evidence.events) if row.kind in MARKED]
    note = message(
        "Time runs from the left in minutes and seconds; the judged window is shaded. Counts are per {seconds} s. "
        "Numbered lines are the moments listed under the first strip.",
        seconds=str(measured.axis.fine_s),
    )
    return Timeline(
        title=message("Timeline"),
        seconds=measured.axis.seconds,
        phases=tuple(_phases(measured.axis, evidence.events, week)),
        marks=tuple(_mark(measured.axis, row) for row in moments[:MOST_MARKS]),
        marks_in_all=len(moments),
        charts=tuple(_charts(plan, measured)),
        note=(note,),
    )


def told_of(row: EventRow) -> Told:
    """What an event said, as messages. The titles of plans and experiments stand in the catalogue as they are."""
    try:
        told = msgspec.convert(row.data.get("told") or (), Told)
    except msgspec.ValidationError:
        told = ()
    return told or (verbatim(row.message),)


def phase_word(subject: str) -> Message:
    """A phase's name; one that nobody knows is shown as it is."""
    return PHASES.get(subject, verbatim(subject))


def _in_order(events: Iterable[EventRow]) -> list[EventRow]:
    return sorted(events, key=lambda row: row.at_ns)


def _seconds(axis: Axis, at_ns: int) -> float:
    return min(axis.seconds, max(0.0, (at_ns - axis.start_ns) / NS))


def _mark(axis: Axis, row: EventRow) -> Mark:
    return Mark(
        at=_seconds(axis, row.at_ns), kind=row.kind, word=MARKED[row.kind], subject=row.subject, said=told_of(row)
    )


def _phases(axis: Axis, events: Iterable[EventRow], week: Observed) -> Iterator[Band]:
    """Each phase lasts until the next; the window begins with the first request, and what follows it is named so."""
    named = [row for row in events if row.kind == "phase" and row.subject != "window"]
    starts = [(row.at_ns, phase_word(row.subject), False) for row in named]
    if week.planned is not None:
        starts.append((week.planned.start_ns, PHASES["window"], True))
        starts.append((week.window.end_ns, message("after the window"), False))
    starts.sort(key=lambda each: each[0])
    ends = [start_ns for start_ns, _, _ in starts[1:]] + ([axis.end_ns] if starts else [])
    for (start_ns, label, judged), end_ns in zip(starts, ends, strict=True):
        start, end = _seconds(axis, start_ns), _seconds(axis, end_ns)
        if end > start:
            yield Band(start=start, end=end, label=label, judged=judged)


# -- the charts, in their order on the page --------------------------------------------------------------------------


def _charts(plan: Scenario, measured: Measured) -> Iterator[Chart]:
    if measured.users:
        yield _users(measured)
    for side, series in measured.sides.items():
        yield _requests(measured.axis, side, series)
    limits = sorted({each.threshold for each in plan.criteria if each.unit is Unit.MILLISECONDS})
    for side, series in measured.sides.items():
        yield _latency(measured.axis, side, series, limits if side is Side.API else [])
    if measured.sides:
        yield _errors(measured)
    if measured.probes_good is not None and measured.probes_bad is not None:
        yield _probes(measured, measured.probes_good, measured.probes_bad)
    yield from _replicas(measured)
    yield from _gauge(measured, "cpu_cores", message("CPU of the pods"), message("cores"), digits=2)
    yield from _gauge(measured, "memory_bytes", message("Memory of the pods"), message("MiB"), digits=0, per=MIB)


def _points(axis: Axis, width_s: int, values: Numbers) -> tuple[Point, ...]:
    """A point where each bucket begins, of equal neighbours the first, and one where the last ends."""
    points: list[Point] = []
    before: float | None = math.inf
    for number, value in enumerate(values):
        y = round(float(value), 6) if np.isfinite(value) else None
        if y != before:
            points.append(Point(x=min(axis.seconds, number * float(width_s)), y=y))
        before = y
    return (*points, Point(x=axis.seconds, y=before)) if points else ()


def _fine(axis: Axis, name: Message, values: Numbers, tone: str, style: Style = Style.STEPS) -> Series:
    return Series(name=name, points=_points(axis, axis.fine_s, values), style=style, tone=tone)


def _users(measured: Measured) -> Chart:
    most = {side: f"{measured.users[side].max():.0f}" for side in Side}
    text = message(
        "At most {on} users were live with the flag on, {off} with it off.",
        on=most[Side.API],
        off=most[Side.FIRESTORE],
    )
    series = tuple(_fine(measured.axis, SIDE[side], measured.users[side], str(side)) for side in Side)
    axis = ChartAxis(label=message("users"), whole=True)
    return Chart(title=message("Active users"), x=_X, y=axis, series=series, text=(text,))


def _requests(axis: Axis, side: Side, series: SideSeries) -> Chart:
    text = message(
        "{requests} requests; the busiest {seconds} s completed {rate}/s.",
        requests=str(series.requests),
        seconds=str(axis.fine_s),
        rate=f"{series.completed.max():.1f}",
    )
    return Chart(
        title=message("Requests, {side}", side=SIDE[side]),
        x=_X,
        y=_PER_SECOND,
        series=(
            _fine(axis, message("completed"), series.completed, str(side)),
            _fine(axis, message("offered (due)"), series.offered, "offered"),
        ),
        text=(text,),
    )


def _latency(axis: Axis, side: Side, series: SideSeries, limits: list[float]) -> Chart:
    named = list(zip(_WORST, series.latency_ms, strict=True))
    label = message("from the due time, per {seconds} s, log scale", seconds=str(axis.coarse_s))
    worst = tuple(Message(text=_WORST[name], values={"ms": f"{np.nanmax(values):,.0f}"}) for name, values in named)
    return Chart(
        title=message("Latency, {side}", side=SIDE[side]),
        x=_X,
        y=ChartAxis(label=label, unit=Unit.MILLISECONDS, logarithmic=True),
        series=tuple(
            Series(name=verbatim(name), points=_points(axis, axis.coarse_s, values), tone=name)
            for name, values in named
        ),
        text=(message("The worst {seconds} s", seconds=str(axis.coarse_s)), *worst),
        limits=tuple(Limit(label=message("limit {limit}", limit=f"{limit:g} ms"), at=limit) for limit in limits),
    )


def _errors(measured: Measured) -> Chart:
    axis = measured.axis
    zero = np.zeros(axis.buckets(axis.fine_s))
    groups = [
        (number, _GROUPS[name], sum((each.errors[number - 1] for each in measured.sides.values()), zero))
        for number, (name, _) in enumerate(ERROR_GROUPS, 1)
    ]
    told = tuple(
        message("{side}: {group} {count}", side=SIDE[side], group=_GROUPS[name],
                count=f"{round(float(group.sum()) * axis.fine_s):,}")
        for side, series in measured.sides.items()
        for (name, _), group in zip(ERROR_GROUPS, series.errors, strict=True)
        if group.any()
    )  # fmt: skip
    return Chart(
        title=message("Errors, users' requests"),
        x=_X,
        y=_PER_SECOND,
        series=tuple(
            _fine(axis, name, group, f"error{number}", Style.AREA) for number, name, group in groups if group.any()
        ),
        text=told or (message("No request of a user failed."),),
    )


def _probes(measured: Measured, good: Numbers, bad: Numbers) -> Chart:
    axis = measured.axis
    count = round(float(bad.sum()) * axis.fine_s)
    text = message("All {probes} probes were good.", probes=str(measured.probes))
    if count:
        text = message("{bad} of {probes} probes were bad.", bad=str(count), probes=str(measured.probes))
    series = [_fine(axis, message("good"), good, "good")]
    if bad.any():
        series.append(_fine(axis, message("bad"), bad, "bad", Style.AREA))
    return Chart(title=message("Availability probes"), x=_X, y=_PER_SECOND, series=tuple(series), text=(text,))


def _replicas(measured: Measured) -> Iterator[Chart]:
    names = (("replicas", message("requested"), "offered"), ("ready_replicas", message("ready"), "api"))
    present = [(name, measured.gauges[metric], tone) for metric, name, tone in names if metric in measured.gauges]
    if present:
        yield Chart(
            title=message("Replicas"),
            x=_X,
            y=ChartAxis(label=message("pods"), whole=True),
            series=tuple(_fine(measured.axis, name, values, tone) for name, values, tone in present),
            text=tuple(
                message(
                    "{what}: {least} to {most}",
                    what=name,
                    least=f"{np.nanmin(values):.0f}",
                    most=f"{np.nanmax(values):.0f}",
                )
                for name, values, _ in present
            ),
        )


def _gauge(
    measured: Measured, metric: str, title: Message, unit: Message, *, digits: int, per: float = 1.0
) -> Iterator[Chart]:
    values = measured.gauges.get(metric)
    if values is None or not np.isfinite(values).any():
        return
    mean, most = (f"{float(figure) / per:,.{digits}f}" for figure in (np.nanmean(values), np.nanmax(values)))
    text = message("Mean {mean} {unit}, most {most} {unit}.", mean=mean, most=most, unit=unit)
    series = _fine(measured.axis, message("all pods together"), values / per, "api")
    yield Chart(title=title, x=_X, y=ChartAxis(label=unit), series=(series,), text=(text,))

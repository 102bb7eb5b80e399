"""The course of a run or of a stretch of it, as data: charts of what its series measured, each with its words, and its
moments. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from harness.base.ticks import NS
from harness.base.units import Unit
from harness.model.evidence import EventRow, ProbeRow, Side, told_of
from harness.model.judgement import KIND, subject_of
from harness.model.message import Message, Told, gettext_noop, message, quantity, raw_text
from harness.model.section import Axis, Band, Cell, Chart, Limit, Mark, Point, Series, Style, Timeline
from harness.model.section import Axis as ChartAxis
from harness.report.series import ERROR_GROUPS, MeasuredSeries, Numbers, SideSeries, TimeAxis
from harness.report.series import TimeAxis as SeriesAxis
from harness.rules.endpoints import endpoints
from harness.rules.resizes import resizes

SIDE = {Side.API: message("API"), Side.FIRESTORE: message("Firestore")}
MIB = 1024 * 1024
TIME = ChartAxis(label=message("time"), unit=Unit.SECONDS)
PODS = ChartAxis(label=message("pods"), whole=True)
_GROUPS = {name: Message(text=name) for name, _ in ERROR_GROUPS}
_WORST = {"p50": gettext_noop("p50 {ms} ms"), "p95": gettext_noop("p95 {ms} ms"), "p99": gettext_noop("p99 {ms} ms")}
_PER_SECOND = ChartAxis(label=message("per second"))
#: The moments that are listed.
MOST_MARKS = 20


def cpu(measured: MeasuredSeries) -> Iterator[Chart]:
    """CPU of all pods together, in cores."""
    return gauge(measured, "cpu_cores", message("CPU of the pods"), message("cores"), digits=2)


def memory(measured: MeasuredSeries) -> Iterator[Chart]:
    """Memory of all pods together, in MiB."""
    return gauge(measured, "memory_bytes", message("Memory of the pods"), message("MiB"), digits=0, per=MIB)


def _points(axis: TimeAxis, width_s: int, values: Numbers) -> tuple[Point, ...]:
    """A point where each bucket begins, of equal neighbours the first, and one where the last ends; x in seconds from
    the axis' origin."""
    points: list[Point] = []
    before: float | None = math.inf
    for number, value in enumerate(values):
        y = round(float(value), 6) if np.isfinite(value) else None
        if y != before:
            points.append(Point(x=axis.begin_s + min(axis.seconds, number * float(width_s)), y=y))
        before = y
    return (*points, Point(x=axis.begin_s + axis.seconds, y=before)) if points else ()


def _fine(axis: TimeAxis, name: Message, values: Numbers, tone: str, style: Style = Style.STEPS) -> Series:
    return Series(name=name, points=_points(axis, axis.fine_s, values), style=style, tone=tone)


def users(measured: MeasuredSeries) -> Chart:
    """Users with a live session, by the side that their flag sends them to."""
    most = {side: f"{measured.users[side].max():.0f}" for side in Side}
    text = message(
        "At most {on} users were live with the flag on, {off} with it off.", on=most[Side.API], off=most[Side.FIRESTORE]
    )
    series = tuple(_fine(measured.axis, SIDE[side], measured.users[side], str(side)) for side in Side)
    axis = ChartAxis(label=message("users"), whole=True)
    return Chart(title=message("Active users"), x=TIME, y=axis, series=series, text=(text,))


def requests(axis: TimeAxis, side: Side, series: SideSeries) -> Chart:
    """Requests of one side: completed, and as they were due."""
    text = message(
        "{requests} requests; the busiest {seconds} s completed {rate}/s.",
        requests=str(series.requests),
        seconds=str(axis.fine_s),
        rate=f"{series.completed.max():.1f}",
    )
    return Chart(
        title=message("Requests, {side}", side=SIDE[side]),
        x=TIME,
        y=_PER_SECOND,
        series=(
            _fine(axis, message("completed"), series.completed, str(side)),
            _fine(axis, message("offered (due)"), series.offered, "offered"),
        ),
        text=(text,),
    )


def latency(axis: TimeAxis, side: Side, series: SideSeries, limits: list[float]) -> Chart:
    """Percentiles of one side's latency, in ms, with the ``limits`` that are promised."""
    named = list(zip(_WORST, series.latency_ms, strict=True))
    label = message("from the due time, per {seconds} s, log scale", seconds=str(axis.coarse_s))
    worst = tuple(Message(text=_WORST[name], values={"ms": f"{np.nanmax(values):,.0f}"}) for name, values in named)
    return Chart(
        title=message("Latency, {side}", side=SIDE[side]),
        x=TIME,
        y=ChartAxis(label=label, unit=Unit.MILLISECONDS, logarithmic=True),
        series=tuple(
            Series(name=raw_text(name), points=_points(axis, axis.coarse_s, values), tone=name)
            for name, values in named
        ),
        text=(message("The worst {seconds} s", seconds=str(axis.coarse_s)), *worst),
        limits=tuple(Limit(label=message("limit {limit}", limit=f"{limit:g} ms"), at=limit) for limit in limits),
    )


def errors(measured: MeasuredSeries) -> Chart:
    """Users' requests that failed, by how they did, of both sides."""
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
        x=TIME,
        y=_PER_SECOND,
        series=tuple(
            _fine(axis, name, group, f"error{number}", Style.AREA) for number, name, group in groups if group.any()
        ),
        text=told or (message("No request of a user failed."),),
    )


def availability(axis: TimeAxis, rows: Sequence[ProbeRow], limits: Iterable[Limit]) -> Iterator[Chart]:
    """The share of good probes since the window began, which is what its ``limits`` are held against; nothing where
    there was no probe."""
    if not rows:
        return
    index = axis.index(np.array([row.due_ns for row in rows], dtype=np.int64), axis.fine_s)
    least, buckets = int(index.min()), axis.buckets(axis.fine_s)
    all_, good = (
        np.cumsum(np.bincount(index, weights=weights, minlength=buckets))
        for weights in (None, np.array([row.good for row in rows], dtype=np.float64))
    )
    values = np.full(buckets, np.nan)
    values[least : index.max() + 1] = (good / np.maximum(all_, 1))[least : index.max() + 1]
    figures = {"good": f"{good[-1]:,.0f}", "probes": f"{len(rows):,}"}
    lowest = quantity(float(np.nanmin(values)), Unit.RATIO)
    yield Chart(
        title=message("Availability since the window began"),
        x=TIME,
        y=ChartAxis(label=message("of all probes so far"), unit=Unit.RATIO),
        series=(_fine(axis, message("good probes"), values, "good"),),
        limits=tuple(limits),
        text=(
            message("{good} of {probes} probes were good; at its lowest it was {lowest}.", **figures, lowest=lowest),
        ),
    )


def probes(measured: MeasuredSeries) -> Iterator[Chart]:
    """Good and bad probes; nothing where there was none."""
    axis, good, bad = measured.axis, measured.probes_good, measured.probes_bad
    if good is None or bad is None:
        return
    count = round(float(bad.sum()) * axis.fine_s)
    text = message("All {probes} probes were good.", probes=str(measured.probes))
    if count:
        text = message("{bad} of {probes} probes were bad.", bad=str(count), probes=str(measured.probes))
    series = [_fine(axis, message("good"), good, "good")]
    if bad.any():
        series.append(_fine(axis, message("bad"), bad, "bad", Style.AREA))
    yield Chart(title=message("Availability probes"), x=TIME, y=_PER_SECOND, series=tuple(series), text=(text,))


def replicas(measured: MeasuredSeries) -> Iterator[Chart]:
    """Pods as requested and as ready."""
    names = (("replicas", message("requested"), "offered"), ("ready_replicas", message("ready"), "api"))
    present = [(name, measured.gauges[metric], tone) for metric, name, tone in names if metric in measured.gauges]
    if present:
        yield Chart(
            title=message("Replicas"),
            x=TIME,
            y=PODS,
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


def gauge(
    measured: MeasuredSeries, metric: str, title: Message, unit: Message, *, digits: int, per: float = 1.0
) -> Iterator[Chart]:
    """The sum of a metric over the pods, divided by ``per``; nothing where nobody read it."""
    values = measured.gauges.get(metric)
    if values is None or not np.isfinite(values).any():
        return
    mean, most = (f"{float(figure) / per:,.{digits}f}" for figure in (np.nanmean(values), np.nanmax(values)))
    text = message("Mean {mean} {unit}, most {most} {unit}.", mean=mean, most=most, unit=unit)
    series = _fine(measured.axis, message("all pods together"), values / per, "api")
    yield Chart(title=title, x=TIME, y=ChartAxis(label=unit), series=(series,), text=(text,))


# -- a stretch with its moments --------------------------------------------------------------------------------------


def stretch(
    title: Message,
    axis: TimeAxis,
    charts: Iterable[Chart],
    events: Sequence[EventRow] = (),
    kinds: Collection[str] = (),
    *,
    phases: tuple[Band, ...] = (),
    shaded: tuple[Band, ...] = (),
    note: Told = (),
    part: str = "",
) -> Timeline:
    """The events of ``kinds`` that lie on ``axis`` are its moments; ``shaded`` are stretches of every chart."""
    on_it = (row for row in sorted(events, key=lambda row: row.at_ns) if row.kind in kinds and axis.holds(row.at_ns))
    found = gathered(on_it)
    return Timeline(
        title=title,
        begin=axis.begin_s,
        seconds=axis.begin_s + axis.seconds,
        phases=phases,
        marks=tuple(_mark(axis, row, others) for row, others in found[:MOST_MARKS]),
        marks_in_all=len(found),
        charts=tuple(msgspec.structs.replace(each, bands=(*each.bands, *shaded)) for each in charts),
        note=note,
        part=part,
    )


def _mark(axis: TimeAxis, row: EventRow, others: int) -> Mark:
    at_s = (row.at_ns - axis.origin_ns) / NS
    return Mark(
        at=at_s, kind=row.kind, word=KIND[row.kind], subject=with_others(subject_of(row), others), said=told_of(row)
    )


def gathered(rows: Iterable[EventRow]) -> list[tuple[EventRow, int]]:
    """Rows of one kind that follow each other and say the same, each of another subject, as the first of them and of
    how many others the same is said."""
    found: list[tuple[EventRow, int]] = []
    for row in rows:
        before, others = found[-1] if found else (None, 0)
        if before is not None and (before.kind, before.message) == (row.kind, row.message) and before != row:
            found[-1] = (before, others + 1)
        else:
            found.append((row, 0))
    return found


def with_others(subject: Cell, others: int) -> Cell:
    """The first of several subjects of which the same is said."""
    return message("{subject} and {count} more", subject=subject, count=str(others)) if others else subject


# The pods of a part over time, as data and chart: the Service's endpoints and the autoscaler's decisions, and how many
# of each version are ready. Pure.

_TONES = 6  # of the style sheet


class PodCount(msgspec.Struct, frozen=True, kw_only=True):
    """So many pods at ``at_s``, seconds from the part's load (from its beginning where it has none). ``why`` is the
    autoscaler's reason; "" for the Service's endpoints."""

    at_s: float
    pods: int
    why: str = ""


class AutoscalingCourse(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoints over time, and the autoscaler's decisions. ``load_s`` is how long the load lasted, 0 without one;
    ``end_s`` when the part ended."""

    endpoints: tuple[PodCount, ...] = ()
    decisions: tuple[PodCount, ...] = ()
    load_s: float = 0.0
    end_s: float = 0.0


def course_of(rows: Sequence[EventRow], load_ns: tuple[int, int], since_ns: int, until_ns: int) -> AutoscalingCourse:
    """Endpoints and decisions between two moments, in seconds from the begin of the load, which lasted ``load_ns``."""
    origin_ns = load_ns[0]
    before = [count for at_ns, count in endpoints(rows) if at_ns < since_ns][-1:]
    first = [PodCount(at_s=(since_ns - origin_ns) / NS, pods=count) for count in before]
    later = [
        PodCount(at_s=(at_ns - origin_ns) / NS, pods=count)
        for at_ns, count in endpoints(rows)
        if since_ns <= at_ns < until_ns
    ]
    decided = [
        PodCount(at_s=(each.at_ns - origin_ns) / NS, pods=each.size, why=each.reason)
        for each in resizes(rows, since_ns)
        if each.at_ns < until_ns
    ]
    return AutoscalingCourse(
        endpoints=(*first, *later),
        decisions=tuple(decided),
        load_s=(load_ns[1] - load_ns[0]) / NS,
        end_s=(until_ns - origin_ns) / NS,
    )


def chart_of(part: str, title: Message, found: AutoscalingCourse) -> Chart | None:
    """Pods over time, a dot for each decision of the autoscaler; ``None`` where nobody saw endpoints."""
    if not found.endpoints:
        return None
    ready = [Point(x=each.at_s, y=each.pods) for each in found.endpoints]
    ready.append(Point(x=max(found.end_s, ready[-1].x), y=ready[-1].y))
    decided = tuple(Point(x=each.at_s, y=each.pods, note=_decided(each)) for each in found.decisions)
    series = [Series(name=message("ready endpoints"), points=tuple(ready), style=Style.STEPS, tone="tone0")]
    if decided:
        name = message("decisions of the autoscaler")
        series.append(Series(name=name, points=decided, style=Style.DOTS, tone="tone1"))
    load = Band(start=0.0, end=found.load_s, label=message("load"), judged=True)
    return Chart(
        title=title,
        x=Axis(label=message("seconds"), unit=Unit.SECONDS),
        y=PODS,
        series=tuple(series),
        text=_told(found),
        bands=(load,) if found.load_s else (),
        part=part,
    )


def _decided(each: PodCount) -> Message:
    return message("{seconds} s: {pods} pods; {why}", seconds=f"{each.at_s:.0f}", pods=str(each.pods), why=each.why)


def _told(found: AutoscalingCourse) -> Told:
    path = ", ".join(f"{each.at_s:.0f} s: {each.pods}" for each in found.endpoints)
    legend = [message("The Service's endpoints over time.")]
    legend += [message("A circle is a decision of the autoscaler.")] if found.decisions else []
    legend += [message("Shaded is the load.")] if found.load_s else []
    return (*legend, raw_text(path), *map(_decided, found.decisions))


# -- by version --------------------------------------------------------------------------------------------------------


def by_version(events: Sequence[EventRow], axis: SeriesAxis, names: Mapping[str, str]) -> Chart | None:
    """Ready pods over time, stacked by the revision of the Deployment that they are of; ``None`` where no event tells
    of a pod's revision. ``names`` are the versions' own, by revision."""
    counts = _ready(events)
    if not counts:
        return None
    shown = [(_version(each, names), found) for each, found in counts.items() if _most(found, axis)]
    said = (
        message("{version}: at most {most} ready at once", version=version, most=str(_most(found, axis)))
        for version, found in shown
    )
    return Chart(
        title=message("Ready pods by version"),
        x=TIME,
        y=PODS,
        series=tuple(
            Series(name=version, points=_levels(found, axis), style=Style.AREA, tone=f"tone{number % _TONES}")
            for number, (version, found) in enumerate(shown)
        ),
        text=tuple(said) or (message("No pod was ready."),),
    )


def first_seen(events: Iterable[EventRow]) -> dict[str, int]:
    """When the first pod of each revision was told of, in ns, the earliest first."""
    found: dict[str, int] = {}
    for row in events:
        if row.kind == "pod" and row.data.get("revision"):
            found.setdefault(row.data["revision"], row.at_ns)
    return found


def _ready(events: Sequence[EventRow]) -> dict[str, list[tuple[int, int]]]:
    """By revision: when the number of its ready pods changed, and to what."""
    ready: dict[str, set[str]] = {}
    found: dict[str, list[tuple[int, int]]] = {}
    for row in events:
        if row.kind == "pod" and (revision := row.data.get("revision")):
            pods = ready.setdefault(revision, set())
            (pods.add if row.data.get("state") == "Ready" else pods.discard)(row.subject)
            found.setdefault(revision, []).append((row.at_ns, len(pods)))
    return found


def _within(counts: Sequence[tuple[int, int]], axis: SeriesAxis) -> list[tuple[int, int]]:
    """The level at the begin of ``axis``, and each change on it."""
    before = next((count for at_ns, count in reversed(counts) if at_ns < axis.start_ns), 0)
    return [(axis.start_ns, before), *((at_ns, count) for at_ns, count in counts if axis.holds(at_ns))]


def _most(counts: Sequence[tuple[int, int]], axis: SeriesAxis) -> int:
    return max(count for _, count in _within(counts, axis))


def _levels(counts: Sequence[tuple[int, int]], axis: SeriesAxis) -> tuple[Point, ...]:
    levels = _within(counts, axis)
    end = (axis.end_ns, levels[-1][1])
    return tuple(Point(x=(at_ns - axis.origin_ns) / NS, y=count) for at_ns, count in (*levels, end))


def _version(revision: str, names: Mapping[str, str]) -> Message:
    short = revision[:8]
    if revision in names:
        return message("{version}, revision {revision}", version=names[revision], revision=short)
    return message("revision {revision}", revision=short)

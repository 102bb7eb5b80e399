"""The panels of the timeline: each a small drawing on the shared time axis, as paths and words for the template.

Shapes are in a box of 1000 by 100 that stretches with the page; words are set beside it, so they never stretch.
Lines differ by dash as well as by colour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.model.evidence import Side
from harness.model.run import Run
from harness.model.units import Unit
from harness.report.scale import HEIGHT, WIDTH, Scale, Tick, linear, milliseconds
from harness.report.series import ERROR_GROUPS, Axis, Numbers, SideSeries, Timeline

MIB = 1024 * 1024


@dataclass(frozen=True)
class Shape:
    """A line or an area. ``style`` is a class of the style sheet; ``label`` names it in the legend."""

    label: str
    style: str
    path: str
    filled: bool = False


@dataclass(frozen=True)
class Limit:
    """A horizontal line at a claim's threshold; ``at`` is a percentage from the top."""

    label: str
    at: float


@dataclass(frozen=True)
class Panel:
    """One drawing. ``text`` says in words what it shows, for those who do not see it."""

    title: str
    unit: str
    ticks: tuple[Tick, ...]
    shapes: tuple[Shape, ...]
    text: str
    limits: tuple[Limit, ...] = ()


def panels(run: Run, timeline: Timeline) -> list[Panel]:
    """The panels that the evidence has something for, in their order on the page."""
    found: list[Panel | None] = [_users(timeline)]
    found += [_requests(timeline.axis, side, timeline.sides[side]) for side in Side if side in timeline.sides]
    latencies = [array for series in timeline.sides.values() for array in series.latency_ms]
    limits = sorted({c.threshold for c in run.criteria if c.unit is Unit.MILLISECONDS})
    scale = milliseconds(latencies, limits)  # one for both sides, so that the two compare at a glance
    for side in Side:
        if side in timeline.sides:
            found.append(_latency(timeline.axis, side, timeline.sides[side], scale, limits))
    found += [_errors(timeline), _probes(timeline), _replicas(timeline)]
    found += [_gauge(timeline, "cpu_cores", title="CPU of the pods", unit="cores"), _memory(timeline)]
    return [panel for panel in found if panel is not None]


_SIDE_WORD: Mapping[Side, str] = {Side.API: "API", Side.FIRESTORE: "Firestore"}


def _fmt(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")


def _edges(axis: Axis, width_s: int) -> Numbers:
    """The left edge of each bucket and the right edge of the last, in the box."""
    seconds = np.arange(axis.buckets(width_s) + 1) * float(width_s)
    return np.asarray(np.minimum(seconds / axis.seconds, 1.0) * WIDTH, dtype=np.float64)


def step_path(edges: Numbers, heights: Numbers) -> str:
    """A line that is level over each bucket; NaN is a gap. Equal neighbours are drawn as one."""
    parts: list[str] = []
    before: str | None = None
    for number, height in enumerate(heights):
        if not np.isfinite(height):
            before = None
            continue
        shown = _fmt(float(height))
        if before is None:
            parts.append(f"M{_fmt(edges[number])} {shown}")
        elif shown != before:
            parts.append(f"H{_fmt(edges[number])}V{shown}")
        last = number + 1 == len(heights) or not np.isfinite(heights[number + 1])
        if last:
            parts.append(f"H{_fmt(edges[number + 1])}")
        before = shown
    return "".join(parts)


def bar_path(edges: Numbers, low: Numbers, high: Numbers) -> str:
    """A bar over each bucket from ``low`` to ``high`` (heights in the box), where the two differ."""
    return "".join(
        f"M{_fmt(edges[number])} {_fmt(bottom)}V{_fmt(top)}H{_fmt(edges[number + 1])}V{_fmt(bottom)}Z"
        for number, (bottom, top) in enumerate(zip(low, high, strict=True))
        if bottom - top > 0.05
    )


def _users(timeline: Timeline) -> Panel | None:
    if not timeline.users:
        return None
    scale = linear(list(timeline.users.values()), whole=True)
    edges = _edges(timeline.axis, timeline.axis.fine_s)
    shapes = tuple(Shape(_SIDE_WORD[side], str(side), step_path(edges, scale.y(timeline.users[side]))) for side in Side)
    most = {side: f"{timeline.users[side].max():.0f}" for side in Side}
    text = f"At most {most[Side.API]} users were live with the flag on, {most[Side.FIRESTORE]} with it off."
    return Panel("Active users", "users", scale.ticks, shapes, text)


def _requests(axis: Axis, side: Side, series: SideSeries) -> Panel:
    scale = linear([series.offered, series.completed])
    edges = _edges(axis, axis.fine_s)
    shapes = (
        Shape("completed", str(side), step_path(edges, scale.y(series.completed))),
        Shape("offered (due)", "offered", step_path(edges, scale.y(series.offered))),
    )
    text = f"{series.requests:,} requests; the busiest {axis.fine_s} s completed {series.completed.max():.1f}/s."
    return Panel(f"Requests, {_SIDE_WORD[side]}", "per second", scale.ticks, shapes, text)


def _latency(axis: Axis, side: Side, series: SideSeries, scale: Scale, limits: list[float]) -> Panel:
    edges = _edges(axis, axis.coarse_s)
    names = ("p50", "p95", "p99")
    shapes = tuple(
        Shape(name, name, step_path(edges, scale.y(values)))
        for name, values in zip(names, series.latency_ms, strict=True)
    )
    worst = ", ".join(
        f"{name} {np.nanmax(values):,.0f} ms" for name, values in zip(names, series.latency_ms, strict=True)
    )
    drawn = limits if side is Side.API else []
    return Panel(
        f"Latency, {_SIDE_WORD[side]}",
        f"from the due time, per {axis.coarse_s} s, log scale",
        scale.ticks,
        shapes,
        f"Worst {axis.coarse_s} s: {worst}.",
        tuple(Limit(f"limit {limit:g} ms", float(scale.y(np.array([limit]))[0] / HEIGHT * 100)) for limit in drawn),
    )


def _errors(timeline: Timeline) -> Panel | None:
    if not timeline.sides:
        return None
    length = timeline.axis.buckets(timeline.axis.fine_s)
    zero = np.zeros(length)
    groups = [
        sum((series.errors[number] for series in timeline.sides.values()), zero) for number in range(len(ERROR_GROUPS))
    ]
    total = sum(groups, zero)
    return Panel(
        "Errors, users' requests",
        "per second",
        (scale := linear([total], at_least=1.0)).ticks,
        _stack(timeline.axis, scale, groups),
        _errors_text(timeline),
    )


def _errors_text(timeline: Timeline) -> str:
    told = []
    for side, series in timeline.sides.items():
        counts = [
            f"{name} {round(float(group.sum()) * timeline.axis.fine_s):,}"
            for (name, _), group in zip(ERROR_GROUPS, series.errors, strict=True)
            if group.any()
        ]
        if counts:
            told.append(f"{_SIDE_WORD[side]}: {', '.join(counts)}")
    return f"{'; '.join(told)}." if told else "No request of a user failed."


def _stack(axis: Axis, scale: Scale, groups: list[Numbers]) -> tuple[Shape, ...]:
    edges = _edges(axis, axis.fine_s)
    below = np.zeros(axis.buckets(axis.fine_s))
    shapes = []
    for number, ((name, _), group) in enumerate(zip(ERROR_GROUPS, groups, strict=True), 1):
        if group.any():
            path = bar_path(edges, scale.y(below), scale.y(below + group))
            shapes.append(Shape(name, f"error{number}", path, filled=True))
            below = below + group
    return tuple(shapes)


def _probes(timeline: Timeline) -> Panel | None:
    good, bad = timeline.probes_good, timeline.probes_bad
    if good is None or bad is None:
        return None
    axis = timeline.axis
    scale = linear([good + bad])
    edges = _edges(axis, axis.fine_s)
    shapes = [Shape("good", "good", step_path(edges, scale.y(good)))]
    if bad.any():
        shapes.append(Shape("bad", "bad", bar_path(edges, scale.y(np.zeros(len(bad))), scale.y(bad)), filled=True))
    count = round(float(bad.sum()) * axis.fine_s)
    text = (
        f"{count:,} of {timeline.probes:,} probes were bad." if count else f"All {timeline.probes:,} probes were good."
    )
    return Panel("Availability probes", "per second", scale.ticks, tuple(shapes), text)


def _replicas(timeline: Timeline) -> Panel | None:
    names = (("replicas", "asked for", "offered"), ("ready_replicas", "ready", "api"))
    present = [(timeline.gauges[metric], label, style) for metric, label, style in names if metric in timeline.gauges]
    if not present:
        return None
    scale = linear([values for values, _, _ in present], whole=True)
    edges = _edges(timeline.axis, timeline.axis.fine_s)
    shapes = tuple(Shape(label, style, step_path(edges, scale.y(values))) for values, label, style in present)
    text = "; ".join(f"{label}: {np.nanmin(values):.0f} to {np.nanmax(values):.0f}" for values, label, _ in present)
    return Panel("Replicas", "pods", scale.ticks, shapes, f"{text}.")


def _gauge(
    timeline: Timeline,
    metric: str,
    *,
    title: str,
    unit: str,
    show: Callable[[float], str] = "{:.2f}".format,
    per: float = 1.0,
) -> Panel | None:
    values = timeline.gauges.get(metric)
    if values is None or not np.isfinite(values).any():
        return None
    scale = linear([values], unit=per, at_least=0.1)
    edges = _edges(timeline.axis, timeline.axis.fine_s)
    shapes = (Shape("all pods together", "api", step_path(edges, scale.y(values))),)
    text = f"Mean {show(float(np.nanmean(values)) / per)} {unit}, most {show(float(np.nanmax(values)) / per)} {unit}."
    return Panel(title, unit, scale.ticks, shapes, text)


def _memory(timeline: Timeline) -> Panel | None:
    return _gauge(timeline, "memory_bytes", title="Memory of the pods", unit="MiB", show="{:,.0f}".format, per=MIB)

"""The panels of the timeline: each a small drawing on the shared time axis, as paths and words for the template.

Shapes are in a box of 1000 by 100 that stretches with the page; words are set beside it, so they never stretch.
Lines differ by dash as well as by colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.model.evidence import Side
from harness.model.run import Run
from harness.model.units import Unit
from harness.report.language import Language
from harness.report.scale import HEIGHT, WIDTH, Scale, Tick, linear, milliseconds
from harness.report.series import ERROR_GROUPS, Axis, Numbers, SideSeries, Timeline
from harness.report.words import SIDE

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
    """A horizontal line at a claim's threshold; ``at`` is a percentage from the top, ``below`` where its word is."""

    label: str
    at: float
    below: bool = False


@dataclass(frozen=True)
class Panel:
    """One drawing. ``text`` says in words what it shows, for those who do not see it."""

    title: str
    unit: str
    ticks: tuple[Tick, ...]
    shapes: tuple[Shape, ...]
    text: str
    limits: tuple[Limit, ...] = ()


def panels(run: Run, timeline: Timeline, say: Language) -> list[Panel]:
    """The panels that the evidence has something for, in their order on the page."""
    found: list[Panel | None] = [_users(timeline, say)]
    found += [_requests(timeline.axis, side, timeline.sides[side], say) for side in Side if side in timeline.sides]
    latencies = [array for series in timeline.sides.values() for array in series.latency_ms]
    limits = sorted({c.threshold for c in run.criteria if c.unit is Unit.MILLISECONDS})
    scale = milliseconds(latencies, limits)  # one for both sides, so that the two compare at a glance
    for side in Side:
        if side in timeline.sides:
            found.append(_latency(timeline, side, scale, limits, say))
    found += [_errors(timeline, say), _probes(timeline, say), _replicas(timeline, say)]
    found += [_cpu(timeline, say), _memory(timeline, say)]
    return [panel for panel in found if panel is not None]


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


def _users(timeline: Timeline, say: Language) -> Panel | None:
    if not timeline.users:
        return None
    scale = linear(list(timeline.users.values()), whole=True)
    edges = _edges(timeline.axis, timeline.axis.fine_s)
    shapes = tuple(Shape(say(SIDE[side]), str(side), step_path(edges, scale.y(timeline.users[side]))) for side in Side)
    most = {side: f"{timeline.users[side].max():.0f}" for side in Side}
    text = say(
        "At most {on} users were live with the flag on, {off} with it off.",
        on=most[Side.API],
        off=most[Side.FIRESTORE],
    )
    return Panel(say("Active users"), say("users"), scale.ticks, shapes, text)


def _requests(axis: Axis, side: Side, series: SideSeries, say: Language) -> Panel:
    scale = linear([series.offered, series.completed])
    edges = _edges(axis, axis.fine_s)
    shapes = (
        Shape(say("completed"), str(side), step_path(edges, scale.y(series.completed))),
        Shape(say("offered (due)"), "offered", step_path(edges, scale.y(series.offered))),
    )
    text = say(
        "{requests} requests; the busiest {seconds} s completed {rate}/s.",
        requests=series.requests,
        seconds=axis.fine_s,
        rate=f"{series.completed.max():.1f}",
    )
    return Panel(say("Requests, {side}", side=say(SIDE[side])), say("per second"), scale.ticks, shapes, text)


def _latency(timeline: Timeline, side: Side, scale: Scale, limits: list[float], say: Language) -> Panel:
    axis, series = timeline.axis, timeline.sides[side]
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
        say("Latency, {side}", side=say(SIDE[side])),
        say("from the due time, per {seconds} s, log scale", seconds=axis.coarse_s),
        scale.ticks,
        shapes,
        say("Worst {seconds} s: {worst}.", seconds=axis.coarse_s, worst=worst),
        tuple(
            Limit(
                say("limit {limit}", limit=f"{limit:g} ms"),
                float(scale.y(np.array([limit]))[0] / HEIGHT * 100),
                below=limit < max(drawn),  # the words of near limits must not cover each other
            )
            for limit in drawn
        ),
    )


def _errors(timeline: Timeline, say: Language) -> Panel | None:
    if not timeline.sides:
        return None
    length = timeline.axis.buckets(timeline.axis.fine_s)
    zero = np.zeros(length)
    groups = [
        sum((series.errors[number] for series in timeline.sides.values()), zero) for number in range(len(ERROR_GROUPS))
    ]
    total = sum(groups, zero)
    return Panel(
        say("Errors, users' requests"),
        say("per second"),
        (scale := linear([total], at_least=1.0)).ticks,
        _stack(timeline.axis, scale, groups, say),
        _errors_text(timeline, say),
    )


def _errors_text(timeline: Timeline, say: Language) -> str:
    told = []
    for side, series in timeline.sides.items():
        counts = [
            f"{say(name)} {round(float(group.sum()) * timeline.axis.fine_s):,}"
            for (name, _), group in zip(ERROR_GROUPS, series.errors, strict=True)
            if group.any()
        ]
        if counts:
            told.append(f"{say(SIDE[side])}: {', '.join(counts)}")
    return f"{'; '.join(told)}" if told else say("No request of a user failed.")


def _stack(axis: Axis, scale: Scale, groups: list[Numbers], say: Language) -> tuple[Shape, ...]:
    edges = _edges(axis, axis.fine_s)
    below = np.zeros(axis.buckets(axis.fine_s))
    shapes = []
    for number, ((name, _), group) in enumerate(zip(ERROR_GROUPS, groups, strict=True), 1):
        if group.any():
            path = bar_path(edges, scale.y(below), scale.y(below + group))
            shapes.append(Shape(say(name), f"error{number}", path, filled=True))
            below = below + group
    return tuple(shapes)


def _probes(timeline: Timeline, say: Language) -> Panel | None:
    good, bad = timeline.probes_good, timeline.probes_bad
    if good is None or bad is None:
        return None
    axis = timeline.axis
    scale = linear([good + bad])
    edges = _edges(axis, axis.fine_s)
    shapes = [Shape(say("good"), "good", step_path(edges, scale.y(good)))]
    if bad.any():
        shapes.append(Shape(say("bad"), "bad", bar_path(edges, scale.y(np.zeros(len(bad))), scale.y(bad)), filled=True))
    count = round(float(bad.sum()) * axis.fine_s)
    text = say("All {probes} probes were good.", probes=timeline.probes)
    if count:
        text = say("{bad} of {probes} probes were bad.", bad=count, probes=timeline.probes)
    return Panel(say("Availability probes"), say("per second"), scale.ticks, tuple(shapes), text)


def _replicas(timeline: Timeline, say: Language) -> Panel | None:
    names = (("replicas", say("requested"), "offered"), ("ready_replicas", say("ready"), "api"))
    present = [(timeline.gauges[metric], label, style) for metric, label, style in names if metric in timeline.gauges]
    if not present:
        return None
    scale = linear([values for values, _, _ in present], whole=True)
    edges = _edges(timeline.axis, timeline.axis.fine_s)
    shapes = tuple(Shape(label, style, step_path(edges, scale.y(values))) for values, label, style in present)
    text = say.join(
        say("{what}: {least} to {most}", what=label, least=f"{np.nanmin(values):.0f}", most=f"{np.nanmax(values):.0f}")
        for values, label, _ in present
    )
    return Panel(say("Replicas"), say("pods"), scale.ticks, shapes, text)


def _gauge(
    timeline: Timeline, metric: str, say: Language, *, title: str, unit: str, digits: int, per: float = 1.0
) -> Panel | None:
    values = timeline.gauges.get(metric)
    if values is None or not np.isfinite(values).any():
        return None
    scale = linear([values], unit=per, at_least=0.1)
    edges = _edges(timeline.axis, timeline.axis.fine_s)
    shapes = (Shape(say("all pods together"), "api", step_path(edges, scale.y(values))),)
    mean, most = (f"{float(figure) / per:,.{digits}f}" for figure in (np.nanmean(values), np.nanmax(values)))
    text = say("Mean {mean} {unit}, most {most} {unit}.", mean=mean, most=most, unit=unit)
    return Panel(title, unit, scale.ticks, shapes, text)


def _cpu(timeline: Timeline, say: Language) -> Panel | None:
    return _gauge(timeline, "cpu_cores", say, title=say("CPU of the pods"), unit=say("cores"), digits=2)


def _memory(timeline: Timeline, say: Language) -> Panel | None:
    return _gauge(timeline, "memory_bytes", say, title=say("Memory of the pods"), unit="MiB", digits=0, per=MIB)

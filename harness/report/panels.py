"""The pods of a part over time, as data and chart: the Service's endpoints and the autoscaler's decisions, and how
many of each version are ready. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.base.ticks import NS
from harness.base.units import Unit
from harness.model.evidence import EventRow
from harness.model.message import Message, Told, message, raw_text
from harness.model.section import Axis, Band, Chart, Point, Series, Style
from harness.report.course import PODS, TIME
from harness.report.series import TimeAxis as SeriesAxis
from harness.rules.endpoints import endpoints
from harness.rules.resizes import resizes

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

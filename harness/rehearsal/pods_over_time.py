"""The pods of a part over time: the Service's endpoints and the autoscaler's decisions, as data and chart. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.base.units import Unit
from harness.judge.endpoints import endpoints
from harness.judge.resizes import resizes
from harness.judge.window import NS
from harness.model.evidence import EventRow
from harness.model.message import Message, Told, message, verbatim
from harness.model.section import Axis, Band, Chart, Point, Series, Style


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """So many pods at ``at_s``, seconds from the part's load (from its beginning where it has none). ``why`` is the
    autoscaler's reason; "" for the Service's endpoints."""

    at_s: float
    pods: int
    why: str = ""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoints over time, and the autoscaler's decisions. ``load_s`` is how long the load lasted, 0 without one;
    ``end_s`` when the part ended."""

    endpoints: tuple[Size, ...] = ()
    decisions: tuple[Size, ...] = ()
    load_s: float = 0.0
    end_s: float = 0.0


def course_of(rows: Sequence[EventRow], load_ns: tuple[int, int], since_ns: int, until_ns: int) -> Course:
    """Endpoints and decisions between two moments, in seconds from the begin of the load, which lasted ``load_ns``."""
    origin_ns = load_ns[0]
    before = [count for at_ns, count in endpoints(rows) if at_ns < since_ns][-1:]
    first = [Size(at_s=(since_ns - origin_ns) / NS, pods=count) for count in before]
    later = [
        Size(at_s=(at_ns - origin_ns) / NS, pods=count)
        for at_ns, count in endpoints(rows)
        if since_ns <= at_ns < until_ns
    ]
    decided = [
        Size(at_s=(each.at_ns - origin_ns) / NS, pods=each.size, why=each.reason)
        for each in resizes(rows, since_ns)
        if each.at_ns < until_ns
    ]
    return Course(
        endpoints=(*first, *later),
        decisions=tuple(decided),
        load_s=(load_ns[1] - load_ns[0]) / NS,
        end_s=(until_ns - origin_ns) / NS,
    )


def chart_of(part: str, title: Message, found: Course) -> Chart | None:
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
        y=Axis(label=message("pods"), whole=True),
        series=tuple(series),
        text=_told(found),
        bands=(load,) if found.load_s else (),
        part=part,
    )


def _decided(each: Size) -> Message:
    return message("{seconds} s: {pods} pods; {why}", seconds=f"{each.at_s:.0f}", pods=str(each.pods), why=each.why)


def _told(found: Course) -> Told:
    path = ", ".join(f"{each.at_s:.0f} s: {each.pods}" for each in found.endpoints)
    legend = message("The Service's endpoints over time; a circle is a decision of the autoscaler; shaded is the load.")
    return (legend, verbatim(path), *map(_decided, found.decisions))

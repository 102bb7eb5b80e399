"""The facts of a soak: what its users met in each segment, and what grew over the whole. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.base.message import gettext_noop
from harness.base.units import Unit
from harness.model.message import Message, message
from harness.model.section import Axis, Chart, Point, Series, Style
from harness.rehearsals.soak.plan import SegmentSeen, SoakDetails, SoakPlan
from harness.rules.bounds import ratio_lower, ratio_upper
from harness.rules.rule import Fact, FactsOf

PHRASES = {
    "users.failed_ratio": gettext_noop("{failed} of {of} requests failed, {missing} are not in evidence: {seen}"),
    "users.p95_ms": gettext_noop("p95 of {of} requests {seen}"),
    "growth": gettext_noop("{what}: {seen} a minute, by {of} looks in {minutes} minutes on one stack"),
    "third_ratio": gettext_noop("{what}: {last} in the last third, which is {seen} of the {second} in the second"),
    "lasts_h": gettext_noop("the {free} MiB that are free last for {seen} hours at that growth"),
}
#: What may grow, in the order of the page, with its words.
WHAT = {
    "memory.harness": message("memory of the harness (MiB)"),
    "memory.target": message("memory of the largest pod (MiB)"),
    "descriptors.harness": message("open files of the harness"),
    "descriptors.target": message("open files of a pod"),
    "connections.harness": message("connections of the harness"),
    "connections.target": message("connections of a pod"),
    "disk.run": message("disk that the run takes (MiB)"),
    "p95.users": message("p95 of the users (ms)"),
}
#: A stack's metrics of its pods, what they are here, and the unit that they are counted in.
OF_PODS = {
    "memory_bytes": ("memory.target", 2**20),
    "descriptors": ("descriptors.target", 1),
    "connections": ("connections.target", 1),
}
_MOST_MINUTES = 1e6 / 60


class _Reading(NamedTuple):
    """A value ``at_min`` minutes into the soak, on which of its stacks."""

    at_min: float
    stack: int
    value: float


def facts(plan: SoakPlan, details: SoakDetails) -> Iterator[Fact]:
    """Of each segment, then of the whole once all are there: until then nobody knows the last third."""
    for segment in details.segments:
        yield from _of_segment(plan, segment)
    whole = len(details.segments) == len(plan.parts)
    for what in WHAT if whole else ():
        yield from _over_time(plan, details, what)


def _of_segment(plan: SoakPlan, seen: SegmentSeen) -> Iterator[Fact]:
    """A request that is not in evidence may have failed, or been the slowest of all."""
    fact = FactsOf(PHRASES, plan.parts[seen.number - 1].name)
    if seen.due:
        worst = seen.failed + seen.missing
        yield fact(
            "users.failed_ratio", seen.failed / seen.due, low=ratio_lower(seen.failed, seen.due),
            high=ratio_upper(min(worst, seen.due), seen.due), sampled=True, of=seen.due, failed=str(seen.failed),
            missing=str(seen.missing),
        )  # fmt: skip
        high = math.inf if seen.missing or seen.p95_high_ms is None else seen.p95_high_ms
        yield fact("users.p95_ms", seen.p95_ms, low=seen.p95_low_ms, high=high, sampled=True, of=seen.due)
    leak = FactsOf(PHRASES, plan.parts[seen.number - 1].name, "leak.memory.target")
    yield _growth(leak, "memory.target", _readings(plan, (seen,), "memory.target"))


def _over_time(plan: SoakPlan, details: SoakDetails, what: str) -> Iterator[Fact]:
    """Its growth on the stack that it was longest on, and the last third of the soak against the second."""
    fact, readings = FactsOf(PHRASES, case=what), _readings(plan, details.segments, what)
    if not readings:
        yield fact.every(lacks=(message("nobody samples it here: {what}", what=WHAT[what]),))
        return
    stacks = [each.stack for each in readings]
    longest = [each for each in readings if each.stack == max(stacks, key=stacks.count)]
    growth = _growth(fact, what, longest)
    yield growth
    second, last = (
        [each.value for each in readings if third <= each.at_min * 60 / plan.for_s * 3 < third + 1] for third in (1, 2)
    )
    if second and last and np.median(second):
        before, after = float(np.median(second)), float(np.median(last))
        of = min(len(second), len(last))
        second_, last_ = f"{before:.4g}", f"{after:.4g}"
        yield fact("third_ratio", after / before, of=of, what=WHAT[what], second=second_, last=last_)
    if what == "disk.run":
        free = details.segments[-1].looks[-1].values["disk.free"]
        ends = [free / max(each, free / _MOST_MINUTES) / 60 for each in growth.ends]
        if growth.seen is not None:
            most = free / max(growth.seen, free / _MOST_MINUTES) / 60
            yield fact("lasts_h", most, low=min(ends), high=max(ends), of=growth.of, free=f"{free:,.0f}")


def _readings(plan: SoakPlan, segments: Sequence[SegmentSeen], what: str) -> list[_Reading]:
    """Those of the time that was measured, without what a stack takes until it has settled."""
    return [
        _Reading((sum(each.seconds for each in segments[:number]) + look.at_s) / 60, seen.stack, look.values[what])
        for number, seen in enumerate(segments)
        for look in seen.looks
        if what in look.values and seen.up_s + look.at_s >= plan.settle_s
    ]


def _growth(fact: FactsOf, what: str, readings: Sequence[_Reading]) -> Fact:
    """The median slope of all pairs of readings (Theil and Sen), which a few odd ones do not bend, with its interval at
    95 %; as few as two have none."""
    if len(readings) < 3:
        few = message("{count} looks are too few to tell a growth: {what}", count=str(len(readings)), what=WHAT[what])
        return fact.none("growth", void=(few,))[0]
    from scipy.stats import theilslopes

    at_min = [each.at_min for each in readings]
    slope, _, low, high = map(float, theilslopes([each.value for each in readings], at_min, 0.95))
    minutes = f"{at_min[-1] - at_min[0]:.1f}"
    return fact(
        "growth", round(slope, 4), low=min(low, slope), high=max(high, slope), sampled=True, of=len(readings),
        what=WHAT[what], minutes=minutes,
    )  # fmt: skip


def charts(details: SoakDetails) -> Iterator[Chart]:
    """One of each that may grow, over the minutes that were measured; a gap where another stack begins."""
    for what, words in WHAT.items():
        before_s, points, stack = 0.0, list[Point](), 0
        for seen in details.segments:
            if points and seen.stack != stack:
                points.append(Point(x=before_s / 60, y=None))
            stack = seen.stack
            read = ((look.at_s, look.values[what]) for look in seen.looks if what in look.values)
            points += [Point(x=(before_s + at_s) / 60, y=value) for at_s, value in read]
            before_s += seen.seconds
        if points:
            yield _chart(words, points)


def _chart(words: Message, points: Sequence[Point]) -> Chart:
    values = [each.y for each in points if each.y is not None]
    first, last, most = (f"{each:.4g}" for each in (values[0], values[-1], max(values)))
    text = message("From {first} to {last}, {most} at most.", first=first, last=last, most=most)
    return Chart(
        title=words, x=Axis(label=message("minutes"), unit=Unit.NONE), y=Axis(label=words),
        series=(Series(name=words, points=tuple(points), style=Style.LINE, tone="tone0"),), text=(text,),
    )  # fmt: skip

"""When each number of pods was reached: what two runs of a part are compared in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from harness.base.units import Unit
from harness.judge.difference import Single
from harness.rehearsal.rehearsal import Figure
from harness.rehearsals.scaling.types import Part
from harness.report.panels import Course, Size


def reached(part: Part, found: Course) -> Iterator[Figure]:
    """Seconds to each number of pods, up from the begin of the load, then down from its end, ready and as decided."""
    for pods in range(part.low + 1, part.high + 1):
        up = _at_least(pods)
        yield _figure(f"{part.name}: up to {pods} ready", found.endpoints, up, 0.0)
        yield _figure(f"{part.name}: up to {pods} decided", found.decisions, up, 0.0)
    if part.load_s:
        for pods in range(part.high - 1, part.low - 1, -1):
            down = _at_most(pods)
            yield _figure(f"{part.name}: down to {pods} ready", found.endpoints, down, found.load_s)
            yield _figure(f"{part.name}: down to {pods} decided", found.decisions, down, found.load_s)


def _figure(name: str, sizes: Iterable[Size], wanted: Callable[[Size], bool], since_s: float) -> Figure:
    return Figure(name, Unit.SECONDS, "worse", Single(first_s(sizes, wanted, since_s)))


def _at_least(pods: int) -> Callable[[Size], bool]:
    return lambda size: size.pods >= pods


def _at_most(pods: int) -> Callable[[Size], bool]:
    return lambda size: size.pods <= pods


def first_s(sizes: Iterable[Size], wanted: Callable[[Size], bool], since_s: float) -> float | None:
    """Seconds from ``since_s`` to the first wanted size; ``None`` when there was none."""
    return next((each.at_s - since_s for each in sizes if each.at_s >= since_s and wanted(each)), None)

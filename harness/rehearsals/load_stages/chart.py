"""p95 against the offered rate, one line a number of pods: the knee as a picture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import msgspec

from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import LoadReport, StepResult

WIDTH, HEIGHT = 1000.0, 400.0


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A rate: place in the box, and what it says of each try when pointed at. It lies where it was kept, else where
    its last try was."""

    x: float
    y: float
    kept: bool
    title: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The rates tried with one number of pods, ascending."""

    pods: int
    points: tuple[Point, ...]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Both axes are logarithmic; ``limit_y`` is the height of the p95 limit. Ticks are (place, label)."""

    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    limit_y: float
    width: float = WIDTH
    height: float = HEIGHT


def chart(report: LoadReport) -> Chart | None:
    """``None`` when no knee was searched."""
    steps = [s for s in report.steps if s.step.of_search and not s.step.photos_per_s and s.figures.latency_p95_ms]
    if not steps:
        return None
    rates = [step.step.rate_per_s for step in steps]
    heights = [step.figures.latency_p95_ms or 1.0 for step in steps] + [report.p95_limit_ms]
    low_x, high_x = min(rates) / 1.2, max(rates) * 1.2
    low_y, high_y = max(1.0, min(heights) / 2), max(heights) * 1.5

    def x(rate: float) -> float:
        return WIDTH * math.log(rate / low_x) / math.log(high_x / low_x)

    def y(latency_ms: float) -> float:
        return HEIGHT * (1 - math.log(max(latency_ms, low_y) / low_y) / math.log(high_y / low_y))

    def point(rate: float, tries: Sequence[StepResult]) -> Point:
        shown = next((each for each in tries if each.verdict is Verdict.PASS), tries[-1])
        told = "; ".join(f"p95 {each.figures.latency_p95_ms:.0f} ms, {each.verdict}" for each in tries)
        height = y(shown.figures.latency_p95_ms or low_y)
        return Point(x=x(rate), y=height, kept=shown.verdict is Verdict.PASS, title=f"{rate:.1f}/s: {told}")

    def points(pods: int) -> tuple[Point, ...]:
        ascending = sorted((step for step in steps if step.pods == pods), key=_rate)
        return tuple(point(rate, list(tries)) for rate, tries in itertools.groupby(ascending, key=_rate))

    return Chart(
        lines=tuple(Line(pods=pods, points=points(pods)) for pods in sorted({step.pods for step in steps})),
        x_ticks=tuple((x(v), f"{v:g}/s") for v in _ticks(low_x, high_x)),
        y_ticks=tuple((y(v), f"{v:g} ms") for v in _ticks(low_y, high_y)),
        limit_y=y(report.p95_limit_ms),
    )


def _rate(result: StepResult) -> float:
    return result.step.rate_per_s


def _ticks(low: float, high: float) -> list[float]:
    return [
        factor * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factor in (1, 2, 5)
        if low <= factor * 10.0**power <= high
    ]

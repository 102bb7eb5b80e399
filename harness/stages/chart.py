"""p95 against the offered rate, one line a number of pods: the knee as a picture."""

from __future__ import annotations

import math

import msgspec

from harness.model.load_stages import Arrivals, LoadReport, StepResult
from harness.model.verdict import Verdict

WIDTH, HEIGHT = 1000.0, 400.0


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A step: place in the box, and what it says when pointed at."""

    x: float
    y: float
    kept: bool
    title: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one number of pods in the order of their rates."""

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
    steps = [
        s
        for s in report.steps
        if s.step.arrivals is Arrivals.POISSON and not s.step.photos_per_s and s.figures.latency_p95_ms
    ]
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

    def point(step: StepResult) -> Point:
        p95 = step.figures.latency_p95_ms or low_y
        title = f"{step.step.rate_per_s:.1f}/s: p95 {p95:.0f} ms, {step.verdict}"
        return Point(x=x(step.step.rate_per_s), y=y(p95), kept=step.verdict is Verdict.PASS, title=title)

    lines = tuple(
        Line(
            pods=pods,
            points=tuple(
                point(s) for s in sorted((s for s in steps if s.pods == pods), key=lambda s: s.step.rate_per_s)
            ),
        )
        for pods in sorted({step.pods for step in steps})
    )
    return Chart(
        lines=lines,
        x_ticks=tuple((x(v), f"{v:g}/s") for v in _ticks(low_x, high_x)),
        y_ticks=tuple((y(v), f"{v:g} ms") for v in _ticks(low_y, high_y)),
        limit_y=y(report.p95_limit_ms),
    )


def _ticks(low: float, high: float) -> list[float]:
    return [
        factor * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factor in (1, 2, 5)
        if low <= factor * 10.0**power <= high
    ]

"""Scales of charts: from values to a share of an axis, and the ticks with their labels. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.base.units import Unit
from harness.model.section import Axis

WIDTH = 1000.0
_NEAR_ONE = 0.5
HEIGHT = 100.0


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis; ``at`` in per cent from its low end."""

    at: float
    label: str
    minor: bool = False  # left out where the page is narrow


@dataclass(frozen=True)
class AxisScale:
    """A scale from ``low`` to ``high``, which differ; ``label`` says a value of it."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    label: Callable[[float], str]
    log: bool = False

    def share(self, value: float) -> float:
        """Where ``value`` lies: 0 at ``low``, 1 at ``high``."""
        if self.log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def amount(value: float, unit: Unit) -> str:
    """A tick's label; the axis says the unit of plain numbers."""
    if unit is Unit.RATIO:
        return f"{value * 100:,.6g} %"
    if unit is Unit.MILLISECONDS:
        return f"{value:,.6g} ms" if value < 1000 else f"{value / 1000:,.6g} s"
    return f"{value:,.6g} s" if unit is Unit.SECONDS else f"{value:,.6g}"


def _steps(low: float, high: float, most: int, *, whole: bool) -> float:
    """A round distance of ticks: at most ``most`` of them between ``low`` and ``high``."""
    wanted = max((high - low) / most, 1e-9)
    power = math.floor(math.log10(wanted))
    found = next(
        factor * 10.0**exponent
        for exponent in (power, power + 1)
        for factor in (1, 2, 5)
        if factor * 10.0**exponent >= wanted * (1 - 1e-9)
    )
    return max(found, 1.0) if whole else found


def _ticks(values: Sequence[float], scale_low: float, scale_high: float, unit: Unit) -> tuple[Tick, ...]:
    many = len(values) > 4
    return tuple(
        Tick(
            at=100 * (value - scale_low) / (scale_high - scale_low),
            label=amount(value, unit),
            minor=many and number % 2 == 1,
        )
        for number, value in enumerate(values)
    )


def linear(values: Sequence[float], axis: Axis) -> AxisScale:
    """From 0, or a round number below the least value, to a round number above the largest; of ratios that are all near
    1 from a round number below the least."""
    high = max([0.0, *values])
    least = min([0.0, *values])
    near = axis.unit is Unit.RATIO and min(values, default=0.0) >= _NEAR_ONE
    low = min(values) - (high - min(values)) / 2 if near else least
    if high == low:
        high = low + 1.0
    step = _steps(low, high, 4, whole=axis.whole)
    first, last = math.floor(round(low / step, 9)), math.ceil(round(high / step, 9))
    low, high = first * step, max(last, first + 1) * step
    marks = [number * step for number in range(first, max(last, first + 1) + 1)]
    return AxisScale(low, high, _ticks(marks, low, high, axis.unit), lambda value: amount(value, axis.unit))


def span(values: Sequence[float], axis: Axis) -> AxisScale:
    """From the least value to the largest, with ticks at round ones."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    step = _steps(low, high, 8, whole=axis.whole)
    marks = [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return AxisScale(low, high, _ticks(marks, low, high, axis.unit), lambda value: amount(value, axis.unit))


def logarithmic(values: Sequence[float], unit: Unit, *, decades: bool) -> AxisScale:
    """A logarithmic scale of what is above 0: in whole ``decades``, or a fifth wider than the values on both sides."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    if decades:
        least = math.floor(math.log10(low) + 1e-9)
        most = max(least + 1, math.ceil(math.log10(high) - 1e-9))
        low, high = 10.0**least, 10.0**most
    else:
        low, high = low / 1.2, high * 1.2
    wide = high / low > 1000
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [f * 10.0**power for power in powers for f in ((1,) if wide else (1, 2, 5))]
    ticks = tuple(
        Tick(
            at=100 * math.log(mark / low) / math.log(high / low),
            label=amount(mark, unit),
            minor=not float(math.log10(mark)).is_integer(),
        )
        for mark in marks
        if low * (1 - 1e-9) <= mark <= high * (1 + 1e-9)
    )
    return AxisScale(low, high, ticks, lambda value: amount(value, unit), log=True)


#: Distances between the labels of a time axis, in seconds.
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800)


def over_time(low: float, high: float) -> AxisScale:
    """Seconds from ``low`` to ``high``, with about eight labels; every second one may be left out."""
    high = max(high, low + 1.0)
    step = next((step for step in _STEPS_S if (high - low) / step <= 9), _STEPS_S[-1])
    first = math.ceil(low / step)
    ticks = tuple(
        Tick(at=100 * (at - low) / (high - low), label=clock(at), minor=number % 2 == 1)
        for number, at in enumerate(range(first * step, math.floor(high) + 1, step))
    )
    return AxisScale(low, high, ticks, clock)


def clock(seconds: float) -> str:
    """A time as ``2:05``, ``1:02:05`` or ``3 d 04:00``; ``-0:20`` before the start."""
    if seconds < 0:
        return f"-{clock(-seconds)}"
    whole = int(seconds)
    if whole >= 86_400:
        return f"{whole // 86_400} d {whole % 86_400 // 3600:02d}:{whole % 3600 // 60:02d}"
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"

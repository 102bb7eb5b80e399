"""Scales of the timeline's panels: from values to the 0..1000 by 0..100 box that every panel is drawn in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.report.series import Axis, Numbers

WIDTH = 1000.0
HEIGHT = 100.0


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis; ``at`` is a percentage from the left, or from the top."""

    at: float
    label: str
    minor: bool = False  # left out where the page is narrow


@dataclass(frozen=True)
class Scale:
    """A vertical scale from ``low`` (bottom) to ``high`` (top)."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False

    def y(self, values: Numbers) -> Numbers:
        """Heights in the box, 0 at the top; values off the scale are drawn at its edge, NaN stays NaN."""
        share = _share(values, self.low, self.high, self.logarithmic)
        return np.asarray((1 - np.clip(share, 0, 1)) * HEIGHT, dtype=np.float64)


def _share(values: Numbers, low: float, high: float, logarithmic: bool) -> Numbers:
    if logarithmic:
        return np.asarray(
            (np.log10(np.maximum(values, low)) - math.log10(low)) / (math.log10(high) - math.log10(low)),
            dtype=np.float64,
        )
    return (values - low) / (high - low)


def _finite_max(arrays: list[Numbers], default: float) -> float:
    finite = [array[np.isfinite(array)] for array in arrays]
    largest = [float(array.max()) for array in finite if len(array)]
    return max(largest, default=default)


def linear(arrays: list[Numbers], *, unit: float = 1.0, at_least: float = 1.0, whole: bool = False) -> Scale:
    """From 0 to a round number above the largest value; labels are in ``unit``. ``whole``: only whole numbers."""
    top = max(_finite_max(arrays, at_least) / unit, at_least)
    step = next(
        step
        for power in range(-6, 16)
        for step in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)
        if step * 4 >= top and (not whole or step >= 1)
    )
    steps = max(1, math.ceil(round(top / step, 9)))
    ticks = tuple(
        Tick(at=100 * (1 - number / steps), label=f"{number * step:,.6g}", minor=steps > 3 and number % 2 == 1)
        for number in range(steps + 1)
    )
    return Scale(low=0, high=steps * step * unit, ticks=ticks)


def milliseconds(arrays: list[Numbers], thresholds: list[float]) -> Scale:
    """A logarithmic scale in whole decades that holds every latency and threshold; labels in ms or s."""
    values = [array[np.isfinite(array) & (array > 0)] for array in arrays]
    smallest = min((float(array.min()) for array in [*values, np.array(thresholds)] if len(array)), default=1.0)
    largest = _finite_max([*values, np.array(thresholds)], 1000.0)
    low = max(-1, math.floor(math.log10(max(smallest, 0.1))))
    high = max(low + 1, math.ceil(math.log10(max(largest, 1.0)) - 1e-9))
    ticks = tuple(
        Tick(at=100 * (high - power) / (high - low), label=_ms(10.0**power)) for power in range(low, high + 1)
    )
    return Scale(low=10.0**low, high=10.0**high, ticks=ticks, logarithmic=True)


def _ms(value: float) -> str:
    return f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s"


#: Distances between the labels of the time axis, in seconds.
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800)


def time_ticks(axis: Axis) -> tuple[Tick, ...]:
    """About eight labels of time since the start of the axis; every second one may be left out."""
    step = next((step for step in _STEPS_S if axis.seconds / step <= 9), _STEPS_S[-1])
    return tuple(
        Tick(at=100 * at / axis.seconds, label=clock(at), minor=number % 2 == 1)
        for number, at in enumerate(range(0, int(axis.seconds) + 1, step))
    )


def clock(seconds: float) -> str:
    """Time since the start as ``2:05``, ``1:02:05`` or ``3 d 04:00``."""
    whole = int(seconds)
    if whole >= 86_400:
        return f"{whole // 86_400} d {whole % 86_400 // 3600:02d}:{whole % 3600 // 60:02d}"
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"

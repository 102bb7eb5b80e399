"""What Prometheus makes of a counter's samples: ``rate`` over a range, as its ``extrapolatedRate`` computes it.

Read from ``promql/functions.go`` of Prometheus 3.13: a range is open on its left, resets are added back, and the slope
is extended to the range's bounds unless the samples end well before them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

_NEAR = 1.1  # of the mean distance of samples: so close to a bound, the slope is extended to it


class Counter:
    """One series: samples at ``times_ms``, ascending, with the counter's values."""

    def __init__(self, times_ms: Sequence[int], values: Sequence[float]) -> None:
        self.times_ms = list(times_ms)
        self.values = [float(value) for value in values]
        #: Of each sample, what was lost to resets before it.
        self._added = [0.0] * min(1, len(self.values))
        for before, after in pairwise(self.values):
            self._added.append(self._added[-1] + (before if after < before else 0.0))

    def rate(self, at_ms: int, window_ms: int) -> float | None:
        """A second, over ``(at - window, at]``; ``None`` where fewer than two samples are. In the order in which
        Prometheus computes it: a share that is just the limit is rounded the same."""
        window_s = window_ms / 1000
        first = bisect_right(self.times_ms, at_ms - window_ms)
        last = bisect_right(self.times_ms, at_ms) - 1
        if last - first < 1:
            return None
        grown = self.values[last] - self.values[first] + self._added[last] - self._added[first]
        sampled_s = (self.times_ms[last] - self.times_ms[first]) / 1000
        mean_s = sampled_s / (last - first)
        before_s = (self.times_ms[first] - (at_ms - window_ms)) / 1000
        after_s = (at_ms - self.times_ms[last]) / 1000
        if before_s >= mean_s * _NEAR:
            before_s = mean_s / 2
        if grown > 0:  # a counter is never below zero
            before_s = min(before_s, sampled_s * (self.values[first] / grown))
        if after_s >= mean_s * _NEAR:
            after_s = mean_s / 2
        return grown * ((sampled_s + before_s + after_s) / sampled_s / window_s)

    def increase(self, at_ms: int, window_ms: int) -> float | None:
        """The same as a count."""
        rate = self.rate(at_ms, window_ms)
        return None if rate is None else rate * window_ms / 1000


def summed(series: Iterable[Counter], at_ms: int, window_ms: int) -> float | None:
    """``sum(rate(...))``: ``None`` where no series has enough samples."""
    found = [rate for each in series if (rate := each.rate(at_ms, window_ms)) is not None]
    return math.fsum(found) if found else None


def share(bad: Iterable[Counter], all_: Iterable[Counter], at_ms: int, window_ms: int) -> float | None:
    """``sum(rate(bad)) / sum(rate(all))`` at a time; ``None`` where it is not there, or 0 / 0."""
    part, whole = summed(bad, at_ms, window_ms), summed(all_, at_ms, window_ms)
    if part is None or not whole:
        return None
    return part / whole

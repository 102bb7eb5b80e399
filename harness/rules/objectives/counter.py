"""What Prometheus makes of a counter's samples: ``rate`` over a range, as its ``extrapolatedRate`` computes it.

Read from ``promql/functions.go`` of Prometheus 3.13: a range is open on its left, resets are added back, and the slope
is extended to the range's bounds unless the samples end well before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_NEAR = 1.1  # of the mean distance of samples: so close to a bound, the slope is extended to it


class Counter:
    """One series: samples at ``times_ms``, ascending, with the counter's values."""

    def __init__(self, times_ms: Sequence[int], values: Sequence[float]) -> None:
        self._times_ms = np.array(times_ms, dtype=np.int64)
        self._values = np.array(values, dtype=np.float64)
        before, after = self._values[:-1], self._values[1:]
        #: Of each sample, what was lost to resets before it.
        self._added = np.zeros(len(self._values))
        self._added[1:] = np.cumsum(np.where(after < before, before, 0.0))

    def rates(self, at_ms: NDArray[np.int64], window_ms: int) -> NDArray[np.float64]:
        """A second, over ``(at - window, at]`` of each time; NaN where fewer than two samples are. In the order in
        which Prometheus computes it: a share that is just the limit is rounded the same."""
        first = np.searchsorted(self._times_ms, at_ms - window_ms, side="right")
        last = np.searchsorted(self._times_ms, at_ms, side="right") - 1
        found = np.full(len(at_ms), np.nan)
        known = last - first >= 1
        found[known] = self._slopes(at_ms[known], window_ms, first[known], last[known])
        return found

    def _slopes(
        self, at_ms: NDArray[np.int64], window_ms: int, first: NDArray[np.intp], last: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """``first`` and ``last`` are the samples' numbers in the range of each time, two at least."""
        began_ms, ended_ms = self._times_ms[first], self._times_ms[last]
        grown = self._values[last] - self._values[first] + self._added[last] - self._added[first]
        sampled_s = (ended_ms - began_ms) / 1000
        mean_s = sampled_s / (last - first)
        before_s = (began_ms - (at_ms - window_ms)) / 1000
        after_s = (at_ms - ended_ms) / 1000
        before_s = np.where(before_s >= mean_s * _NEAR, mean_s / 2, before_s)
        grew = grown > 0  # a counter is never below zero
        from_zero_s = sampled_s[grew] * (self._values[first][grew] / grown[grew])
        before_s[grew] = np.minimum(before_s[grew], from_zero_s)
        after_s = np.where(after_s >= mean_s * _NEAR, mean_s / 2, after_s)
        slopes: NDArray[np.float64] = grown * ((sampled_s + before_s + after_s) / sampled_s / (window_ms / 1000))
        return slopes


def shares(bad: Counter, all_: Iterable[Counter], at_ms: NDArray[np.int64], window_ms: int) -> NDArray[np.float64]:
    """``rate(bad) / sum(rate(all))`` of each time; NaN where it is not there, or 0 / 0."""
    whole = np.full(len(at_ms), np.nan)
    for each in all_:
        rates = each.rates(at_ms, window_ms)
        whole = np.where(np.isnan(whole), rates, np.where(np.isnan(rates), whole, whole + rates))
    whole[whole == 0] = np.nan
    found: NDArray[np.float64] = bad.rates(at_ms, window_ms) / whole
    return found

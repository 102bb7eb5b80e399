"""Whether two samples differ, by exact means alone: Fisher's test, intervals of counts, order statistics. Pure.

A difference is shown when an exact two-sided test rejects "the same" at 95 %, or when two two-sided 95 % intervals
do not overlap (which errs on the side of no difference). Values that hang together in time count for as
many independent ones as they are worth. As with every bound here, a sample speaks of its window as it was. SciPy is
imported at the first use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.rules.bounds import lower_rank, nearest_rank, ratio_lower, ratio_upper, upper_rank

LEVEL = 0.95
_TAIL = (1 - LEVEL) / 2
_ONE_SIDED = 1 - _TAIL


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its two-sided 95 % interval; ``None`` where the sample has none."""

    value: float | None
    lower: float | None
    upper: float | None
    samples: int


@dataclass(frozen=True)
class Ratio:
    """``events`` of ``n``."""

    events: int
    n: int

    def measured(self) -> Measured:
        """The ratio with its Clopper-Pearson interval."""
        if not self.n:
            return Measured(value=None, lower=None, upper=None, samples=0)
        return Measured(
            value=self.events / self.n,
            lower=ratio_lower(self.events, self.n, _ONE_SIDED),
            upper=ratio_upper(self.events, self.n, _ONE_SIDED),
            samples=self.n,
        )

    def differs(self, other: Ratio) -> bool:
        """Whether the two true ratios differ."""
        if not self.n or not other.n:
            return False
        from scipy.stats import fisher_exact

        table = [[self.events, self.n - self.events], [other.events, other.n - other.events]]
        return bool(fisher_exact(table).pvalue < 1 - LEVEL)


@dataclass(frozen=True)
class Rate:
    """``count`` in ``seconds``, as if they came independently: an even schedule varies less, so this errs on no."""

    count: int
    seconds: float

    def measured(self) -> Measured:
        """The rate per second with the exact interval of a count."""
        if self.seconds <= 0:
            return Measured(value=None, lower=None, upper=None, samples=0)
        from scipy.special import gammaincinv

        return Measured(
            value=self.count / self.seconds,
            lower=float(gammaincinv(self.count, _TAIL)) / self.seconds if self.count else 0.0,
            upper=float(gammaincinv(self.count + 1, _ONE_SIDED)) / self.seconds,
            samples=self.count,
        )


#: Of a series of fewer values nothing is said of how its neighbours hang together.
_LEAST_SERIES = 20
#: The share of a series over which its neighbours are looked at.
_LAGS = 0.5


def effective_size(series: NDArray[np.float64], quantile: float) -> float:
    """How many independent values carry as much about a quantile as ``series``, values in the order of time: at most
    ``len(series)``.

    A quantile's spread is that of the share of values above it, so what counts is the autocorrelation of being above:
    the sum of it over all lags as long as neighbouring pairs of it stay positive (Geyer's initial positive sequence),
    and at least what the values' ranks show from one to the next, each corrected for a short series' bias.
    """
    n = len(series)
    if n < _LEAST_SERIES:
        return 1.0
    at = np.sort(series)[nearest_rank(n, quantile) - 1]
    ranks = np.argsort(np.argsort(series, kind="stable"), kind="stable").astype(np.float64)
    longer = max(_inertia((series > at).astype(np.float64)), _by_neighbours(ranks))
    return float(n / max(1.0, longer))


def _correlations(series: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    centred = series - series.mean()
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(series))) ** 2
    covariance: NDArray[np.float64] = np.fft.irfft(spectrum)[: lags + 1]
    return covariance / covariance[0] if covariance[0] > 0 else np.zeros(lags + 1)


def _inertia(series: NDArray[np.float64]) -> float:
    """1 + twice the sum of the autocorrelations, as far as pairs of them are positive."""
    lags = int(len(series) * _LAGS)
    found = _correlations(series, lags)
    pairs = found[: len(found) // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    kept = pairs[: int(ends[0])] if len(ends) else pairs
    return float(2 * kept.sum() - 1) if len(kept) else 1.0


def _by_neighbours(series: NDArray[np.float64]) -> float:
    """The same of a series whose next value hangs on the one before alone."""
    n = len(series)
    one = float(_correlations(series, 1)[1])
    likely = one + (1 + 3 * one) / n  # the estimate of a short series is too small by so much on average
    noise = 2 / math.sqrt(n)
    return 1.0 if one <= noise else (1 + min(likely, 1 - 1 / n)) / (1 - min(likely, 1 - 1 / n))


@dataclass(frozen=True)
class SeriesQuantile:
    """A quantile (0..1) of values ``in_order`` of time, which hang together: readings, answers of one busy second."""

    in_order: NDArray[np.float64]
    quantile: float

    def measured(self) -> Measured:
        """The value of nearest rank, with the order-statistic interval of as many independent values as it is worth."""
        n = len(self.in_order)
        if not n:
            return Measured(value=None, lower=None, upper=None, samples=0)
        ascending = np.sort(self.in_order)
        worth = int(effective_size(self.in_order, self.quantile))
        low, high = lower_rank(worth, self.quantile, _ONE_SIDED), upper_rank(worth, self.quantile, _ONE_SIDED)
        return Measured(
            value=float(ascending[nearest_rank(n, self.quantile) - 1]),
            lower=None if low is None else float(ascending[math.floor((low - 1) / worth * n)]),
            upper=None if high is None else float(ascending[math.ceil(high / worth * n) - 1]),
            samples=n,
        )


def apart(mine: Measured, its: Measured) -> bool:
    """Whether two intervals do not overlap."""
    pairs = (mine.upper, its.lower), (its.upper, mine.lower)
    return any(high is not None and low is not None and high < low for high, low in pairs)

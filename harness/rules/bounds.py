"""Exact one-sided 95 % bounds: Clopper-Pearson for ratios, order statistics for quantiles. Pure.

Neither assumes a distribution of the latencies nor a large sample. Both hold only while conditions stay the same and
each request counts once. SciPy is imported at the first use: it would cost every command a part of its start-up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
P95 = 0.95

#: Above this many samples nothing here is meant to be asked for: searches end.
_MOST_SAMPLES = 1 << 40


def _beta_quantile(a: float, b: float, y: float) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(a, b, y))


def _binomial_cdf(k: int, n: int, p: float) -> float:
    from scipy.special import bdtr

    return float(bdtr(k, n, p))


def _checked(events: int, n: int) -> None:
    if n <= 0 or not 0 <= events <= n:
        raise ValueError(f"{events} of {n} is not a ratio of a sample")


@lru_cache(maxsize=4096)
def ratio_upper(events: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The true ratio is at most this (0..1), with ``confidence``. ``ValueError`` for an empty sample."""
    _checked(events, n)
    return 1.0 if events == n else _beta_quantile(events + 1, n - events, confidence)


@lru_cache(maxsize=4096)
def ratio_lower(events: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The true ratio is at least this (0..1), with ``confidence``. ``ValueError`` for an empty sample."""
    _checked(events, n)
    return 0.0 if events == 0 else _beta_quantile(events, n - events + 1, 1 - confidence)


def samples_needed(limit: float, failures: int = 0) -> int:
    """The smallest sample that, with ``failures`` in it, carries "the failure ratio is below ``limit``" (0..1)."""
    if not 0 < limit < 1:
        raise ValueError(f"no sample carries a failure ratio below {limit:g}; the limit lies between 0 and 1")
    return _first(failures + 1, lambda n: ratio_upper(failures, n) < limit)


def nearest_rank(n: int, quantile: float = P95) -> int:
    """The rank (1..n) of the measured quantile: the smallest value that at least ``quantile`` of the sample reach."""
    return max(1, math.ceil(round(quantile * n, 9)))


@lru_cache(maxsize=4096)
def upper_rank(n: int, quantile: float = P95, confidence: float = CONFIDENCE) -> int | None:
    """The rank (1..n) of the value that the true quantile is at most, with 95 % confidence.

    ``None`` when the sample is too small: the largest of 58 values may still lie below the true p95.
    The number of values below the true quantile is binomial, so the rank is the smallest r with P(K < r) >= 95 %.
    """
    if n < 1 or _binomial_cdf(n - 1, n, quantile) < confidence:
        return None
    return _first(1, lambda rank: rank >= n or _binomial_cdf(rank - 1, n, quantile) >= confidence)


@lru_cache(maxsize=4096)
def lower_rank(n: int, quantile: float = P95, confidence: float = CONFIDENCE) -> int | None:
    """The rank (1..n) of the value that the true quantile is at least, with 95 % confidence; ``None`` if none is.

    The largest s with P(K >= s) >= 95 %, K the number of values up to the true quantile.
    """
    if n < 1:
        return None
    # One value alone reaches the true p95 with exactly 95 %: the tolerance keeps the rounding of 1 - cdf out of it.
    too_high = _first(1, lambda rank: rank > n or 1 - _binomial_cdf(rank - 1, n, quantile) < confidence - 1e-12)
    return too_high - 1 or None


def quantile_samples_needed(over: int = 0, quantile: float = P95) -> int:
    """The smallest sample whose upper bound of the quantile leaves out its ``over`` largest values (59 for none)."""
    return _first(over + 1, lambda n: (upper_rank(n, quantile) or n + 1) <= n - over)


def quantile_bounds(
    ascending: NDArray[np.float64], quantile: float = P95, confidence: float = CONFIDENCE
) -> tuple[float | None, float | None]:
    """Lower and upper bound of the true quantile, each one-sided at ``confidence``; ``ascending`` is sorted."""
    n = len(ascending)
    low, high = lower_rank(n, quantile, confidence), upper_rank(n, quantile, confidence)
    return (None if low is None else float(ascending[low - 1]), None if high is None else float(ascending[high - 1]))


def _first(start: int, holds: Callable[[int], bool]) -> int:
    """The smallest integer from ``start`` on for which ``holds``, which once true stays true."""
    step = 1
    while not holds(start + step - 1):
        step *= 2
        if step > _MOST_SAMPLES:
            raise ValueError("no sample within reason is large enough")
    low, high = start + step // 2, start + step - 1
    if step == 1:
        return start
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low

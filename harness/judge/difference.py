"""Whether two samples differ, by exact means alone: Fisher's test, the binomial test, order statistics. Pure.

A difference is shown when an exact two-sided test rejects "the same" at 95 %, or when the two-sided 95 % intervals of
a quantile do not overlap (which errs on the side of no difference). As with every bound here, a sample speaks of its
window as it was. SciPy is imported at the first use.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.judge.bounds import nearest_rank, quantile_bounds, ratio_lower, ratio_upper

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
    method = "Fisher's exact test"

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
    method = "exact test of two counts"

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

    def differs(self, other: Rate) -> bool:
        """Whether the two true rates differ: the share of the first in both counts against its share of the time."""
        together = self.count + other.count
        if not together or self.seconds <= 0 or other.seconds <= 0:
            return False
        from scipy.stats import binomtest

        share = self.seconds / (self.seconds + other.seconds)
        return bool(binomtest(self.count, together, share).pvalue < 1 - LEVEL)


@dataclass(frozen=True)
class Quantile:
    """A quantile (0..1) of ``ascending`` values."""

    ascending: NDArray[np.float64]
    quantile: float
    method = "order-statistic intervals"

    def measured(self) -> Measured:
        """The value of nearest rank with its order-statistic interval."""
        n = len(self.ascending)
        if not n:
            return Measured(value=None, lower=None, upper=None, samples=0)
        lower, upper = quantile_bounds(self.ascending, self.quantile, _ONE_SIDED)
        value = float(self.ascending[nearest_rank(n, self.quantile) - 1])
        return Measured(value=value, lower=lower, upper=upper, samples=n)

    def differs(self, other: Quantile) -> bool:
        """Whether the two intervals do not overlap."""
        mine, its = self.measured(), other.measured()
        apart = (mine.upper, its.lower), (its.upper, mine.lower)
        return any(high is not None and low is not None and high < low for high, low in apart)


@dataclass(frozen=True)
class Exact:
    """A number that was set or counted whole, not sampled: replicas."""

    value: float | None
    method = "counted"

    def measured(self) -> Measured:
        """The value, its own bound."""
        return Measured(value=self.value, lower=self.value, upper=self.value, samples=int(self.value is not None))

    def differs(self, other: Exact) -> bool:
        """Whether they are unequal."""
        return self.value is not None and other.value is not None and self.value != other.value


@dataclass(frozen=True)
class Single:
    """One reading of something that varies from run to run: a timing. Two of them show no difference."""

    value: float | None
    method = "one reading each: no bound"

    def measured(self) -> Measured:
        """The value, without bounds."""
        return Measured(value=self.value, lower=None, upper=None, samples=int(self.value is not None))

    def differs(self, other: Single) -> bool:  # noqa: ARG002 - the same question as the others are asked
        """Never shown."""
        return False


Sample = Ratio | Rate | Quantile | Exact | Single


def differ(a: Sample, b: Sample) -> bool:
    """Whether a difference is shown between two samples of the same kind. ``TypeError`` for two kinds."""
    match a, b:
        case (
            (Ratio(), Ratio()) | (Rate(), Rate()) | (Quantile(), Quantile()) | (Exact(), Exact()) | (Single(), Single())
        ):
            return a.differs(b)  # type: ignore[arg-type]  # the pattern says that they are of one kind
    raise TypeError(f"{type(a).__name__} and {type(b).__name__} are not compared")

"""``rate`` on samples whose answer is worked out by hand, as Prometheus' own functions test has them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.rules.objectives.counter import Counter, shares

MINUTE = 60_000


def every(values: list[float], step_ms: int = 15_000) -> Counter:
    """Samples from 0 on."""
    return Counter([number * step_ms for number in range(len(values))], values)


def increase(counter: Counter, at_ms: int, window_ms: int) -> float:
    """``increase(...)``: the rate as a count."""
    return float(counter.rates(np.array([at_ms]), window_ms)[0]) * window_ms / 1000


def share(bad: Counter, good: Counter) -> float:
    """Of the minute before the second minute's end."""
    return float(shares(bad, [good], np.array([120_000]), MINUTE)[0])


def test_a_steady_counter_grows_by_its_rate() -> None:
    """10 each 15 s is 40 a minute: four samples in the open range, and the slope drawn to its bounds."""
    assert increase(every([10.0 * n for n in range(41)]), 600_000, MINUTE) == pytest.approx(40)


def test_a_reset_is_added_back() -> None:
    """50 -> 0: what was counted before is not lost."""
    counter = every([0, 10, 20, 30, 40, 50, 0, 10, 20, 30, 40])
    assert increase(counter, 150_000, 160_000) == pytest.approx(100 - 10 + 0, abs=10)


def test_fewer_than_two_samples_are_nothing() -> None:
    """No slope of one point, and none of samples that are past."""
    counter = every([0.0, 1.0])
    assert math.isnan(increase(counter, 15_000, 15_000))
    assert math.isnan(increase(counter, 600_000, MINUTE))


def test_a_counter_that_begins_within_the_range_is_not_drawn_below_zero() -> None:
    """Samples 1, 2, 3 at 30, 45, 60 s: by the slope it was zero 15 s before the first."""
    counter = Counter([30_000, 45_000, 60_000], [1, 2, 3])
    assert increase(counter, 60_000, MINUTE) == pytest.approx(2.5)  # half a step, as the begin is far


def test_nothing_at_all_is_no_share() -> None:
    """0 / 0 is not 0: an alert on it neither fires nor stays."""
    still = every([5.0] * 10)
    assert math.isnan(share(still, still))
    assert share(every([float(n) for n in range(10)]), every([4.0 * n for n in range(10)])) == pytest.approx(0.25)

"""Exact differences: symmetric, silent on equals, right on values worked out by hand, and rarely wrong."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.rules.bounds import lower_rank, ratio_lower, upper_rank
from harness.rules.difference import Measured, Rate, Ratio, SeriesQuantile, _inertia, apart, effective_size

Sample = Ratio | Rate | SeriesQuantile
ratios = st.integers(1, 500).flatmap(lambda n: st.builds(Ratio, st.integers(0, n), st.just(n)))
rates = st.builds(Rate, st.integers(0, 500), st.floats(1, 300))
quantiles = st.lists(st.floats(0, 1e4), max_size=200).map(lambda values: SeriesQuantile(np.array(values), 0.5))


def differ(a: Sample, b: Sample) -> bool:
    """As two runs are compared."""
    return a.differs(b) if isinstance(a, Ratio) and isinstance(b, Ratio) else apart(a.measured(), b.measured())


def test_fisher_by_hand() -> None:
    # P(all 5 of 5 against 0 of 5) = 2 / C(10, 5) = 0.0079; 4 against 0: 0.0476; 3 against 0: 0.167.
    assert differ(Ratio(5, 5), Ratio(0, 5))
    assert differ(Ratio(4, 5), Ratio(0, 5))
    assert not differ(Ratio(3, 5), Ratio(0, 5))


def test_intervals_that_overlap_show_nothing() -> None:
    low = np.random.default_rng(1).permutation(
        np.arange(100.0)
    )  # in no order of time: as good as 100 independent values
    high = low + 30
    assert differ(SeriesQuantile(low, 0.5), SeriesQuantile(high, 0.5))
    assert not differ(SeriesQuantile(low, 0.5), SeriesQuantile(low + 10, 0.5))
    assert not differ(SeriesQuantile(low[:5], 0.5), SeriesQuantile(high[:5] + 1000, 0.5))  # too few for any interval


@given(st.one_of(ratios, rates, quantiles))
def test_nothing_differs_from_itself(sample: Sample) -> None:
    assert not differ(sample, sample)


@given(st.one_of(st.tuples(ratios, ratios), st.tuples(rates, rates), st.tuples(quantiles, quantiles)))
def test_a_difference_has_no_direction(pair: tuple[Sample, Sample]) -> None:
    assert differ(*pair) == differ(*reversed(pair))


@settings(deadline=None)
@given(st.one_of(ratios, rates, quantiles))
def test_a_value_lies_within_its_interval(sample: Sample) -> None:
    measured = sample.measured()
    if measured.value is None:
        assert measured.samples == 0
        return
    assert measured.lower is None or measured.lower <= measured.value
    assert measured.upper is None or measured.value <= measured.upper


def test_two_draws_of_the_same_are_told_apart_at_most_once_in_twenty() -> None:
    dice = np.random.default_rng(7)
    wrong = dict.fromkeys(("ratio", "rate", "p95"), 0)
    for _ in range(400):
        wrong["ratio"] += differ(*(Ratio(int(dice.binomial(600, 0.03)), 600) for _ in range(2)))
        wrong["rate"] += differ(*(Rate(int(dice.poisson(300)), 60) for _ in range(2)))
        wrong["p95"] += differ(*(SeriesQuantile(dice.lognormal(3, 1, 600), 0.95) for _ in range(2)))
    assert all(count <= 29 for count in wrong.values()), wrong  # 400 at 5 %: above 29 with less than 2 %


def hanging_together(dice: np.random.Generator, n: int, r: float) -> NDArray[np.float64]:
    """An autoregressive series: each value is ``r`` times the one before, and noise; its own spread is 1."""
    noise = dice.normal(size=n) * np.sqrt(1 - r * r)
    values = [float(dice.normal())]
    for step in noise[1:]:
        values.append(r * values[-1] + float(step))
    return np.array(values)


@pytest.mark.parametrize("n", [60, 240, 660])
@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_readings_that_hang_together_are_called_different_no_oftener_than_said(n: int, quantile: float) -> None:
    """As if they were independent it would be about two in five for r = 0.9."""
    dice, tries = np.random.default_rng(n), 400
    false = 0
    for _ in range(tries):
        false += differ(*(SeriesQuantile(hanging_together(dice, n, 0.9), quantile) for _ in range(2)))
    assert ratio_lower(false, tries) < 0.05 and false / tries <= 0.05, false


def test_readings_that_hang_together_are_told_apart_when_they_are_farapart() -> None:
    dice = np.random.default_rng(7)
    pairs = [[hanging_together(dice, 660, 0.9) for _ in range(2)] for _ in range(20)]
    assert sum(differ(SeriesQuantile(a, 0.5), SeriesQuantile(b + 3, 0.5)) for a, b in pairs) >= 19


def test_independent_values_are_worth_nearly_their_number_and_others_less() -> None:
    dice = np.random.default_rng(3)
    assert np.mean([effective_size(dice.normal(size=600), 0.5) for _ in range(20)]) > 0.85 * 600
    worth = np.mean([effective_size(hanging_together(dice, 600, 0.9), 0.5) for _ in range(20)])
    assert 15 < worth < 60  # by theory 600 (1 - r) / (1 + r) = 32 for the mean
    assert effective_size(np.ones(600), 0.5) <= 600 and effective_size(np.arange(600.0), 0.5) < 5


def inertia_by_definition(values: list[float], lags: int) -> list[float]:
    """The autocorrelations up to ``lags``, one after the other."""
    mean = sum(values) / len(values)
    centred = [value - mean for value in values]
    spread = sum(value * value for value in centred)
    return [
        sum(one * other for one, other in zip(centred, centred[lag:], strict=False)) / spread if spread else 0.0
        for lag in range(lags + 1)
    ]


def worth_by_definition(values: list[float], quantile: float) -> float:
    """``effective_size`` as its docstring says it, without a transform."""
    n = len(values)
    at = sorted(values)[max(1, int(np.ceil(round(quantile * n, 9)))) - 1]
    found = inertia_by_definition([float(value > at) for value in values], n // 2)
    total, first = 0.0, 0
    while first + 1 < len(found) and found[first] + found[first + 1] > 0:
        total, first = total + found[first] + found[first + 1], first + 2
    by_sum = 2 * total - 1 if first else 1.0
    order = sorted(range(n), key=lambda place: (values[place], place))
    ranks = [float(order.index(place)) for place in range(n)]
    one = inertia_by_definition(ranks, 1)[1]
    likely = min(one + (1 + 3 * one) / n, 1 - 1 / n)
    by_next = (1 + likely) / (1 - likely) if one > 2 / n**0.5 else 1.0
    return n / max(1.0, by_sum, by_next)


@pytest.mark.parametrize("quantile", [0.5, 0.9])
@pytest.mark.parametrize("r", [0.0, 0.6, 0.95])
@pytest.mark.parametrize("n", [20, 33])
def test_what_a_series_is_worth_is_as_it_is_defined(n: int, r: float, quantile: float) -> None:
    dice = np.random.default_rng(n)
    for _ in range(5):
        rounded = np.round(hanging_together(dice, n, r) * 2)  # with equal values
        for series in (hanging_together(dice, n, r), rounded):
            assert effective_size(series, quantile) == pytest.approx(worth_by_definition(series.tolist(), quantile))


def test_of_fewer_than_twenty_values_nothing_is_said_and_of_equal_ones_nothing_hangs_together() -> None:
    assert effective_size(np.arange(19.0), 0.5) == 1.0
    assert effective_size(np.arange(20.0), 0.5) < 1.0
    assert effective_size(np.ones(25), 0.5) == pytest.approx(worth_by_definition([1.0] * 25, 0.5))


def test_what_a_series_is_worth_does_not_hang_on_its_unit() -> None:
    series = hanging_together(np.random.default_rng(4), 60, 0.8)
    assert effective_size(series * 1e-6, 0.5) == effective_size(series, 0.5)
    rare = np.zeros(60)
    rare[7] = 1.0
    assert _inertia(rare * 0.5) == _inertia(rare) == pytest.approx(_inertia(rare * 100))


def test_equal_values_have_no_inertia() -> None:
    assert _inertia(np.ones(40)) == 1.0
    assert effective_size(np.ones(40), 0.5) > 0


def test_intervals_that_touch_overlap() -> None:
    one = Measured(value=1.0, lower=0.0, upper=2.0, samples=9)
    other = Measured(value=3.0, lower=2.0, upper=4.0, samples=9)
    assert not apart(one, other) and not apart(other, one)
    further = msgspec.structs.replace(other, lower=2.1)
    assert apart(one, further) and apart(further, one)


def test_intervals_are_two_sided() -> None:
    """Of a count of 10 the known one is 4.795 to 18.390, of none 0 to 3.689; of 5 in 10 0.187 to 0.813."""
    expected: dict[Sample, tuple[float, float, float, int]] = {
        Rate(10, 5): (2.0, 4.7954 / 5, 18.3904 / 5, 10),
        Rate(0, 5): (0.0, 0.0, 3.6889 / 5, 0),
        Ratio(5, 10): (0.5, 0.18709, 0.81291, 10),
    }
    for sample, told in expected.items():
        assert msgspec.structs.astuple(sample.measured()) == pytest.approx(told, rel=1e-4)
    nothing = Measured(value=None, lower=None, upper=None, samples=0)
    assert Rate(3, 0).measured() == Ratio(0, 0).measured() == SeriesQuantile(np.array([]), 0.5).measured() == nothing


def test_without_a_sample_or_a_time_nothing_differs() -> None:
    for none, some in ((Ratio(0, 0), Ratio(5, 5)), (Rate(0, 0), Rate(9, 1)), (Rate(0, 1), Rate(0, 1))):
        assert not differ(none, some) and not differ(some, none)
    assert not differ(Rate(5, 0), Rate(5, 10)) and not differ(Rate(5, 10), Rate(5, 0))
    assert Rate(3, 0.5).measured().value == 6.0
    assert differ(Rate(0, 0.5), Rate(30, 0.5)) and differ(Ratio(0, 20), Ratio(1, 1))


@pytest.mark.parametrize("r", [0.0, 0.7])
def test_a_series_interval_is_of_the_ranks_of_what_it_is_worth(r: float) -> None:
    """The ranks of so many independent values, taken in proportion from the sorted ones, and outwards."""
    series = hanging_together(np.random.default_rng(2), 60, r)
    worth, found = int(worth_by_definition(series.tolist(), 0.5)), SeriesQuantile(series, 0.5).measured()
    low, high = lower_rank(worth, 0.5, 0.975), upper_rank(worth, 0.5, 0.975)
    assert low is not None and high is not None
    ascending = sorted(series)
    assert (found.value, found.samples) == (ascending[29], 60)
    assert (found.lower, found.upper) == (ascending[(low - 1) * 60 // worth], ascending[-(-high * 60 // worth) - 1])

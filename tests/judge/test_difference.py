"""Exact differences: symmetric, silent on equals, right on values worked out by hand, and rarely wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge.difference import Exact, Quantile, Rate, Ratio, Sample, Single, differ

ratios = st.integers(1, 500).flatmap(lambda n: st.builds(Ratio, st.integers(0, n), st.just(n)))
rates = st.builds(Rate, st.integers(0, 500), st.floats(1, 300))
quantiles = st.lists(st.floats(0, 1e4), max_size=200).map(lambda values: Quantile(np.sort(np.array(values)), 0.5))


def test_fisher_by_hand() -> None:
    # P(all 5 of 5 against 0 of 5) = 2 / C(10, 5) = 0.0079; 4 against 0: 0.0476; 3 against 0: 0.167.
    assert differ(Ratio(5, 5), Ratio(0, 5))
    assert differ(Ratio(4, 5), Ratio(0, 5))
    assert not differ(Ratio(3, 5), Ratio(0, 5))


def test_counts_by_hand() -> None:
    # Equal times: 6 against 0 is 2 / 2^6 = 0.031, 5 against 0 is 0.0625.
    assert differ(Rate(6, 10), Rate(0, 10))
    assert not differ(Rate(5, 10), Rate(0, 10))
    assert not differ(Rate(10, 10), Rate(100, 100))


def test_intervals_that_overlap_show_nothing() -> None:
    low, high = np.arange(100.0), np.arange(100.0) + 30
    assert differ(Quantile(low, 0.5), Quantile(high, 0.5))
    assert not differ(Quantile(low, 0.5), Quantile(low + 10, 0.5))
    assert not differ(Quantile(low[:5], 0.5), Quantile(high[:5] + 1000, 0.5))  # too few for any interval


@given(st.one_of(ratios, rates, quantiles, st.builds(Exact, st.floats(0, 9)), st.builds(Single, st.floats(0, 9))))
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
        wrong["p95"] += differ(*(Quantile(np.sort(dice.lognormal(3, 1, 600)), 0.95) for _ in range(2)))
    assert all(count <= 29 for count in wrong.values()), wrong  # 400 at 5 %: above 29 with less than 2 %


def test_two_kinds_are_not_compared() -> None:
    with pytest.raises(TypeError):
        differ(Ratio(1, 2), Rate(1, 2))

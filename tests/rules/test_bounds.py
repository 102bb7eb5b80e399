"""The published sample sizes, and the bounds against SciPy's own exact test and the order statistics' definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from harness.rules.bounds import (
    _first,
    lower_rank,
    nearest_rank,
    quantile_bounds,
    quantile_samples_needed,
    ratio_lower,
    ratio_upper,
    samples_needed,
    upper_rank,
)
from tests.session.examples import examples

counted = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("limit", "without", "with_one"), [(0.01, 299, 473), (0.005, 598, 947), (0.001, 2995, 4742)])
def test_published_sample_sizes(limit: float, without: int, with_one: int) -> None:
    assert samples_needed(limit) == without
    assert samples_needed(limit, 1) == with_one
    assert ratio_upper(0, without) < limit <= ratio_upper(0, without - 1)
    assert ratio_upper(1, with_one) < limit <= ratio_upper(1, with_one - 1)


def test_a_limit_that_is_just_the_bound_of_a_sample_needs_one_more() -> None:
    assert samples_needed(ratio_upper(0, 10)) == 11
    assert samples_needed(0.96) == 1  # one answer without a failure shows a ratio of at most 95 %
    assert samples_needed(0.99, 1) == 2


def test_p95_needs_59() -> None:
    assert quantile_samples_needed() == 59
    assert upper_rank(58) is None
    assert upper_rank(59) == 59
    assert quantile_samples_needed(1) == 93
    assert upper_rank(92) == 92
    assert upper_rank(93) == 92


@given(counted)
@settings(max_examples=examples(200), deadline=None)
def test_ratio_bounds_equal_scipys_exact_intervals(sample: tuple[int, int]) -> None:
    events, n = sample
    assert ratio_upper(events, n) == pytest.approx(
        binomtest(events, n, alternative="less").proportion_ci(0.95, method="exact").high, abs=1e-9
    )
    assert ratio_lower(events, n) == pytest.approx(
        binomtest(events, n, alternative="greater").proportion_ci(0.95, method="exact").low, abs=1e-9
    )


@given(counted)
@settings(deadline=None)
def test_ratio_bounds_bracket_the_value_and_mirror_each_other(sample: tuple[int, int]) -> None:
    events, n = sample
    assert 0 <= ratio_lower(events, n) <= events / n <= ratio_upper(events, n) <= 1
    assert ratio_lower(events, n) == pytest.approx(1 - ratio_upper(n - events, n), abs=1e-9)


@given(st.integers(1, 3_000), st.data())
@settings(deadline=None)
def test_a_failure_more_raises_the_bound_and_a_good_answer_more_lowers_it(n: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, n - 1))
    assert ratio_upper(events + 1, n) > ratio_upper(events, n)
    assert ratio_lower(events + 1, n) > ratio_lower(events, n)
    assert ratio_upper(events, n + 1) < ratio_upper(events, n)


@pytest.mark.parametrize("n", [30, 120, 330, 1200])
@pytest.mark.parametrize("ratio", [0.001, 0.01, 0.05, 0.3])
def test_ratio_bounds_cover_the_truth_in_at_least_95_percent(n: int, ratio: float) -> None:
    weights = binom.pmf(np.arange(n + 1), n, ratio)
    covered_above = sum(w for k, w in enumerate(weights) if ratio_upper(k, n) >= ratio)
    covered_below = sum(w for k, w in enumerate(weights) if ratio_lower(k, n) <= ratio)
    assert covered_above >= 0.95
    assert covered_below >= 0.95


@pytest.mark.parametrize("n", [*range(1, 130), 330, 400, 600, 4000])
def test_ranks_are_the_tightest_with_95_percent(n: int) -> None:
    # K, the number of values below the true p95, is binomial; the oracle is scipy.stats, not scipy.special.
    low, high = lower_rank(n), upper_rank(n)
    if high is None:
        assert binom.cdf(n - 1, n, 0.95) < 0.95
    else:
        assert binom.cdf(high - 1, n, 0.95) >= 0.95
        assert binom.cdf(high - 2, n, 0.95) < 0.95
    assert low is not None
    assert binom.sf(low - 1, n, 0.95) >= 0.95 - 1e-12
    assert low == n or binom.sf(low, n, 0.95) < 0.95
    assert low <= nearest_rank(n) <= (high or n)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=400))
@settings(deadline=None)
def test_quantile_bounds_bracket_the_measured_quantile(values: list[float]) -> None:
    ascending = np.sort(np.array(values))
    low, high = quantile_bounds(ascending)
    measured = ascending[nearest_rank(len(values)) - 1]
    assert low is not None
    assert low <= measured
    assert (high is None) == (len(values) < 59)
    assert high is None or measured <= high
    assert measured == np.percentile(ascending, 95, method="inverted_cdf")


@pytest.mark.parametrize("events_n", [(0, 0), (-1, 5), (6, 5)])
def test_no_bound_of_no_sample(events_n: tuple[int, int]) -> None:
    for bound in (ratio_upper, ratio_lower):
        with pytest.raises(ValueError, match="not a ratio"):
            bound(*events_n)
    for limit in (0.0, 1.0):
        with pytest.raises(ValueError, match="the limit lies between 0 and 1"):
            samples_needed(limit)
    assert lower_rank(0) is None
    assert upper_rank(0) is None
    assert quantile_bounds(np.array([])) == (None, None)


def test_another_quantile_and_confidence_have_their_own_ranks() -> None:
    """Of five values the largest is above the median with 1 - 1/32, of four with 1 - 1/16 only."""
    assert quantile_samples_needed(0, 0.5) == 5
    values = np.arange(1.0, 101.0)
    found = quantile_bounds(values, 0.5, 0.8)
    assert found == (lower_rank(100, 0.5, 0.8), upper_rank(100, 0.5, 0.8)) == (46, 55)


def test_the_search_finds_the_first_that_holds_and_gives_up() -> None:
    for start in (1, 2, 7):
        for least in range(start, start + 40):
            assert _first(start, least.__le__) == least
        assert _first(start, (0).__le__) == start
    asked: list[int] = []

    def never(number: int) -> bool:
        asked.append(number)
        return False

    with pytest.raises(ValueError, match=r"^no sample within reason is large enough$"):
        _first(1, never)
    assert asked == [1 << power for power in range(41)]

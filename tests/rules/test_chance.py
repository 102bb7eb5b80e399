"""False roll backs by chance alone, against brute force and against drawn windows; what the weeks' limits come to."""

from __future__ import annotations

from itertools import product

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.units import Unit
from harness.model.judgement import FalseRollBack, Kind
from harness.model.message import quantity
from harness.rules.bounds import ratio_lower, ratio_upper
from harness.rules.chance import (
    advances,
    chance_words,
    either,
    false_roll_backs,
    fires,
    preflight_sentences,
    requirements,
)
from harness.run.scenarios.load import load
from tests.rules.evidence import criterion, scenario


def by_enumeration(ratio: float, limit: float, least: int, samples: int) -> float:
    """Every course of answers, each with its probability."""
    fired = 0.0
    for course in product((0, 1), repeat=samples):
        counts = np.cumsum(course)
        if any(counts[n - 1] > limit * n + 1e-9 for n in range(least, samples + 1)):
            fired += ratio ** sum(course) * (1 - ratio) ** (samples - sum(course))
    return fired


@given(
    ratio=st.sampled_from([0.0, 0.01, 0.1, 0.3, 0.5, 1.0]),
    limit=st.sampled_from([0.05, 0.1, 0.25, 0.4, 0.5]),
    least=st.integers(1, 9),
    samples=st.integers(0, 11),
)
def test_it_is_what_all_courses_of_answers_come_to(ratio: float, limit: float, least: int, samples: int) -> None:
    assert fires(ratio, limit, least, samples) == pytest.approx(by_enumeration(ratio, limit, least, samples), abs=1e-9)


def test_it_is_what_drawn_windows_come_to() -> None:
    dice, windows, samples = np.random.default_rng(5), 4000, 1200
    counts = (dice.random((windows, samples)) < 0.005).cumsum(axis=1)
    at = np.arange(1, samples + 1)
    fired = int(((counts > 0.01 * at + 1e-9) & (at >= 300)).any(axis=1).sum())
    exact = fires(0.005, 0.01, 300, samples)
    assert ratio_lower(fired, windows, 0.999) < exact < ratio_upper(fired, windows, 0.999)


@pytest.mark.parametrize(
    ("ratio", "limit", "least", "samples", "share"),
    [
        (0.003, 0.01, 300, 1200, 0.040),
        (0.005, 0.01, 300, 1200, 0.189),
        (0.001, 0.005, 600, 3300, 0.010),
        (0.01, 0.03, 100, 400, 0.055),
        (0.01, 0.05, 60, 330, 0.009),
    ],
)
def test_the_figures_that_readers_are_told(ratio: float, limit: float, least: int, samples: int, share: float) -> None:
    assert fires(ratio, limit, least, samples) == pytest.approx(share, abs=0.0006)


@pytest.mark.parametrize(
    ("week", "share"), [(1, (0.009, 0.009)), (2, (0.055, 0.055)), (3, (0.189, 0.173)), (4, (0.010, 0.010))]
)
def test_each_week_says_how_often_its_limits_fire_by_chance(week: int, share: tuple[float, float]) -> None:
    """Of the stream that the document asks, and of the other."""
    chances = false_roll_backs(load(f"rollout_week{week}"))
    assert [each.probability for each in chances] == pytest.approx(share, abs=0.0006)
    assert either(chances) == pytest.approx(1 - (1 - share[0]) * (1 - share[1]), abs=0.001)


def test_three_tries_at_the_limit_advance_with_14_percent() -> None:
    assert advances(1) == pytest.approx(0.05)
    assert advances(3) == pytest.approx(0.142625)


@pytest.mark.parametrize(
    ("probability", "share"), [(0.0, "less than 0.05 %"), (0.000499, "less than 0.05 %"), (0.0005, "0.1 %")]
)
def test_a_chance_that_is_small_is_not_told_as_none(probability: float, share: str) -> None:
    chance = FalseRollBack(id="limit", failure_ratio=0.005, samples=1_200, probability=probability)
    assert f"it fires in {share} of windows" in str(chance_words(chance))


def test_a_page_says_the_same_of_a_limit() -> None:
    chance = FalseRollBack(id="limit", failure_ratio=0.005, samples=1_200, probability=0.189412)
    told = chance_words(chance)
    assert str(told) == (
        "By chance alone it fires in 18.9 % of windows of 1,200 samples when the true failure ratio is 0.5 %, the most "
        "that may still advance."
    )
    assert told.values["share"] == quantity(0.189, Unit.RATIO) and told.values["ratio"] == quantity(0.005, Unit.RATIO)


def test_a_week_s_chance_is_kept_to_six_places() -> None:
    chance, _ = false_roll_backs(load("rollout_week3"))
    assert chance.probability == round(fires(0.005, 0.01, 300, 1200), 6)


def test_before_a_week_both_are_told_what_it_can_prove_and_what_chance_does() -> None:
    week = load("rollout_week3")
    told = [str(each) for each in preflight_sentences(week)]
    chances = false_roll_backs(week)
    limits = [each.id for each in week.criteria if each.kind is Kind.ROLLBACK_LIMIT]
    assert [each.id for each in chances] == limits
    good_enough = "a target only just good enough"
    assert told == [
        *(str(each.sentence) for each in requirements(week)),
        f"availability < 99 %: {good_enough} (0.5 % failures) is rolled back by chance in 18.9 % of windows",
        f"availability of the users' requests < 99 %: {good_enough} (0.5 % failures) is rolled back by chance in 17.3 % "
        "of windows",
        "of 100 runs of a target that is only just good enough, about 33 end in a roll back by chance",
    ]
    briefly = [str(each) for each in preflight_sentences(week, every=False)]
    assert briefly == ["the window gives each criterion enough samples", told[-1]]
    short = [str(each) for each in preflight_sentences(msgspec.structs.replace(week, window_s=60.0), every=False)]
    assert short[:-1] == ["error ratio < 0.5 % will be inconclusive: only 300 requests planned; 598 suffice"]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_criteria_on_one_metric_the_stricter_says_what_may_still_advance(order: int) -> None:
    asked = [criterion("success", "availability", ">", least) for least in (0.995, 0.97)]
    limit = criterion("rollback", "availability", "<", 0.99)
    (found,) = false_roll_backs(scenario(*asked[::order], limit))
    assert found.failure_ratio == pytest.approx(0.005)

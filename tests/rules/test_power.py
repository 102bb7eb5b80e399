"""The preflight: the sample each criterion needs and the sample the default windows give."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.errors import BadInput
from harness.model.evidence import Operation
from harness.model.scenario import Criterion, LoadStep
from harness.rules.chance import requirements
from tests.rules.evidence import SUCCESS_ERRORS, WEEKS, criterion, scenario

# (needed, offered) of each criterion, in the weeks' order: docs/judging.md#windows.
EXPECTED = {
    1: [(299, 330), (59, 330), (60, 330), (60, 3300)],
    2: [(299, 400), (59, 400), (396, 400), (100, 400), (60, 400), (100, 1200)],
    3: [(250, 250), (598, 1200), (300, 1200), (598, 600), (59, 600), (300, 600)],
    4: [(500, 500), (2995, 3300), (600, 3300), (2995, 3300), (59, 3300), (600, 3300)],
}


@pytest.mark.parametrize("week", WEEKS)
def test_default_windows_are_enough(week: int) -> None:
    found = requirements(WEEKS[week])
    assert [(r.needed, r.offered) for r in found] == EXPECTED[week]
    assert all(r.enough and "inconclusive" not in str(r.sentence) for r in found)
    assert [r.id for r in found] == [c.id for c in WEEKS[week].criteria]


def test_sentences() -> None:
    sentences = [str(r.sentence) for week in (2, 3) for r in requirements(WEEKS[week])]
    assert sentences == [
        "error ratio < 1 %: 400 requests planned; 299 suffice if none fails, 473 if one does",
        "latency p95 < 500 ms: 400 requests planned; 59 suffice, 93 if one is above the limit",
        "requests/s ≥ 3/s: 3.33/s planned; 3.3/s suffices",
        "rollback limit error ratio > 3 %: 400 requests planned; it is read from 100 on",
        "rollback limit latency p95 > 600 ms: 400 requests planned; it is read from 60 on",
        "rollback limit error ratio of the probes > 3 %: 1,200 probes planned; it is read from 100 on",
        "concurrent users ≥ 250 users: 250 users planned; 250 suffice, each with a good answer every 120 s",
        "availability > 99.5 %: 1,200 probes planned; 598 suffice if none fails, 947 if one does",
        "rollback limit availability < 99 %: 1,200 probes planned; it is read from 300 on",
        "error ratio < 0.5 %: 600 requests planned; 598 suffice",
        "latency p95 < 500 ms: 600 requests planned; 59 suffice, 93 if one is above the limit",
        "rollback limit availability of the users' requests < 99 %: 600 requests planned; it is read from 300 on",
    ]


@pytest.mark.parametrize(("window_s", "enough"), [(298.999, False), (299.0, True)])
def test_a_window_too_short_is_said(window_s: float, enough: bool) -> None:
    week1 = msgspec.structs.replace(WEEKS[1], window_s=window_s)
    first = requirements(week1)[0]
    assert first.enough is enough
    assert ("will be inconclusive: only" in str(first.sentence)) is not enough


def test_the_documents_pace_offers_too_little_for_its_rate() -> None:
    as_written = msgspec.structs.replace(WEEKS[2], population=msgspec.structs.replace(WEEKS[2].population, pace_s=50.0))
    rate = requirements(as_written)[2]
    assert (rate.needed, rate.offered, rate.enough) == (396, 360, False)
    assert "will be inconclusive: only 3/s planned" in str(rate.sentence)


def test_what_is_too_little_by_a_hair_is_not_said_as_enough() -> None:
    population = msgspec.structs.replace(WEEKS[2].population, pace_s=45.46)
    rate = requirements(msgspec.structs.replace(WEEKS[2], population=population))[2]
    assert not rate.enough
    assert "will be inconclusive: only 3.2996/s planned; 3.3/s suffices" in str(rate.sentence)


def test_users_too_few_or_too_seldom() -> None:
    users = criterion("success", "concurrent_users", ">=", 250)
    assert not requirements(scenario(users, users=249))[0].enough
    seldom = requirements(scenario(users, pace_s=121.0))[0]
    assert not seldom.enough
    assert "only 250 users planned, each only every 121 s" in str(seldom.sentence)
    assert requirements(scenario(users, pace_s=120.0))[0].enough


def test_a_window_shorter_than_the_pace_gives_only_the_users_who_ask_in_it() -> None:
    users = criterion("success", "concurrent_users", ">=", 250)
    short = requirements(scenario(users, window_s=20.0))[0]
    assert (short.offered, short.enough) == (100, False)
    assert "only 100 users planned" in str(short.sentence)


def test_an_own_smallest_sample_raises_what_is_needed() -> None:
    assert requirements(scenario(criterion("success", "error_ratio", "<", 0.01, 700)))[0].needed == 700
    assert requirements(scenario(criterion("success", "error_ratio", "<", 0.01, 10)))[0].needed == 299
    assert requirements(scenario(criterion("rollback", "error_ratio", ">", 0.01, 10)))[0].needed == 10


@pytest.mark.parametrize(
    "what",
    [
        criterion("success", "availability", ">", 1.0),
        criterion("success", "error_ratio", "<", 0.0),
        criterion("rollback", "request_rate", "<", 1.0),
    ],
)
def test_a_criterion_that_nothing_can_carry_is_refused(what: Criterion) -> None:
    with pytest.raises(BadInput):
        requirements(scenario(SUCCESS_ERRORS, what))


def test_a_rate_that_is_just_offered_and_a_window_of_nothing() -> None:
    rate = criterion("success", "request_rate", ">=", 3.0)
    assert requirements(scenario(rate, users=33, pace_s=10.0))[0].enough  # 3.3/s, of 3.3/s
    users = criterion("success", "concurrent_users", ">=", 250)
    assert [requirements(scenario(users, window_s=window_s))[0].enough for window_s in (0.0, 49.0, 50.0)] == [
        False,
        False,
        True,
    ]
    nothing = requirements(scenario(rate, window_s=0.0))[0]
    assert (nothing.needed, nothing.offered, nothing.enough) == (0, 0, False)


def test_a_median_and_a_criterion_of_one_operation_say_what_they_need() -> None:
    median = criterion("success", "latency_p50", "<", 300.0, operation=Operation.GET_WALK)
    assert str(requirements(scenario(median))[0].sentence) == (
        "latency p50 of get_walk < 300 ms: 35 requests for get_walk planned; 5 suffice, 8 if one is above the limit"
    )


def test_steps_of_the_load_are_counted_at_their_own_pace() -> None:
    """50 users: 60 s at one request in 50 s, 60 s at one in 25 s."""
    errors, rate = criterion("success", "error_ratio", "<", 0.05), criterion("success", "request_rate", ">=", 1.5)
    users = criterion("success", "concurrent_users", ">=", 50)
    of = scenario(errors, rate, users, users=50)
    population = msgspec.structs.replace(of.population, steps=(LoadStep(at_s=60, pace_s=25),))
    of = msgspec.structs.replace(of, population=population, offered_rate_per_s=1.5)
    assert [(each.offered, each.enough) for each in requirements(of)] == [(180, True), (180, True), (50, True)]
    slow = msgspec.structs.replace(population, steps=(LoadStep(at_s=60, pace_s=121),))
    told = requirements(msgspec.structs.replace(of, population=slow))
    assert [(each.offered, each.enough) for each in told] == [(84, True), (84, False), (50, False)]
    assert "only 50 users planned, each only every 121 s" in str(told[2].sentence)
    beyond = msgspec.structs.replace(population, steps=(LoadStep(at_s=120, pace_s=121),))
    assert requirements(msgspec.structs.replace(of, population=beyond))[2].enough, "it begins where the window ends"


def test_a_criterion_on_a_step_has_the_step_s_sample_alone() -> None:
    """50 users at one request in 50 s, from 60 s on in 25 s."""
    errors = criterion("success", "error_ratio", "<", 0.03)
    ids = [msgspec.structs.replace(errors, step_s=step_s) for step_s in (0.0, 60.0, 90.0)]
    of = scenario(*ids, users=50)
    steps = (LoadStep(at_s=60, pace_s=25), LoadStep(at_s=90, pace_s=50))
    of = msgspec.structs.replace(of, population=msgspec.structs.replace(of.population, steps=steps))
    found = requirements(of)
    assert [(each.needed, each.offered, each.enough) for each in found] == [
        (99, 60, False),
        (99, 60, False),
        (99, 30, False),
    ]
    assert str(found[1].sentence) == (
        "error ratio in the step from 60 s < 3 % will be inconclusive: only 60 requests planned; "
        "99 suffice if none fails, 157 if one does"
    )

"""Weeks 3 and 4 ask the users: what they meet decides, whatever the probes meet. Judged as a stored run is."""

from __future__ import annotations

import pytest

from harness.model.evidence import Outcome
from harness.model.judgement import Decision, Verdict, errata_of
from harness.rules.judged import combine
from harness.run.scenarios.load import load
from tests.rollout.planted import Fate, crowd, every, good, judged_week, week_rows

PLANS = {week: load(f"rollout_week{week}") for week in (1, 2, 3, 4)}
ERRORS, SLOW = "success.error_ratio", "success.latency_p95"
BROKEN = {"outcome": Outcome.BROKEN, "status": 0}


def few(count: int, apart: int, **changes: object) -> Fate:
    """These changes for ``count`` calls, each so many after the one before."""
    return lambda number: changes if number % apart == 7 and number < apart * count else {}


def lost_and_broken(number: int) -> dict[str, object] | None:
    """Every eleventh call is not in evidence, and seven failed: enough to fail without those, and not with them."""
    return None if number % 11 == 0 else BROKEN if number % 440 == 1 and number < 7 * 440 else {}


@pytest.mark.parametrize(
    ("week", "users", "expected", "decision"),
    [
        (3, good, {ERRORS: "pass", SLOW: "pass", "sli.errors": "pass", "rollout.week3.check": "pass"}, None),
        # a target that answers each user's first request and fails every other one
        (3, every(2, **BROKEN), {ERRORS: "fail", "rollback.availability.users": "fail", "sli.errors": "fail",
                                 "rollout.week3.check": "fail"}, Decision.ROLL_BACK),
        (3, every(12, outcome=Outcome.UNEXPECTED_4XX, status=401), {ERRORS: "fail"}, Decision.ROLL_BACK),
        (3, every(12, outcome=Outcome.RATE_LIMITED, status=429), {ERRORS: "fail"}, Decision.ROLL_BACK),
        (3, every(12, outcome=Outcome.TIMEOUT, status=0), {ERRORS: "fail"}, Decision.ROLL_BACK),
        (4, every(60, **BROKEN), {ERRORS: "fail"}, Decision.ROLL_BACK),
        # every request of every user takes 9 s
        (3, every(1, latency_ms=9_000), {ERRORS: "pass", SLOW: "fail", "sli.latency": "fail"}, Decision.HOLD),
        # by value: two of 600 keep the limit, three do not, and no bound shows that they break it
        (3, few(2, 190, **BROKEN), {ERRORS: "pass"}, None),
        (3, few(3, 190, **BROKEN), {ERRORS: "inconclusive"}, Decision.HOLD),
        (4, few(3, 800, **BROKEN), {ERRORS: "pass"}, None),
        (4, few(4, 800, **BROKEN), {ERRORS: "inconclusive"}, Decision.HOLD),
        # what is due and not in evidence failed, for a pass, and was good, for a fail
        (3, lambda number: None if number < 3 else {}, {ERRORS: "inconclusive"}, Decision.HOLD),
        (4, lost_and_broken, {ERRORS: "inconclusive"}, Decision.HOLD),
        # the p95 by its bound: 5 % of slow answers are too near to tell
        (3, every(20, latency_ms=800), {SLOW: "inconclusive"}, Decision.HOLD),
    ],
)  # fmt: skip
def test_what_users_met_decides(week: int, users: Fate, expected: dict[str, str], decision: Decision | None) -> None:
    found = judged_week(PLANS[week], week_rows(PLANS[week], users))
    assert {name: str(found[name].verdict) for name in expected} == expected
    criteria = combine([found[each.id] for each in PLANS[week].criteria])
    assert criteria is (decision or Decision.ADVANCE)


@pytest.mark.parametrize(
    ("week", "users", "probes", "fired"),
    [
        (1, good, every(15, **BROKEN), "rollback.error_ratio.probes"),
        (2, good, every(25, **BROKEN), "rollback.error_ratio.probes"),
        (3, every(60, **BROKEN), good, "rollback.availability.users"),
        (4, every(120, **BROKEN), good, "rollback.availability.users"),
    ],
)
def test_each_limit_on_a_ratio_has_a_twin_for_the_other_stream(
    week: int, users: Fate, probes: Fate, fired: str
) -> None:
    found = judged_week(PLANS[week], week_rows(PLANS[week], users, probes))
    limits = {each.id: found[each.id].verdict for each in PLANS[week].criteria if each.id.startswith("rollback")}
    assert {name for name, verdict in limits.items() if verdict is Verdict.FAIL} == {fired}


def test_the_blackout_is_the_probes_alone() -> None:
    """Users who are refused for six seconds are too few for their own limit."""
    found = judged_week(PLANS[3], week_rows(PLANS[3], lambda number: BROKEN if 400 <= number < 403 else {}))
    assert found["rollback.availability.users"].verdict is Verdict.PASS


#: A p95 of so many ms, and how long a second the machine let something wait, used and by the target's pods.
@pytest.mark.parametrize(
    ("p95_ms", "machine", "verdict"),
    [
        (700, None, "fail"),
        (700, (0.9, 2.0, 0.2), "inconclusive"),  # two others burn both processors
        (1_900, (0.9, 2.0, 0.2), "inconclusive"),
        (2_100, (0.9, 2.0, 0.2), "fail"),
        (700, (0.9, 2.0, 1.9), "fail"),  # the target burns them itself
        (700, (0.2, 2.0, 0.2), "fail"),  # too little waited
        (700, (0.0, 0.3, 0.2), "fail"),
        (300, (0.9, 2.0, 0.2), "pass"),
    ],
)
def test_a_crowded_machine_leaves_the_users_p95_open_and_no_more(
    p95_ms: int, machine: tuple[float, float, float] | None, verdict: str
) -> None:
    for week in (3, 4):
        plan = PLANS[week]
        rows = [*(crowd(plan, *machine) if machine else ()), *week_rows(plan, every(1, latency_ms=p95_ms))]
        found = judged_week(plan, rows)
        assert str(found[SLOW].verdict) == verdict
        assert found["sli.latency"].verdict is not Verdict.PASS or verdict == "pass"
    plan = PLANS[2]
    rows = [*(crowd(plan, *machine) if machine else ()), *week_rows(plan, every(1, latency_ms=p95_ms))]
    assert str(judged_week(plan, rows)[SLOW].verdict) == ("pass" if p95_ms < 500 else "fail")


@pytest.mark.parametrize(
    ("week", "users", "probes", "shown"),
    [
        (3, every(60, **BROKEN), good, True),
        (3, every(7, **BROKEN), good, True),  # which is rolled back
        (4, every(1, latency_ms=900), good, True),
        (3, good, good, False),
        (3, every(60, **BROKEN), every(20, **BROKEN), False),  # the document's own criteria hold it as well
        (2, every(20, **BROKEN), good, False),
    ],
)
def test_the_erratum_of_the_dropped_criteria_is_told_by_what_users_met(
    week: int, users: Fate, probes: Fate, shown: bool
) -> None:
    found = judged_week(PLANS[week], week_rows(PLANS[week], users, probes))
    assert ("rollout.week3.errors_dropped" in errata_of(found.values())) is shown

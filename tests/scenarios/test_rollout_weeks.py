"""The four weeks as shipped: the document's rows, the judge's tested plans, and windows that carry their criteria."""

from __future__ import annotations

import pytest

from harness.model.judgement import Kind
from harness.model.scenario import Criterion, Scenario
from harness.rules.chance import requirements
from harness.rules.success import failure_limit
from harness.run.scenarios.load import load
from tests import register as claims
from tests.rules.evidence import WEEKS

SHIPPED = {week: load(f"rollout_week{week}") for week in (1, 2, 3, 4)}

#: The document's table 段階的ロールアウト計画: who is on the API, and the words of its criteria by their claims.
FLAG_ON = {
    1: {"developers": 50, "beta": 0, "general": 0},
    2: {"developers": 50, "beta": 100, "general": 0},
    3: {"developers": 50, "beta": 100, "general": 100},
    4: {"developers": 50, "beta": 100, "general": 350},
}
QUOTATIONS = {
    1: ["エラー率 < 1%", "p95レイテンシ < 500ms", "エラー率 > 5%"],
    2: ["同上", "同上", "QPS 3件/秒達成", "エラー率 > 3%", "p95 > 600ms"],
    3: ["同時接続250人達成", "稼働率 > 99.5%", "稼働率 < 99%"],
    4: ["同時接続500人達成", "稼働率 > 99.9%", "稼働率 < 99.5%"],
}
PLAN = {1: (330, 50), 2: (120, 45), 3: (120, 50), 4: (330, 50)}  # window and pace, s (docs/judging.md#windows)


def rules(scenario: Scenario) -> list[tuple[object, ...]]:
    return [
        (c.kind, c.metric, c.comparison, c.threshold, c.smallest_sample, c.needs, c.asks, c.by, c.crowded_limit_ms)
        for c in scenario.criteria
    ]


def of_the_document(scenario: Scenario) -> list[Criterion]:
    return [each for each in scenario.criteria if each.claim]


@pytest.mark.parametrize("week", SHIPPED)
def test_a_week_is_the_documents_row(week: int) -> None:
    scenario = SHIPPED[week]
    assert {a.name: a.flag_on for a in scenario.population.audiences} == FLAG_ON[week]
    assert {a.name: a.users for a in scenario.population.audiences} == FLAG_ON[4]
    assert (scenario.window_s, scenario.population.pace_s) == PLAN[week]
    assert (scenario.switch_over_limit_s, scenario.population.fetch_interval_s) == (300, 60)
    assert [claims.REGISTER[c.claim].quotation for c in of_the_document(scenario)] == QUOTATIONS[week]
    assert all(c.claim in scenario.claims for c in of_the_document(scenario))


#: The rehearsal's own: kind, metric, whom it asks, limit, and where the limit comes from.
OWN = {
    1: [("rollback_limit", "error_ratio", "probes", 0.05, "rollback.error_ratio")],
    2: [("rollback_limit", "error_ratio", "probes", 0.03, "rollback.error_ratio")],
    3: [
        ("criterion", "error_ratio", "users", 0.005, "success.availability"),
        ("criterion", "latency_p95", "users", 500.0, "slo.latency_p95"),
        ("rollback_limit", "availability", "users", 0.99, "rollback.availability"),
    ],
    4: [
        ("criterion", "error_ratio", "users", 0.001, "success.availability"),
        ("criterion", "latency_p95", "users", 500.0, "slo.latency_p95"),
        ("rollback_limit", "availability", "users", 0.995, "rollback.availability"),
    ],
}


@pytest.mark.parametrize("week", SHIPPED)
def test_the_rehearsals_own_criteria_take_their_limits_from_the_document(week: int) -> None:
    own = [each for each in SHIPPED[week].criteria if not each.claim]
    assert [(str(c.kind), str(c.metric), str(c.asks), c.threshold, c.limit_from) for c in own] == OWN[week]
    for each in own:
        source = next((of for of in SHIPPED[week].criteria if of.id == each.limit_from), None)
        if source is not None:
            assert failure_limit(source) == pytest.approx(failure_limit(each))


#: A kind as the claims of the register name it.
SAID = {Kind.CRITERION: "success", Kind.ROLLBACK_LIMIT: "rollback"}


@pytest.mark.parametrize("week", SHIPPED)
def test_every_criterion_of_the_register_is_judged_once(week: int) -> None:
    wanted = [
        name for name in claims.REGISTER if name.startswith((f"rollout.week{week}.success", f"rollout.week{week}.roll"))
    ]
    assert [c.claim for c in of_the_document(SHIPPED[week])] == wanted
    for criterion in of_the_document(SHIPPED[week]):
        assert f".{SAID[criterion.kind]}." in criterion.claim
        assert criterion.claim.endswith(f".{criterion.metric}")
    assert f"rollout.schedule.week{week}" in SHIPPED[week].claims


@pytest.mark.parametrize("week", SHIPPED)
def test_the_judges_tests_are_about_this_week(week: int) -> None:
    """tests/rules proves each row fires at twice its limit and the healthy fires none, on these very plans."""
    assert rules(SHIPPED[week]) == rules(WEEKS[week])
    assert SHIPPED[week].window_s == WEEKS[week].window_s
    assert SHIPPED[week].population.pace_s == WEEKS[week].population.pace_s
    assert SHIPPED[week].population.flag_on == WEEKS[week].population.flag_on


@pytest.mark.parametrize("week", SHIPPED)
def test_the_preflight_says_that_the_window_is_enough(week: int) -> None:
    assert [r.enough for r in requirements(SHIPPED[week])] == [True] * len(SHIPPED[week].criteria)


def test_nobody_leaves_the_api_from_week_to_week() -> None:
    for week in (1, 2, 3):
        now, then = SHIPPED[week].population.audiences, SHIPPED[week + 1].population.audiences
        assert all(a.flag_on <= b.flag_on for a, b in zip(now, then, strict=True))


def test_every_week_can_be_rolled_back() -> None:
    for scenario in SHIPPED.values():
        assert any(c.kind is Kind.ROLLBACK_LIMIT for c in scenario.criteria)
        assert {f"rollout.rollback.step{n}" for n in (1, 2, 3)} <= set(scenario.claims)

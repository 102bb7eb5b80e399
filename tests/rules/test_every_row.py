"""Every row of the document's rollout table, as its scenario file has it: it can pass, fail and be inconclusive.

The rows come from the YAML files: one that is added without a case here fails this test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from harness.model.evidence import Row, SessionRow
from harness.model.judgement import Decision, Kind, Verdict
from harness.model.scenario import By, Criterion, Metric, Sample, Scenario
from harness.rules.judged import combine
from harness.rules.success import failure_limit
from harness.run.scenarios.load import load
from tests.rules.evidence import healthy, judged, probes, requests, sessions

WEEKS: dict[str, Scenario] = {f"rollout_week{week}": load(f"rollout_week{week}") for week in (1, 2, 3, 4)}
ROWS = [(name, criterion) for name, scenario in WEEKS.items() for criterion in scenario.criteria]
Maker = Callable[[Scenario, Criterion], Sequence[Row]]


def _failing(of: Scenario, ratio: float) -> Sequence[Row]:
    total = len(requests(of))
    return [*sessions(of), *requests(of, failed=round(ratio * total)), *probes(of)]


def _slow(of: Scenario, ratio: float, ms: float) -> Sequence[Row]:
    total = len(requests(of))
    return [*sessions(of), *requests(of, slow=round(ratio * total), slow_ms=ms), *probes(of)]


def _unavailable(of: Scenario, ratio: float) -> Sequence[Row]:
    return [*sessions(of), *requests(of), *probes(of, failed=round(ratio * len(probes(of))))]


def _bad(of: Scenario, what: Criterion, times: float) -> Sequence[Row]:
    """As many failures as so many times the limit allows, of whom the criterion asks."""
    ratio = times * failure_limit(what) + (0.001 if what.by is By.VALUE else 0.0)  # at its limit by value it passes
    return _unavailable(of, ratio) if what.asks is Sample.PROBES else _failing(of, ratio)


def _half_the_users(of: Scenario, _what: Criterion) -> Sequence[Row]:
    """The load itself brought half of them: nothing is said of the API."""
    some = [row for row in sessions(of) if isinstance(row, SessionRow) and int(row.user[1:]) % 2]
    return [*some, *requests(of), *probes(of)]


def _first_seconds(of: Scenario, what: Criterion) -> Sequence[Row]:
    """Too few samples to read a rollback limit."""
    return [*sessions(of), *requests(of)[:5], *probes(of)[:20]]


#: Evidence by kind and metric. Failing: at twice the limit. Inconclusive: at the limit itself, or without a sample.
CASES: dict[tuple[str, Metric, Verdict], Maker] = {
    ("criterion", Metric.ERROR_RATIO, Verdict.FAIL): lambda of, what: _bad(of, what, 4),
    ("criterion", Metric.ERROR_RATIO, Verdict.INCONCLUSIVE): lambda of, what: _bad(of, what, 1),
    ("criterion", Metric.LATENCY_P95, Verdict.FAIL): lambda of, what: _slow(of, 1.0, 2 * what.threshold),
    ("criterion", Metric.LATENCY_P95, Verdict.INCONCLUSIVE): lambda of, what: _slow(of, 0.05, 2 * what.threshold),
    ("criterion", Metric.REQUEST_RATE, Verdict.FAIL): lambda of, what: _slow(of, 0.5, 9_000 + of.window_s * 1_000),
    ("criterion", Metric.REQUEST_RATE, Verdict.INCONCLUSIVE): lambda of, what: [*sessions(of), *requests(of)[::2]],
    ("criterion", Metric.CONCURRENT_USERS, Verdict.FAIL): lambda of, what: _failing(of, 1.0),
    ("criterion", Metric.CONCURRENT_USERS, Verdict.INCONCLUSIVE): _half_the_users,
    ("criterion", Metric.AVAILABILITY, Verdict.FAIL): lambda of, what: _bad(of, what, 4),
    ("criterion", Metric.AVAILABILITY, Verdict.INCONCLUSIVE): lambda of, what: _bad(of, what, 1),
    ("rollback_limit", Metric.ERROR_RATIO, Verdict.FAIL): lambda of, what: _bad(of, what, 2),
    ("rollback_limit", Metric.ERROR_RATIO, Verdict.INCONCLUSIVE): _first_seconds,
    ("rollback_limit", Metric.LATENCY_P95, Verdict.FAIL): lambda of, what: _slow(of, 1.0, 2 * what.threshold),
    ("rollback_limit", Metric.LATENCY_P95, Verdict.INCONCLUSIVE): _first_seconds,
    ("rollback_limit", Metric.AVAILABILITY, Verdict.FAIL): lambda of, what: _bad(of, what, 2),
    ("rollback_limit", Metric.AVAILABILITY, Verdict.INCONCLUSIVE): _first_seconds,
}


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
@pytest.mark.parametrize(("week", "what"), ROWS, ids=[f"{name}-{what.id}" for name, what in ROWS])
def test_the_row_fails_and_is_inconclusive(week: str, what: Criterion, verdict: Verdict) -> None:
    of = WEEKS[week]
    results = judged(of, CASES[(what.kind.value, what.metric, verdict)](of, what))
    assert results[what.id].verdict is verdict, results[what.id].reason
    wanted = Decision.HOLD
    if any(r.kind is Kind.ROLLBACK_LIMIT and r.verdict is Verdict.FAIL for r in results.values()):
        wanted = Decision.ROLL_BACK
    assert combine(tuple(results.values())) is wanted


@pytest.mark.parametrize("week", WEEKS)
def test_a_healthy_week_passes_every_row_and_fires_none(week: str) -> None:
    results = judged(WEEKS[week], healthy(WEEKS[week]))
    assert {each.id: each.verdict for each in results.values()} == dict.fromkeys(results, Verdict.PASS)
    assert combine(tuple(results.values())) is Decision.ADVANCE


def test_the_document_s_table_is_whole() -> None:
    """Of the document two rows of success a week and one more in week 2; one of rollback a week and one more in week 2.
    Of the rehearsal's own two of success in weeks 3 and 4, and a limit a week on the other stream."""
    kinds = {name: [what.kind.value for what in scenario.criteria] for name, scenario in WEEKS.items()}
    assert {name: (row.count("criterion"), row.count("rollback_limit")) for name, row in kinds.items()} == {
        "rollout_week1": (2, 2),
        "rollout_week2": (3, 3),
        "rollout_week3": (4, 2),
        "rollout_week4": (4, 2),
    }

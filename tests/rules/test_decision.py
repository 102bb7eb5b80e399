"""Decisions: every mixture of verdicts, and a self test of the judge on bad evidence for every criterion."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.ticks import NS
from harness.model.evidence import Outcome, ProbeRow, RequestRow, Row
from harness.model.judgement import Decision, Kind, Verdict
from harness.model.message import raw_text
from harness.model.scenario import RATIOS, Criterion, Metric, Sample
from harness.rules.criteria import judge
from harness.rules.judged import combine
from tests.rules.evidence import WEEKS, healthy, judged, ledger, window


@pytest.mark.parametrize("week", WEEKS)
def test_the_healthy_advance(week: int) -> None:
    assert combine([*judged(WEEKS[week], healthy(WEEKS[week])).values()]) is Decision.ADVANCE


@pytest.mark.parametrize("week", WEEKS)
def test_what_is_not_exercised_holds(week: int) -> None:
    of = WEEKS[week]
    span = window(of)
    for what in of.criteria:
        results = judge(of, ledger(*healthy(of)), span, span.end_ns, not_exercised={what.id: raw_text("no")})
        assert combine(results) is Decision.HOLD


def spoil(rows: list[Row], what: Criterion) -> list[Row]:
    """The healthy rows with what the criterion asks made bad, and nothing else where it can be helped."""
    return [_spoiled(row, what, eighth=number % 8 == 0) for number, row in enumerate(rows)]


def _spoiled(row: Row, what: Criterion, *, eighth: bool) -> Row:
    change, metric = msgspec.structs.replace, what.metric
    if isinstance(row, ProbeRow) and what.asks is Sample.PROBES and eighth:
        return change(row, outcome=Outcome.SERVER_ERROR, status=503)
    if not isinstance(row, RequestRow) or what.asks is Sample.PROBES:
        return row
    if metric is Metric.LATENCY_P95 and eighth:
        return change(row, done_ns=row.done_ns + 2 * NS)
    if metric in (*RATIOS, Metric.REQUEST_RATE) and eighth:
        return change(row, outcome=Outcome.BROKEN, status=0)
    if metric is Metric.CONCURRENT_USERS and row.user < "u0010":
        return change(row, outcome=Outcome.REFUSED, status=0)
    return row


@pytest.mark.parametrize(("week", "name"), [(week, what.id) for week, of in WEEKS.items() for what in of.criteria])
def test_bad_evidence_fails_each_criterion_of_each_week(week: int, name: str) -> None:
    """A judge that ignores failures is caught here, criterion by criterion."""
    of = WEEKS[week]
    what = next(c for c in of.criteria if c.id == name)
    results = judged(of, spoil(healthy(of), what))
    assert results[name].verdict is Verdict.FAIL, results[name].reason
    decision = combine([*results.values()])
    assert decision is not Decision.ADVANCE
    if what.kind is Kind.ROLLBACK_LIMIT:
        assert decision is Decision.ROLL_BACK
        assert results[name].fired_at_ns is not None


@pytest.mark.parametrize("week", WEEKS)
def test_no_evidence_holds(week: int) -> None:
    assert combine([*judged(WEEKS[week], []).values()]) is Decision.HOLD

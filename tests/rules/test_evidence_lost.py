"""Properties of rows, ledger, judge and decision: evidence that is lost, late, doubled or garbled never helps a target.

The rows of the document's table with limits that small samples carry, any number of failures and slow answers; what is
done to the calls is drawn too. (``tests/test_ways_to_lose_evidence.py`` has named ways, on a week as it is.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.base.ticks import NS
from harness.model.evidence import DueList, Operation, Outcome, ProbeRow, RequestRow, Row
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.scenario import Criterion, LoadStep, Scenario
from harness.rules.criteria import judge
from harness.rules.judged import combine
from tests.rules.evidence import criterion, due_of, ledger, probes, request, requests, scenario, sessions, window
from tests.session.examples import examples

Calls = list[RequestRow | ProbeRow]
Harm = Callable[[st.DataObject, Calls], Calls]
_BETTER = {Verdict.FAIL: 0, Verdict.NOT_EXERCISED: 1, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}
LOOK = settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def of_step(what: Criterion, at_s: float) -> Criterion:
    return msgspec.structs.replace(what, id=f"{what.id}.{at_s:g}", step_s=at_s)


def in_steps(of: Scenario) -> Scenario:
    """With a step at which its pace stays what it is: the rows made by hand know one pace."""
    steps = (LoadStep(at_s=30.0, pace_s=of.population.pace_s),)
    return msgspec.structs.replace(of, population=msgspec.structs.replace(of.population, steps=steps))


SMALL = {
    1: scenario(
        criterion("success", "error_ratio", "<", 0.05),
        criterion("success", "latency_p95", "<", 500.0),
        criterion("success", "latency_p50", "<", 500.0, smallest_sample=115),
        criterion("rollback", "error_ratio", ">", 0.1),
        users=20,
        pace_s=10.0,
        window_s=60.0,
    ),
    2: msgspec.structs.replace(
        scenario(
            criterion("success", "error_ratio", "<", 0.05),
            criterion("success", "request_rate", ">=", 1.8),
            criterion("rollback", "error_ratio", ">", 0.08),
            criterion("rollback", "latency_p95", ">", 600.0),
            users=20,
            pace_s=10.0,
            window_s=60.0,
        ),
        offered_rate_per_s=1.9,
    ),
    3: msgspec.structs.replace(
        scenario(
            criterion("success", "concurrent_users", ">=", 5),
            criterion("success", "availability", ">", 0.97),
            criterion("rollback", "availability", "<", 0.95),
            users=5,
            pace_s=5.0,
            window_s=20.0,
        ),
        good_answer_every_s=12.0,
    ),
    4: scenario(
        criterion("success", "error_ratio", "<", 0.09, operation=Operation.CREATE_WALK),
        criterion("success", "latency_p50", "<", 500.0),
        criterion("success", "latency_p50", "<", 500.0, operation=Operation.PUT_WALK),
        criterion("rollback", "error_ratio", ">", 0.15, operation=Operation.LIST_WALKS),
        criterion("rollback", "latency_p50", ">", 600.0, operation=Operation.CREATE_WALK),
        criterion("rollback", "latency_p99", ">", 600.0, 30),
        users=20,
        pace_s=10.0,
        window_s=60.0,
    ),
    5: in_steps(
        scenario(
            of_step(criterion("success", "error_ratio", "<", 0.05), 0.0),
            of_step(criterion("success", "latency_p50", "<", 500.0, operation=Operation.PUT_WALK), 30.0),
            of_step(criterion("rollback", "error_ratio", ">", 0.1), 30.0),
            criterion("rollback", "latency_p50", ">", 600.0),
            users=20,
            pace_s=10.0,
            window_s=60.0,
        )
    ),
}


@cache
def due(week: int) -> DueList:
    return due_of(SMALL[week])


def drawn(data: st.DataObject, week: int) -> Calls:
    """A week's calls: a burst of failures, some scattered ones, and some slow ones."""
    of = SMALL[week]
    calls: Calls = [
        *requests(of, failed=data.draw(st.integers(0, 9)), slow=data.draw(st.integers(0, 12)), slow_ms=700.0),
        *probes(of, failed=data.draw(st.integers(0, 9))),
    ]
    start, length = data.draw(st.integers(0, len(calls) - 1)), data.draw(st.sampled_from([0, 0, 1, 5, 20, 60]))
    return [bad(row) if start <= number < start + length else row for number, row in enumerate(calls)]


def bad(row: RequestRow | ProbeRow) -> RequestRow | ProbeRow:
    return msgspec.structs.replace(row, outcome=Outcome.TIMEOUT, status=0)


def judged(week: int, calls: Calls) -> dict[str, Judgement]:
    of = SMALL[week]
    rows: list[Row] = [*sessions(of), *calls]
    results = judge(of, ledger(*rows), window(of), window(of).end_ns, due=due(week))
    return {result.id: result for result in results}


def chosen(data: st.DataObject, calls: Calls) -> set[int]:
    """Some of them: those that failed, or any; few or many."""
    failed = [number for number, row in enumerate(calls) if row.outcome is not Outcome.OK]
    only_failed: bool = data.draw(st.booleans())
    among = failed if failed and only_failed else list(range(len(calls)))
    if data.draw(st.booleans()):
        return set(among)
    some: set[int] = data.draw(st.sets(st.sampled_from(among), max_size=12))
    return some


def dropped(data: st.DataObject, calls: Calls) -> Calls:
    gone = chosen(data, calls)
    return [row for number, row in enumerate(calls) if number not in gone]


def come_late(data: st.DataObject, calls: Calls) -> Calls:
    """In another order; some only after the judgement, as the answers that nobody awaited."""
    late = chosen(data, calls)
    before = [row for number, row in enumerate(calls) if number not in late]
    late_in_time = [calls[number] for number in sorted(late)]
    return before if data.draw(st.booleans()) else [*before[::-1], *late_in_time]


def doubled(data: st.DataObject, calls: Calls) -> Calls:
    again = chosen(data, calls)
    return [row for number, row in enumerate(calls) for _ in range(1 + (number in again))]


def relabelled(data: st.DataObject, calls: Calls) -> Calls:
    """Requests that say they did another thing than was planned."""
    hit = chosen(data, calls)
    said = data.draw(st.sampled_from(Operation))
    return [
        msgspec.structs.replace(row, operation=said) if number in hit and isinstance(row, RequestRow) else row
        for number, row in enumerate(calls)
    ]


def garbled(data: st.DataObject, calls: Calls) -> Calls:
    """Rows whose call cannot be told any more: another's id, a stranger's, another user, another time."""
    hit = chosen(data, calls)
    how = data.draw(st.sampled_from(["id", "swap", "user", "time", "doubled"]))
    garbled: Calls = []
    for number, row in enumerate(calls):
        other = calls[(number * 7 + 3) % len(calls)]
        garbled += _garbled(row, other, how) if number in hit else [row]
    return garbled


def _garbled(row: RequestRow | ProbeRow, other: RequestRow | ProbeRow, how: str) -> Calls:
    if how == "user":
        return [msgspec.structs.replace(row, user=other.user)]
    if how == "time":
        return [msgspec.structs.replace(row, due_ns=row.due_ns + 5 * NS)]
    if isinstance(row, ProbeRow):
        strange = other.probe_id if how == "swap" and isinstance(other, ProbeRow) else 10**6 + row.probe_id
        changed: RequestRow | ProbeRow = msgspec.structs.replace(row, probe_id=strange)
    else:
        swapped = other.operation_id if how == "swap" and isinstance(other, RequestRow) else f"x{row.operation_id}"
        changed = msgspec.structs.replace(row, operation_id=swapped)
    return [row, changed] if how == "doubled" else [changed]


HARMS: dict[str, Harm] = {
    "dropped": dropped,
    "late": come_late,
    "doubled": doubled,
    "relabelled": relabelled,
    "garbled": garbled,
}


@pytest.mark.parametrize("week", SMALL)
@pytest.mark.parametrize("harm", HARMS)
@given(data=st.data())
@LOOK
def test_harmed_evidence_makes_no_pass_and_no_advance(week: int, harm: str, data: st.DataObject) -> None:
    calls = drawn(data, week)
    whole, left = judged(week, calls), judged(week, HARMS[harm](data, calls))
    for name, result in left.items():
        if result.verdict is Verdict.PASS:
            assert whole[name].verdict is Verdict.PASS, f"{name}: {whole[name].reason} -> {result.reason}"
    if combine(tuple(left.values())) is Decision.ADVANCE:
        assert combine(tuple(whole.values())) is Decision.ADVANCE


@pytest.mark.parametrize("week", SMALL)
@given(data=st.data())
@LOOK
def test_healthy_evidence_that_is_harmed_never_fails(week: int, data: st.DataObject) -> None:
    of = SMALL[week]
    harm = HARMS[data.draw(st.sampled_from(sorted(HARMS)))]
    for result in judged(week, harm(data, [*requests(of), *probes(of)])).values():
        assert result.verdict is not Verdict.FAIL, f"{result.id}: {result.reason}"


@pytest.mark.parametrize("week", SMALL)
@given(data=st.data())
@LOOK
def test_what_fails_with_calls_lost_fails_with_all_of_them(week: int, data: st.DataObject) -> None:
    calls = drawn(data, week)
    whole, left = judged(week, calls), judged(week, dropped(data, calls))
    for name, result in left.items():
        if name.startswith("success") and result.verdict is Verdict.FAIL:
            assert whole[name].verdict is Verdict.FAIL, f"{name}: {whole[name].reason} -> {result.reason}"


@pytest.mark.parametrize("week", SMALL)
@given(data=st.data(), extra=st.booleans())
@LOOK
def test_one_more_failure_never_improves_a_verdict(week: int, data: st.DataObject, extra: bool) -> None:
    """A call that failed where it had been good, or one more that failed (a walk sent once more)."""
    calls = dropped(data, drawn(data, week)) if data.draw(st.booleans()) else drawn(data, week)
    if extra or not calls:
        at_s = data.draw(st.floats(0, SMALL[week].window_s - 1))
        latency_ms = data.draw(st.sampled_from([1.0, 700.0, 9_999.0]))
        again = request(at_s, "u0000", latency_ms=latency_ms, outcome=Outcome.SERVER_ERROR, status=503)
        worse = [*calls, msgspec.structs.replace(again, operation_id="u0000-again")]
    else:
        number = data.draw(st.integers(0, len(calls) - 1))
        worse = [bad(row) if number == place else row for place, row in enumerate(calls)]
    before, after = judged(week, calls), judged(week, worse)
    for name, result in after.items():
        told = f"{name}: {before[name].reason} -> {result.reason}"
        assert _BETTER[result.verdict] <= _BETTER[before[name].verdict], told

"""A load that changes within the window: sent as planned, judged, shown by step, and what it finds rolled back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.errors import Exit
from harness.evidence.store import EVIDENCE
from harness.load.population.schedule import due_list
from harness.model.evidence import RequestRow, Side
from harness.model.judgement import Decision, Verdict
from harness.model.scenario import Scenario
from harness.rules.criteria import judge
from harness.rules.ledger import Ledger
from harness.run.scenarios.load import parse
from harness.stack.sim.world import PlantedFaults
from tests.sim.week import Week, week

pytestmark = pytest.mark.sim
TEXT = """\
title: "Twice as much from 40 s on"
population:
  pace: 50s
  fetch_interval: 5s
  steps: [{at: 40s, pace: 25s}]
  audiences: [{name: general, users: 100, flag_on: 100}]
window: 120s
probes: {rate: 1/s, canary_users: 8}
success: [error_ratio < 5%, latency_p95 < 800ms, request_rate >= 3.3/s, "latency_p95[step=40s] < 800ms"]
rollback: [latency_p95 > 600ms, "latency_p95[step=0s] > 600ms"]
"""
BEFORE, AFTER = "rollback.latency_p95.step_0s", "success.latency_p95.step_40s"
#: Three requests a second and no more: the first step's two, and not the second's four.
SLOW = PlantedFaults(one_by_one_ms=1000 / 3)


def scenario(text: str = TEXT) -> Scenario:
    return parse(text, "steps.yaml", "steps")


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """A run against a target with which nothing is wrong; nobody changes it."""
    return week(tmp_path_factory.mktemp("healthy"), scenario())


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """A run against a target for which the second step is too much, with a third planned behind it; nobody changes it."""
    plan = scenario(TEXT.replace("{at: 40s, pace: 25s}", "{at: 40s, pace: 25s}, {at: 110s, pace: 50s}"))
    return week(tmp_path_factory.mktemp("rolled_back"), plan, planted=SLOW)


def steps_of(seen: Week) -> dict[str, int]:
    """How many requests each step had that was reached."""
    return {each.case: each.of for each in seen.run.measured if each.name == "step.requests_qps"}


def reproduced(seen: Week) -> None:
    """The query beside each criterion gives its value."""
    with closing(sqlite3.connect(seen.folder / EVIDENCE)) as database:
        for each in seen.criteria:
            assert database.execute(each.reproduce).fetchone()[0] == pytest.approx(each.value, rel=1e-9), each.id


def test_twice_the_load_is_sent_as_planned_and_a_healthy_target_advances(healthy: Week) -> None:
    plan, seen = scenario(), healthy
    assert seen.ended == (Decision.ADVANCE, Exit.OK), seen.why
    window = seen.window
    due = due_list(plan, 1, window.start_ns, window.end_ns).requests
    sent = [row for row in seen.rows if isinstance(row, RequestRow) and window.start_ns <= row.due_ns < window.end_ns]
    assert sorted((row.due_ns, row.operation_id, row.operation) for row in sent) == [
        (each.due_ns, each.id, each.operation) for each in due
    ]
    assert {row.side for row in sent} == {Side.API}
    before = sum(each.due_ns < window.start_ns + 40 * NS for each in due)
    assert (before, len(due) - before) == (80, 320)
    assert steps_of(seen) == {"0s": 80, "40s": 320}
    assert [seen.told[each].samples for each in (BEFORE, AFTER)] == [80, 320]
    rate = seen.told["success.request_rate"]
    assert rate.verdict is Verdict.PASS
    assert rate.value == pytest.approx(400 / 120, abs=0.02)
    reproduced(seen)


def test_a_row_that_was_due_by_a_step_and_is_missing_is_known(healthy: Week) -> None:
    """20 of 400 that were due are not in evidence: counted as failed they are just the 5 % that may not be reached."""
    seen = healthy
    late = [row for row in seen.rows if isinstance(row, RequestRow) and row.due_ns >= seen.window.start_ns + 50 * NS]
    lost = {row.operation_id for row in late[:20]}
    ledger = Ledger()
    ledger.extend(row for row in seen.rows if not (isinstance(row, RequestRow) and row.operation_id in lost))
    due = due_list(seen.plan, 1, seen.window.start_ns, seen.window.end_ns)
    found = judge(seen.plan, ledger, seen.window, seen.window.end_ns + 60 * NS, due=due)
    errors = next(each for each in found if each.id == "success.error_ratio")
    assert errors.verdict is Verdict.INCONCLUSIVE
    assert "20 of the 400 planned are not in evidence" in errors.reason


def test_a_step_that_fails_within_a_window_that_passes(healthy: Week) -> None:
    """16 of the first step's 80 answers made slow: 4 % of the window's 400, of which the p95 knows nothing; the step's does."""
    plan = scenario(TEXT.replace("step=40s] < 800ms", "step=0s] < 800ms"))
    seen = healthy
    first = seen.window.start_ns + 40 * NS
    slow = [row for row in seen.rows if isinstance(row, RequestRow) and seen.window.start_ns <= row.due_ns < first][:16]
    ids = {row.operation_id for row in slow}
    rows = [
        msgspec.structs.replace(row, done_ns=row.due_ns + NS)
        if isinstance(row, RequestRow) and row.operation_id in ids
        else row
        for row in seen.rows
    ]
    ledger = Ledger()
    ledger.extend(rows)
    due = due_list(plan, 1, seen.window.start_ns, seen.window.end_ns)
    judged = judge(plan, ledger, seen.window, seen.window.end_ns + 60 * NS, due=due)
    found = {each.id: each for each in judged}
    assert found["success.latency_p95"].verdict is not Verdict.FAIL
    step = found["success.latency_p95.step_0s"]
    assert (step.verdict, step.value, step.samples) == (Verdict.FAIL, 1000.0, 80), step.reason
    assert str(step.asked[0]) == "latency p95 in the step from 0 s < 800 ms"


def test_a_second_step_that_is_too_much_for_a_target_rolls_it_back(rolled_back: Week) -> None:
    seen = rolled_back
    assert seen.ended == (Decision.ROLL_BACK, Exit.ROLLED_BACK), seen.why
    fired = seen.told["rollback.latency_p95"]
    assert fired.verdict is Verdict.FAIL
    assert fired.fired_at_ns is not None
    assert fired.fired_at_ns > seen.window.start_ns + 40 * NS
    assert (seen.told[BEFORE].verdict, seen.told[BEFORE].samples) == (Verdict.PASS, 80), seen.told[BEFORE].reason
    reproduced(seen)
    assert steps_of(seen)["0s"] == 80


def test_the_same_target_carries_the_first_step_alone(tmp_path: Path) -> None:
    plan = scenario(TEXT.replace('request_rate >= 3.3/s, "latency_p95[step=40s] < 800ms"', "error_ratio < 6%"))
    even = msgspec.structs.replace(plan, population=msgspec.structs.replace(plan.population, steps=()))
    seen = week(tmp_path, even, planted=SLOW)
    assert seen.ended == (Decision.ADVANCE, Exit.OK), seen.why


def test_a_step_that_a_roll_back_came_before_is_told_as_not_reached(rolled_back: Week) -> None:
    assert rolled_back.run.decision is Decision.ROLL_BACK, rolled_back.why
    assert [*steps_of(rolled_back)] == ["0s", "40s"]

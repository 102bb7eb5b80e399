"""A run of experiments judged from plan, details and evidence: what was made, what was not, what could not be."""

from __future__ import annotations

import msgspec

from chaos import catalogue
from harness.checks.walk_results import ACKNOWLEDGED
from harness.judge.combine import combine
from harness.judge.judged import event, result
from harness.judge.window import NS
from harness.model.evidence import Outcome, ProbeRow, Row
from harness.model.message import message
from harness.model.section import Table, Timeline
from harness.model.verdict import Decision, Verdict
from harness.rehearsal.conclude import judged
from harness.rehearsals.chaos.rehearsal import REHEARSAL
from harness.rehearsals.chaos.rolling import plan_of
from harness.rehearsals.chaos.steady import steady_criteria
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, Made, PlannedExperiment
from scenarios.load import load
from tests.rehearsal.made import by_id, seen

SCENARIO = load("rollout_week4")


def plan(*names: str) -> ChaosPlan:
    experiments = tuple(PlannedExperiment(experiment=catalogue.load(name)) for name in names)
    return ChaosPlan(experiments=experiments, scenario=SCENARIO, criteria=steady_criteria(SCENARIO))


def made(number: int = 1, **changed: object) -> Made:
    """From 10 s on, steady again 2 s after the undo at 20 s."""
    as_it_went = Made(
        number=number, begun_ns=5 * NS, start_ns=10 * NS, end_ns=30 * NS, answered_ns=30 * NS, steady_before=True,
        undone_ns=20 * NS, steady_ns=22 * NS, status="completed", journal="journals/01.json",
    )  # fmt: skip
    return msgspec.structs.replace(as_it_went, **changed)


def probes(failed: int) -> list[Row]:
    """A hundred between 10 and 20 s, the first ``failed`` of them bad."""
    return [
        ProbeRow(
            probe_id=number, user="canary01", method="GET", due_ns=10 * NS + number * NS // 10,
            sent_ns=10 * NS + number * NS // 10, done_ns=10 * NS + number * NS // 10 + 5,
            status=503 if number < failed else 200, outcome=Outcome.SERVER_ERROR if number < failed else Outcome.OK,
        )
        for number in range(100)
    ]  # fmt: skip


def test_an_experiment_that_was_made_is_judged_and_stands_in_the_table() -> None:
    kill = plan("pod_kill")
    good = by_id(judged(REHEARSAL, kill, seen(ChaosDetails(made=[made()]), probes(7))))["pod_kill"]
    assert (good.verdict, good.value, good.samples, good.part) == (Verdict.PASS, 7, 100, "1")
    bad = by_id(judged(REHEARSAL, kill, seen(ChaosDetails(made=[made()]), probes(50))))["pod_kill"]
    assert bad.verdict is Verdict.FAIL and combine([bad]) is Decision.HOLD
    of = seen(ChaosDetails(made=[made()]), probes(7))
    course, table = REHEARSAL.sections(kill, of)
    (cost,) = REHEARSAL.costs(kill, of)
    assert isinstance(course, Timeline) and isinstance(table, Table)
    assert str(cost.said).startswith("7 of 100 probes failed, as an outage of") and cost.part == ""
    assert [str(each.title) for each in course.charts] == ["Availability probes"]
    assert [str(cell) for cell in table.rows[0].cells[1:]] == ["7 of 100", "0.6 s", "2.0 s", "completed"]
    assert table.rows[0].link == "journals/01.json"


def test_one_that_could_not_be_made_or_was_not_come_to_is_inconclusive_and_holds() -> None:
    two = plan("pod_kill", "pod_hang")
    told = by_id(judged(REHEARSAL, two, seen(ChaosDetails(made=[made(broken="inject: no pod")]), probes(0))))
    assert told["pod_kill"].verdict is told["pod_hang"].verdict is Verdict.INCONCLUSIVE
    assert told["pod_kill"].reason == "the experiment could not be made: inject: no pod"
    assert told["pod_hang"].reason == "the run ended before it was made"
    assert combine([*told.values()]) is Decision.HOLD


def test_what_the_environment_lacks_is_not_exercised_and_gates_nothing() -> None:
    (zone,) = judged(REHEARSAL, plan("zone_loss"), seen(ChaosDetails(), capabilities=("real_processes",)))
    assert (zone.verdict, zone.gates) == (Verdict.NOT_EXERCISED, False)
    assert combine([zone]) is Decision.HOLD, "nothing was exercised"


def test_heavy_work_is_heavy_for_the_pod_only_where_its_limits_are_enforced() -> None:
    """Else the loop runs on a free core, and whatever nobody noticed says nothing."""
    done = ChaosDetails(made=[made()])
    heavy, claim = plan("pod_cpu"), "strategy.risk.heavy_work"
    (free,) = [
        each
        for each in judged(REHEARSAL, heavy, seen(done, probes(0), capabilities=("real_processes",)))
        if each.claim == claim
    ]
    assert free.verdict is Verdict.NOT_EXERCISED and "CPU" in free.reason
    limited = seen(done, probes(0), capabilities=("cpu_limits",))
    (held,) = [each for each in judged(REHEARSAL, heavy, limited) if each.claim == claim]
    assert held.verdict is Verdict.PASS


def test_checks_of_the_whole_run_count_and_the_counterexample_has_to_lose() -> None:
    lost = result(ACKNOWLEDGED, "migration.dual_write", Verdict.FAIL, 1, 9, (message("{count} lost", count="1"),))
    rows = [*probes(0), event(40 * NS, lost)]
    found = by_id(judged(REHEARSAL, plan("pod_kill"), seen(ChaosDetails(made=[made()]), rows)))
    assert found[ACKNOWLEDGED].verdict is Verdict.FAIL and combine([*found.values()]) is Decision.HOLD
    loses = by_id(judged(REHEARSAL, plan("database_failover_async"), seen(ChaosDetails(made=[made()]), rows)))
    assert loses[ACKNOWLEDGED].verdict is Verdict.PASS
    assert "the counterexample's loss was found" in loses[ACKNOWLEDGED].reason


def test_a_rolling_update_has_two_parts_and_the_first_is_measured_alone() -> None:
    rolling = plan_of(SCENARIO, times=1, least=50)
    details = ChaosDetails(made=[made(1), made(2)])
    found = {each.part: each for each in judged(REHEARSAL, rolling, seen(details, probes(3)))}
    assert found["as_written"].verdict is Verdict.ERRATUM_SHOWN
    assert found["as_written"].erratum == "deploy.downtime_without_prestop"
    assert found["graceful"].verdict is Verdict.FAIL
    assert [part.name for part in REHEARSAL.parts(rolling, seen(details))] == ["as_written", "graceful"]

"""A run of experiments judged from plan, details and evidence: what was made, what was not, what could not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.data import OVERLAYS
from harness.base.ticks import NS
from harness.checks.agreement import DUAL_WRITE
from harness.checks.walk_results import ACKNOWLEDGED
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow, Row
from harness.model.judgement import Decision, Verdict
from harness.model.message import english, message
from harness.model.scenario import AudiencePlan, Metric, PopulationPlan
from harness.model.section import Timeline
from harness.model.stack import EnvironmentKind, FaultKind
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.chaos.rehearsal import REHEARSAL
from harness.rehearsals.chaos.rolling import plan_of
from harness.rehearsals.chaos.steady import steady_criteria
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, MadeExperiment, PlannedExperiment
from harness.rules.judged import combine, event, result
from harness.run.options import Options
from harness.run.result import judged
from harness.run.scenarios.load import load
from harness.stack import manifests
from harness.stack.target.targets import bundled
from tests.deploys.made import pod
from tests.rehearsal.made import by_id, seen
from tests.rules.test_chaos import request
from tests.rules.test_kill_series import SERIES

SCENARIO = load("rollout_week4")
#: Ten users, one request a second in all.
SMALL = msgspec.structs.replace(
    SCENARIO, population=PopulationPlan(audiences=(AudiencePlan(name="all", users=10, flag_on=10),), pace_s=10.0)
)


def plan(*names: str) -> ChaosPlan:
    experiments = tuple(PlannedExperiment(experiment=catalogue.load(name)) for name in names)
    return ChaosPlan(experiments=experiments, scenario=SCENARIO, criteria=steady_criteria(SCENARIO))


@pytest.mark.parametrize("kind", [FaultKind.ERRORS, FaultKind.POD_KILL])
def test_faults_in_front_of_the_pods_have_the_proxy_arranged_for(kind: FaultKind, tmp_path: Path) -> None:
    rung, planned = EnvironmentKind.LOCAL, plan("pod_kill", "database_cut")
    own = msgspec.structs.replace(planned.experiments[1].experiment, faults=(kind,))
    both = (planned.experiments[0], PlannedExperiment(experiment=own))
    options = Options(rung=rung, target=bundled(), seed=1, reports=tmp_path, manifests=OVERLAYS / rung, replay="")
    needs = REHEARSAL.stack_spec(
        msgspec.structs.replace(planned, experiments=both), options, manifests.load(OVERLAYS / rung, rung)
    )
    assert needs.fault_proxy is (kind is FaultKind.ERRORS)


#: A load that began behind the experiment: nothing of it was due meanwhile.
LATER_NS = 99 * NS


def made(number: int = 1, **changed: object) -> MadeExperiment:
    """From 10 s on, steady again 2 s after the undo at 20 s."""
    as_it_went = MadeExperiment(
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
    good = by_id(judged(REHEARSAL, kill, seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), probes(7))))["pod_kill"]
    assert (good.verdict, good.value, good.samples, good.part) == (Verdict.PASS, 7, 100, "1")
    bad = by_id(judged(REHEARSAL, kill, seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), probes(50))))["pod_kill"]
    assert bad.verdict is Verdict.FAIL and combine([bad]) is Decision.HOLD
    of = seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), probes(7))
    (course,) = REHEARSAL.sections(kill, of)
    (cost,) = REHEARSAL.costs(kill, of)
    assert isinstance(course, Timeline)
    assert str(cost.said).startswith("7 of 100 probes failed, as an outage of") and cost.part == ""
    assert [str(each.title) for each in course.charts] == ["Availability probes"]
    facts = {each.name: each.seen for each in REHEARSAL.measured(kill, of)}
    assert (facts["calls.failed"], facts["recovered_s"]) == (7, 2.0)


def asked(operation: Operation, *due_s: float, outcome: Outcome = Outcome.OK) -> list[RequestRow]:
    """A request at each of these times, answered within 10 ms."""
    return [
        msgspec.structs.replace(
            request(0, round(each * NS), 10), operation_id=f"{operation}-{each}", operation=operation, outcome=outcome
        )
        for each in due_s
    ]


def timed(meanwhile_ms: int) -> list[RequestRow]:
    """Two operations, ten times each: within 10 ms before the fault, in so many ms while it lasts."""
    before = [each for name in (Operation.PUT_WALK, Operation.GET_WALK) for each in asked(name, *range(10))]
    meanwhile = [request(0, each.due_ns + 10 * NS, meanwhile_ms) for each in before]
    return [
        *before,
        *(
            msgspec.structs.replace(each, operation_id=f"{of.operation_id}-meanwhile", operation=of.operation)
            for of, each in zip(before, meanwhile, strict=True)
        ),
    ]


def told(plan_: ChaosPlan, made_: MadeExperiment, *rows: Row) -> dict[str, tuple[Verdict, str]]:
    """What is said of the experiments of a run that made one."""
    found = judged(REHEARSAL, plan_, seen(ChaosDetails(origin_ns=LATER_NS, made=[made_]), rows))
    return {each.id: (each.verdict, each.reason) for each in found}


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("pod_hang", ()),
        ("pod_kill_series", ("strategy.risk.redundancy",)),
        ("firestore_down", ("dual_write.reads", "dual_write.order")),
    ],
)
def test_an_experiment_stands_with_what_is_asked_and_the_claims_that_it_is_the_verdict_on(
    name: str, claims: tuple[str, ...]
) -> None:
    (found,) = (
        each
        for each in judged(REHEARSAL, plan(name), seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), probes(0)))
        if each.part
    )
    assert (found.id, found.claims, english(found.asked)) == (name, claims, catalogue.load(name).title)


AGAIN = "from the undo to the steady state: 2 s"
FIVE = asked(Operation.PUT_WALK, 11, 12, 13, 14, 15, outcome=Outcome.TIMEOUT)
OUTRIGHT = "meanwhile every request of these operations failed: put_walk 5/5"


def test_an_operation_that_failed_as_long_as_the_fault_lasted_is_named_although_it_came_back_with_the_undo() -> None:
    back = asked(Operation.PUT_WALK, 20.5)
    counted = "5 of 106 requests and probes failed (4.7 %); at most 60 % are allowed"
    assert told(plan("pod_hang"), made(), *probes(0), *FIVE, *back)["pod_hang"] == (
        Verdict.PASS, f"{counted}; {OUTRIGHT}; {AGAIN}",
    )  # fmt: skip
    good = asked(Operation.PUT_WALK, 16)
    assert told(plan("pod_hang"), made(), *probes(0), *FIVE, *good)["pod_hang"] == (Verdict.PASS, f"{counted}; {AGAIN}")


def test_a_way_that_was_the_only_one_mends_no_experiment_that_failed() -> None:
    rows = [*probes(100), *FIVE]
    verdict, why = told(plan("database_cut"), made(steady_ns=None), *rows)["database_cut"]
    assert (verdict, why) == (Verdict.FAIL, "from the undo to the steady state: never; at most 60 s is wanted")


def test_what_must_not_harm_was_not_seen_without_a_read_and_a_write() -> None:
    """Where no latency is promised either."""
    unharmed = msgspec.structs.replace(plan("firestore_down"), criteria=())
    reads, writes = asked(Operation.GET_WALK, 12, 14), asked(Operation.CREATE_WALK, 13)
    for rows, verdict, counted in (
        (reads, Verdict.INCONCLUSIVE, "writes that were answered well while it lasted: 0; more than 0 is wanted"),
        (writes, Verdict.INCONCLUSIVE, "reads that were answered well while it lasted: 0; more than 0 is wanted"),
        ([*reads, *writes], Verdict.PASS, "reads that were answered well while it lasted: 2"),
    ):
        found, why = told(unharmed, made(), *probes(0), *rows, mirror(Verdict.PASS))["firestore_down"]
        assert found is verdict and counted in why
    failed = asked(Operation.PUT_WALK, 12, outcome=Outcome.REFUSED)
    assert told(unharmed, made(), *probes(0), *reads, *writes, *failed)["firestore_down"][0] is Verdict.FAIL


@pytest.mark.parametrize("slow", [6, 0])
def test_what_keeps_an_experiment_from_a_pass_is_named_with_its_bound_and_its_limit(slow: int) -> None:
    """Of 100 requests 6 slow ones are too near 5 % to tell; 40 requests are too few."""
    limit_ms = 400
    p95 = msgspec.structs.replace(
        next(each for each in load("rollout_week2").criteria if each.metric is Metric.LATENCY_P95), threshold=limit_ms
    )
    unharmed = msgspec.structs.replace(plan("firestore_down"), criteria=(p95,))
    operations = (Operation.GET_WALK, Operation.PUT_WALK)
    rows = [asked(operations[number % 2], 11 + number / 20)[0] for number in range(100 if slow else 40)]
    rows = [
        msgspec.structs.replace(row, done_ns=row.due_ns + (700 if n < slow else 10) * NS // 1000)
        for n, row in enumerate(rows)
        if isinstance(row, RequestRow)
    ]
    left = seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), [*probes(0), *rows, mirror(Verdict.PASS)])
    found = by_id(judged(REHEARSAL, unharmed, left))["firestore_down"]
    assert found.verdict is Verdict.INCONCLUSIVE
    places = {name: str(value) for each in found.told for name, value in each.values.items()}
    assert str(limit_ms) in places["limit"] and {"low", "high"} <= {*places}


def mirror(verdict: Verdict, walks: int = 9) -> Row:
    """What was found of the documents as the load had ended."""
    return event(40 * NS, result(DUAL_WRITE, "dual_write.diagram", verdict, 0, walks, (message("as found"),)))


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([mirror(Verdict.PASS)], Verdict.PASS),
        ([mirror(Verdict.NOT_EXERCISED, 0)], Verdict.NOT_EXERCISED),  # it never writes Firestore
        ([mirror(Verdict.FAIL)], Verdict.INCONCLUSIVE),  # it writes one walk in a hundred
        ([mirror(Verdict.INCONCLUSIVE, 0)], Verdict.INCONCLUSIVE),
        ([], Verdict.INCONCLUSIVE),
    ],
)
def test_when_a_mirror_writes_is_shown_by_one_that_writes(rows: list[Row], verdict: Verdict) -> None:
    unharmed = msgspec.structs.replace(plan("firestore_down"), criteria=())
    answered = [*asked(Operation.GET_WALK, 12), *asked(Operation.CREATE_WALK, 13)]
    left = seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), [*probes(0), *answered, *rows])
    found = judged(REHEARSAL, unharmed, left)
    (order,) = [each for each in found if "dual_write.order" in each.claims]
    assert (order.verdict, by_id(found)[DUAL_WRITE].holds) == (verdict, verdict is not Verdict.PASS)


def test_a_series_of_kills_is_held_against_what_was_computed_of_it() -> None:
    series = plan("pod_kill_series")

    def of(failed: int, **changed: Any) -> tuple[Verdict, str]:
        went: dict[str, Any] = {"series": SERIES, "repeated": 15, "tried": (0.0, 0.0)} | changed
        return told(series, made(**went), *probes(failed))["pod_kill_series"]

    verdict, why = of(4)
    assert verdict is Verdict.PASS and "; 4 failed of 6.3 failures at" in why
    assert of(0)[0] is Verdict.FAIL
    verdict, why = of(4, repeated=14)
    assert verdict is Verdict.INCONCLUSIVE and "14 kills were made; 15 is wanted" in why
    untried = "there was no steady state to try the detection from"
    assert of(4, tried=()) == (Verdict.INCONCLUSIVE, untried)
    broke = of(4, series=None, repeated=0, broken="repeat: no pod")
    assert broke == (Verdict.INCONCLUSIVE, "the experiment could not be made: repeat: no pod")


def test_a_failover_names_the_server_that_it_was_seen_on() -> None:
    of = told(plan("database_failover"), made(server="PostgreSQL 15.9"), *probes(0))["database_failover"]
    assert of == (Verdict.INCONCLUSIVE, "the failover did not finish; on PostgreSQL 15.9")


def test_one_that_could_not_be_made_or_was_not_come_to_is_inconclusive_and_holds() -> None:
    two = plan("pod_kill", "pod_hang")
    told = by_id(
        judged(REHEARSAL, two, seen(ChaosDetails(origin_ns=LATER_NS, made=[made(broken="inject: no pod")]), probes(0)))
    )
    assert told["pod_kill"].verdict is told["pod_hang"].verdict is Verdict.INCONCLUSIVE
    assert told["pod_kill"].reason == "the experiment could not be made: inject: no pod"
    assert combine([*told.values()]) is Decision.HOLD


def test_what_the_environment_lacks_is_not_exercised_and_gates_nothing() -> None:
    (zone,) = judged(REHEARSAL, plan("zone_loss"), seen(ChaosDetails(), capabilities=("real_processes",)))
    assert (zone.verdict, zone.gates) == (Verdict.NOT_EXERCISED, False)
    assert combine([zone]) is Decision.HOLD, "nothing was exercised"


def test_heavy_work_harms_the_whole_where_every_operation_is_slower_and_only_limits_make_it_heavy() -> None:
    """Else the loop runs on a free core, and whatever nobody noticed says nothing."""
    done = ChaosDetails(origin_ns=LATER_NS, made=[made()])
    heavy, claim = plan("pod_cpu"), "strategy.risk.heavy_work"
    (free,) = [
        each
        for each in judged(REHEARSAL, heavy, seen(done, probes(0), capabilities=("real_processes",)))
        if each.claim == claim
    ]
    assert free.verdict is Verdict.NOT_EXERCISED and "CPU" in free.reason
    for meanwhile_ms, verdict in ((900, Verdict.PASS), (10, Verdict.FAIL)):
        rows = [*probes(0), *timed(meanwhile_ms)]
        limited = seen(done, rows, capabilities=("cpu_limits",))
        (found,) = [each for each in judged(REHEARSAL, heavy, limited) if each.claim == claim]
        assert (found.verdict, found.gates) == (verdict, False)


def test_checks_of_the_whole_run_count_and_the_counterexample_has_to_lose() -> None:
    lost = result(ACKNOWLEDGED, "migration.dual_write", Verdict.FAIL, 1, 9, (message("{count} lost", count="1"),))
    rows = [*probes(0), event(40 * NS, lost)]
    found = by_id(judged(REHEARSAL, plan("pod_kill"), seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), rows)))
    assert found[ACKNOWLEDGED].verdict is Verdict.FAIL and combine([*found.values()]) is Decision.HOLD
    loses = by_id(
        judged(REHEARSAL, plan("database_failover_async"), seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), rows))
    )
    assert loses[ACKNOWLEDGED].verdict is Verdict.PASS
    assert "the counterexample's loss was found" in loses[ACKNOWLEDGED].reason


def test_every_check_has_a_word_whatever_a_run_left() -> None:
    kill = msgspec.structs.replace(plan("pod_kill"), scenario=SMALL)
    begun: dict[str, Any] = {"origin_ns": 5 * NS}
    for details in (
        ChaosDetails(),
        ChaosDetails(**begun),
        ChaosDetails(origin_ns=LATER_NS, made=[made()]),
        ChaosDetails(**begun, made=[made()]),
    ):
        found = by_id(judged(REHEARSAL, kill, seen(details, probes(0))))
        assert (found[ACKNOWLEDGED].verdict, found[ACKNOWLEDGED].gates) == (Verdict.INCONCLUSIVE, True)


def test_a_series_that_left_no_word_of_its_kills_is_held_against_nothing_and_passes_nothing() -> None:
    found = told(plan("pod_kill_series"), made(tried=(0.3, 0.4), series=None, repeated=0), *probes(0))[
        "pod_kill_series"
    ]
    assert found == (Verdict.INCONCLUSIVE, "the run left no word of the series of kills that was to be made")


def test_what_the_counterexample_s_loss_leaves_in_other_stores_counts_for_nothing() -> None:
    differ = result(DUAL_WRITE, "migration.dual_write", Verdict.FAIL, 1, 9, (message("{count} differ", count="1"),))
    rows = [*probes(0), event(40 * NS, differ)]
    for name, verdict in (("database_failover_async", Verdict.NOT_EXERCISED), ("database_failover", Verdict.FAIL)):
        found = by_id(judged(REHEARSAL, plan(name), seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), rows)))
        assert found[DUAL_WRITE].verdict is verdict


def test_an_update_that_could_not_be_made_shows_no_erratum() -> None:
    rolling = plan_of(SCENARIO, times=1, least=50)
    details = ChaosDetails(origin_ns=LATER_NS, made=[made(broken="rollout: no pod")])
    (found,) = (
        each for each in judged(REHEARSAL, rolling, seen(details, probes(3))) if each.part == "as_written"
    )  # fmt: skip
    assert (found.verdict, found.erratum) == (Verdict.INCONCLUSIVE, "")
    assert found.reason == "the experiment could not be made: rollout: no pod"


def test_a_rolling_update_has_two_parts_and_the_first_is_measured_alone() -> None:
    rolling = plan_of(SCENARIO, times=1, least=50)
    details = ChaosDetails(origin_ns=LATER_NS, made=[made(1), made(2)])
    unmoved = {each.part: each for each in judged(REHEARSAL, rolling, seen(details, probes(3)))}
    assert (unmoved["as_written"].verdict, unmoved["as_written"].erratum) == (Verdict.INCONCLUSIVE, "")
    assert unmoved["as_written"].reason.startswith(
        "nothing is shown: failures that no leaving pod explains: 3; 0 is wanted"
    )
    left = [pod(9, "a", "Ready"), pod(10.1, "a", "Terminating"), pod(12, "a", "Gone")]
    found = {each.part: each for each in judged(REHEARSAL, rolling, seen(details, [*probes(3), *left]))}
    assert found["as_written"].verdict is Verdict.ERRATUM_SHOWN
    assert found["as_written"].erratum == "deploy.downtime_without_prestop"
    assert found["graceful"].verdict is Verdict.FAIL
    assert [part.name for part in REHEARSAL.parts(rolling, seen(details))] == ["as_written", "graceful"]

"""Properties of every judge of calls whose plan is known: what is decided with rows lost is decided so with all of them.

So healthy evidence with rows dropped never fails, and bad evidence never passes for what was dropped. (Weeks have
``test_evidence_lost.py`` besides, the steps' spools ``tests/test_ways_to_lose_steps.py``.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.base import planfile
from harness.base.ticks import NS
from harness.checks.invariants import off_result
from harness.checks.off_in_time import FLAG, off_in_time
from harness.checks.stepwise import served_of
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import Due, DueList, EventRow, Operation, Outcome, RequestRow, Side, Window
from harness.model.judgement import Expected as Asked
from harness.model.judgement import Judgement, Verdict
from harness.model.scenario import Arrivals, Step
from harness.rehearsals.chaos import facts as chaos
from harness.rehearsals.chaos import facts as reach
from harness.rehearsals.chaos.facts import seen, steps
from harness.rehearsals.chaos.kill_series import ExpectedFailures
from harness.rehearsals.chaos.types import Expectation, Failover, MadeExperiment, Repeated
from harness.rehearsals.dr_restore.on_stack import RecoveryDetails
from harness.rehearsals.dr_restore.procedure import Calls
from harness.rehearsals.load_stages.facts import result_of
from harness.rehearsals.load_stages.types import MadeStep
from harness.rehearsals.network.facts import users
from harness.rehearsals.network.rehearsal import REHEARSAL as NETWORK
from harness.rehearsals.network.types import NetworkPlan
from harness.rehearsals.scaling.types import ScalingPart, ScalingPartKind, ZoneLost, step_of
from harness.rules.bounds import ratio_lower
from harness.rules.criteria import judge
from harness.rules.engine import judged as by_rules
from harness.rules.ledger import Ledger, missing_samples, of_plan
from tests.chaos.planted import FACT, WELL, spreading
from tests.chaos.planted import by_rules as chaos_by_rules
from tests.chaos.planted import judged as chaos_judged
from tests.recovery.made import PLAN as RECOVERY
from tests.recovery.made import judged as recovered
from tests.recovery.made import stack
from tests.rules.evidence import criterion, due_of, requests, scenario, window
from tests.rules.test_chaos import P95
from tests.scaling.test_zones import course, of_loss
from tests.secret_rotation.test_facts import COURSE, in_turn
from tests.session.examples import examples
from tests.stages.made import PLAN as STAGES
from tests.stages.made import RULES as STAGE_RULES

Rows = Sequence[RequestRow]
LOOK = settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
DECIDED = (Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN)
EVEN = Step(name="users_500", arrivals=Arrivals.EVEN, rate_per_s=10, users=500, seconds=60)
POISSON = Step(name="capacity", arrivals=Arrivals.POISSON, rate_per_s=20, users=1000, seconds=30)
ZONE = ScalingPart(name="z", kind=ScalingPartKind.ZONE, title="", claims=(), up_within_s=450, rate_per_s=1, load_s=400)
FAULT = MadeExperiment(number=1, begun_ns=0, start_ns=10 * NS, undone_ns=20 * NS, steady_before=True, steady_ns=25 * NS,
             answered_ns=60 * NS, end_ns=60 * NS)  # fmt: skip
WRITTEN = {"begun": 9.7, "killed": 10.0, "detected": 13.0, "promoted": 13.4, "led": 13.5}
FLAGS = [
    EventRow(at_ns=at_s * NS, kind="flag", subject=FLAG, message="", data={"on": on}) for at_s, on in ((0, 20), (50, 0))
]


def row(due_ns: int, number: int, *, side: Side = Side.API) -> RequestRow:
    return RequestRow(
        operation_id=f"o{number:05d}", user=f"u{number % 20}", audience="", side=side, operation=Operation.PUT_WALK,
        due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + NS // 50, status=200, outcome=Outcome.OK, acknowledged=True,
        payload_digest="", flag=True,
    )  # fmt: skip


def failed(good: RequestRow) -> RequestRow:
    return msgspec.structs.replace(good, outcome=Outcome.TIMEOUT, status=0, acknowledged=False)


def slow(good: RequestRow) -> RequestRow:
    return msgspec.structs.replace(good, done_ns=good.due_ns + NS)


def late(good: RequestRow) -> RequestRow:
    """On the API, wherever it was to be."""
    return msgspec.structs.replace(good, side=Side.API)


def every(seconds: float, rate_per_s: float, *, side: Side = Side.API) -> list[RequestRow]:
    return [row(round(number * NS / rate_per_s), number, side=side) for number in range(round(seconds * rate_per_s))]


def ledger(rows: Rows) -> Ledger:
    found = Ledger()
    found.extend(rows)
    return found


def due(rows: Rows) -> tuple[Due, ...]:
    return tuple(Due(id=each.operation_id, user=each.user, due_ns=each.due_ns) for each in rows)


def missing_ns(planned: Rows, rows: Rows) -> list[int]:
    return missing_samples((each.due_ns for each in planned), (each.due_ns for each in rows))


class Case:
    """Good rows of a plan, what makes one bad, and the verdict on what is left of them."""

    def __init__(
        self,
        rows: Iterable[RequestRow],
        judged: Callable[[Rows, Rows], Judgement | Verdict],
        *,
        bad: Callable[[RequestRow], RequestRow] = failed,
        always: Iterable[int] = (),
    ) -> None:
        self.rows = [*rows]
        self._judged = judged
        self.bad = bad
        self.always = frozenset(always)  # bad in healthy evidence too: what the case is about

    def verdict(self, rows: Rows) -> Verdict:
        found = self._judged(rows, self.rows)
        return found if isinstance(found, Verdict) else found.verdict


def of_step(step: Step) -> Case:
    made = MadeStep(step=step, pods=2, start_ns=0)
    rows = [row(at_ns, number) for number, at_ns in enumerate(due_of_step(step, 1, 0) or ())]
    rows = [msgspec.structs.replace(row, user=row.operation_id, pod="ab"[n % 2]) for n, row in enumerate(rows)]
    return Case(rows, lambda left, _: result_of(made, ledger(left), STAGES, STAGE_RULES, 1).verdict, bad=failed)


def of_week(metric: str, limit: float, bad: Callable[[RequestRow], RequestRow]) -> Case:
    week = scenario(criterion("success", metric, "<", limit), users=20, pace_s=10.0, window_s=60.0)
    whole, planned = window(week), due_of(week)
    return Case(requests(week), lambda left, _: judge(week, ledger(left), whole, whole.end_ns, due=planned)[0], bad=bad)


def of_zone() -> Case:
    rows = [row(at_ns, number) for number, at_ns in enumerate(due_of_step(step_of(ZONE), 0, 0) or ())]
    did = ZoneLost(zone="zone-a", load_ns=0, lost_ns=0, end_ns=460 * NS, spread=True)
    return Case(rows, lambda left, _: of_loss(ZONE, did, course(), left)[0])


def of_experiment(*, unharmed: bool) -> Case:
    expects = Expectation(most_failed=0.1, recover_within_s=20, why="t", unharmed=unharmed)

    def judged(left: Rows, planned: Rows) -> Judgement:
        def within(window: Window) -> DueList:
            there = [each for each in due(planned) if window.start_ns <= each.due_ns < window.end_ns]
            return DueList(requests=tuple(there), probes=())

        return chaos_judged(ledger(left), FAULT, expects, [P95], within)

    return Case(reads_and_writes(), judged, bad=slow if unharmed else failed)


def reads_and_writes() -> list[RequestRow]:
    operations = (Operation.PUT_WALK, Operation.GET_WALK)
    return [msgspec.structs.replace(each, operation=operations[n % 2]) for n, each in enumerate(every(60, 10))]


def of_series() -> Case:
    """Between 25 and 100 failures were computed; fifty there are."""
    computed = ExpectedFailures(in_flight=40, undetected=60, undetected_least=60, undetected_most=60, none_ready=0)

    def judged(left: Rows, planned: Rows) -> Judgement:
        bad, gone = sum(each.outcome is not Outcome.OK for each in left), len(planned) - len(left)
        repeated = Expectation(most_failed=1, recover_within_s=9, why="t", repeated=Repeated(every_s=20, times=15))
        return chaos_by_rules([*WELL, *chaos.of_series(FACT, computed, bad, gone, made=15, times=15)], repeated)

    return Case(every(60, 10), judged, always=range(100, 150))


def of_cut() -> Case:
    """All that was sent meanwhile fails; what is "bad" here is good: there is another way."""
    rows = every(60, 10)
    cut = {n for n, each in enumerate(rows) if FAULT.start_ns <= each.due_ns < FAULT.end_ns}
    rows = [failed(each) if number in cut else each for number, each in enumerate(rows)]

    def judged(left: Rows, planned: Rows) -> Judgement:
        expects = Expectation(most_failed=1, recover_within_s=9, why="t", answers_none=True)
        return chaos_by_rules([*WELL, reach.of_cut(FACT, ledger(left), FAULT, missing_ns(planned, left))], expects)

    return Case(rows, judged, bad=lambda each: msgspec.structs.replace(each, outcome=Outcome.OK, status=200))


def spread(left: Rows, planned: Rows, made: MadeExperiment) -> Judgement:
    return spreading(reach.of_reach(FACT, ledger(left), made, [made], missing_ns(planned, left)), "c")


def of_spread() -> Case:
    rows = [
        msgspec.structs.replace(slow(each) if 10 <= each.due_ns / NS < 20 else each, operation=operation)
        for number, each in enumerate(every(60, 10))
        for operation in ((Operation.PUT_WALK, Operation.GET_WALK)[number % 2],)
    ]
    return Case(
        rows, lambda left, planned: spread(left, planned, FAULT),
        bad=lambda each: msgspec.structs.replace(each, done_ns=each.due_ns + NS // 100),
    )  # fmt: skip


def of_calm() -> Case:
    """The same of a longer fault; what is bad are the calm rows before it and after it, slower than with the fault."""
    made = msgspec.structs.replace(FAULT, undone_ns=40 * NS, steady_ns=50 * NS)
    rows = [
        msgspec.structs.replace(slow(each) if 10 <= each.due_ns / NS < 40 else each, operation=operation)
        for number, each in enumerate(every(60, 10))
        for operation in ((Operation.PUT_WALK, Operation.GET_WALK)[number % 2],)
    ]
    return Case(
        rows, lambda left, planned: spread(left, planned, made),
        bad=lambda each: each if 10 <= each.due_ns / NS < 40 else msgspec.structs.replace(each, done_ns=each.due_ns + 5 * NS),
    )  # fmt: skip


def of_failover() -> Case:
    """No write is good from the kill for 5 s."""
    rows = every(60, 10)
    down = [number for number, each in enumerate(rows) if 10 <= each.due_ns / NS < 15]
    at = steps(
        [
            EventRow(at_ns=round(s * NS), kind="failover", subject="", message="", data={"step": n})
            for n, s in WRITTEN.items()
        ],
        0,
    )

    def judged(left: Rows, planned: Rows) -> Judgement:
        found = seen(at, left, [], synchronous=True, missing_ns=missing_ns(planned, left))
        failover = Failover(synchronous=True, most_outage_s=10)
        expects = Expectation(most_failed=1, recover_within_s=9, why="t", failover=failover)
        return chaos_by_rules([*WELL, *chaos.of_failover(FACT, found, failover.most_outage_s)], expects)

    return Case(rows, judged, always=down)


def of_network() -> Case:
    plan = planfile.bundled("network", NetworkPlan)
    rows = every(50, 10)

    def judged(left: Rows, planned: Rows) -> Judgement:
        measured = users(ledger(left).requests, [each.due_ns for each in planned])
        (found,) = by_rules([Asked("", "users.service")], NETWORK.rules, [measured], plan, ())
        return found

    return Case(rows, judged)


def of_recovery(check: str) -> Case:
    rows = every(30, 10)

    def judged(left: Rows, planned: Rows) -> Judgement:
        good, gone = sum(each.outcome is Outcome.OK for each in left), len(planned) - len(left)
        after = Calls(
            probes=len(left), good=good, bound=ratio_lower(good, len(planned)) if left else None,
            requests=len(left), errors=len(left) - good, probes_missing=gone, requests_missing=gone,
        )  # fmt: skip
        found = recovered(RECOVERY, RecoveryDetails(stack=stack(after=after)))
        return next(each for each in found if each.id == check)

    return Case(rows, judged)


def of_flag() -> Case:
    """Everybody is on the API for 50 s, then on Firestore for 400 s; "bad" is who is still on the API."""
    before = [row(n * NS, n) for n in range(50)]
    after = [row((51 + n) * NS, 50 + n, side=Side.FIRESTORE) for n in range(400)]

    def judged(left: Rows, planned: Rows) -> Judgement:
        return off_result(off_in_time(FLAGS, left, limit_s=300, end_ns=460 * NS, due=due(planned)))

    return Case([*before, *after], judged, bad=late)


@cache
def cases() -> dict[str, Case]:
    return {
        "week ratio": of_week("error_ratio", 0.05, failed),
        "week latency": of_week("latency_p95", 500.0, slow),
        "step even": of_step(EVEN),
        "step poisson": of_step(POISSON),
        "network": of_network(),
        "stepwise": Case(every(60, 10, side=Side.FIRESTORE), lambda left, planned: served_of(left, due(planned))),
        "rotation": Case(every(100, 10), lambda left, _: in_turn(COURSE, ledger(left).requests)),
        "zone": of_zone(),
        "experiment": of_experiment(unharmed=False),
        "experiment unharmed": of_experiment(unharmed=True),
        "series": of_series(),
        "cut": of_cut(),
        "spread": of_spread(),
        "spread calm": of_calm(),
        "failover": of_failover(),
        "recovery probes": of_recovery("traffic.after"),
        "recovery users": of_recovery("traffic.users"),
        "flag": of_flag(),
    }


NAMES = sorted(cases())


def drawn(data: st.DataObject, case: Case) -> tuple[Rows, list[int]]:
    """All rows, some of them bad, in a burst or scattered; and the bad ones."""
    most = len(case.rows)
    start, length = data.draw(st.integers(0, most - 1)), data.draw(st.sampled_from([0, 1, 4, 7, 20, 60, 120, most]))
    bad = {*range(start, min(most, start + length)), *data.draw(st.sets(st.integers(0, most - 1), max_size=9))}
    bad = bad if data.draw(st.booleans()) else {n for n in bad if n < start}
    bad |= case.always
    return [case.bad(each) if number in bad else each for number, each in enumerate(case.rows)], sorted(bad)


def dropped(data: st.DataObject, rows: Rows, bad: Sequence[int]) -> Rows:
    """Without some of them: the bad ones, a few of any, a stretch, or most."""
    everyone = range(len(rows))
    only_bad: bool = data.draw(st.booleans())
    among: Sequence[int] = bad if bad and only_bad else everyone
    how = data.draw(st.sampled_from(["all", "some", "stretch"]))
    if how == "stretch":
        start, length = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(1, len(rows)))
        gone = set(everyone[start : start + length])
    else:
        gone = set(among) if how == "all" else data.draw(st.sets(st.sampled_from(among), min_size=1, max_size=20))
    return [each for number, each in enumerate(rows) if number not in gone]


@pytest.mark.parametrize("name", NAMES)
def test_whole_and_healthy_is_good_and_bad_enough_is_not(name: str) -> None:
    case = cases()[name]
    healthy = [case.bad(each) if number in case.always else each for number, each in enumerate(case.rows)]
    assert case.verdict(healthy) is Verdict.PASS
    assert case.verdict([case.bad(each) for each in case.rows]) is not Verdict.PASS


@pytest.mark.parametrize("name", NAMES)
def test_one_row_lost_of_healthy_evidence_fails_nothing(name: str) -> None:
    case = cases()[name]
    healthy = [case.bad(each) if number in case.always else each for number, each in enumerate(case.rows)]
    for gone in (0, len(healthy) // 3, len(healthy) // 2, len(healthy) - 1):
        left = [each for number, each in enumerate(healthy) if number != gone]
        assert case.verdict(left) is not Verdict.FAIL


@pytest.mark.parametrize("length", [2, 12, 45, 70, 95])
@pytest.mark.parametrize("name", NAMES)
def test_a_burst_of_bad_rows_that_is_lost_passes_nothing_and_one_of_good_rows_fails_nothing(
    name: str, length: int
) -> None:
    case = cases()[name]
    healthy = [case.bad(each) if number in case.always else each for number, each in enumerate(case.rows)]
    for start in (0, 100, 150, 200, 250):
        burst = range(start, start + length)
        left = [each for number, each in enumerate(healthy) if number not in burst]
        assert case.verdict(left) is not Verdict.FAIL
        bad = [case.bad(case.rows[number]) if number in burst else each for number, each in enumerate(healthy)]
        if case.verdict(bad) is not Verdict.PASS:
            assert case.verdict(left) is not Verdict.PASS


@pytest.mark.parametrize("length", [2, 5, 12, 45])
@pytest.mark.parametrize("name", NAMES)
def test_a_burst_of_bad_rows_that_is_left_with_few_others_decides_nothing_that_all_do_not(
    name: str, length: int
) -> None:
    case = cases()[name]
    for start in (0, 100, 150, 200):
        hit = {*range(start, start + length), *case.always}
        rows = [case.bad(each) if number in hit else each for number, each in enumerate(case.rows)]
        for kept in (length, 30, 100):
            left = case.verdict(rows[start : start + kept])
            assert left not in DECIDED or left is case.verdict(rows)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@LOOK
def test_what_is_decided_with_rows_lost_is_decided_so_with_all_of_them(name: str, data: st.DataObject) -> None:
    case = cases()[name]
    rows, bad = drawn(data, case)
    whole, left = case.verdict(rows), case.verdict(dropped(data, rows, bad))
    if left in DECIDED:
        assert whole is left


@pytest.mark.parametrize("name", ["step even", "step poisson", "network"])
def test_good_rows_that_no_plan_holds_stand_for_none_that_is_missing(name: str) -> None:
    """Failures left out, and good rows of another run, or of the same one once more, in their place."""
    case = cases()[name]
    rows = [failed(each) if number % 50 == 0 else each for number, each in enumerate(case.rows)]
    assert case.verdict(rows) is Verdict.FAIL
    kept = [each for each in rows if each.outcome is Outcome.OK]
    for apart_ns in (0, 1_000_000):
        strange = [
            msgspec.structs.replace(
                each, operation_id=f"{each.operation_id}-x", user=f"{each.user}x", due_ns=each.due_ns + apart_ns,
                sent_ns=each.sent_ns + apart_ns, done_ns=each.done_ns + apart_ns,
            )
            for each in kept
        ]  # fmt: skip
        assert case.verdict([*kept, *strange]) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("rate", "seconds"), [(10, 100), (0.2, 300), (3.3, 7), (7, 0.5), (0.1, 1)])
def test_a_step_s_plan_begins_where_it_begins_and_a_closed_loop_has_none(rate: float, seconds: float) -> None:
    step = Step(name="r", arrivals=Arrivals.EVEN, seconds=seconds, users=1, rate_per_s=rate)
    planned = due_of_step(step, 1, 5 * NS) or []
    assert planned[0] == 5 * NS and all(5 * NS <= at_ns < (5 + seconds) * NS for at_ns in planned)
    assert len(planned) == math.ceil(round(rate * seconds, 6))
    assert due_of_step(msgspec.structs.replace(step, arrivals=Arrivals.CLOSED, in_flight=3), 1, 0) is None


def test_what_lacks_is_counted_by_what_each_row_stands_for() -> None:
    assert missing_samples([1, 1, 2, 3], [1, 2, 2, 9]) == [1, 3]
    assert missing_samples([], [1]) == [] and missing_samples(["a"], []) == ["a"]
    rows = ledger([row(1, 1), row(1, 2), failed(row(1, 3)), failed(row(7, 4)), row(8, 5)]).requests
    for due, ids in (([1], [0, 2, 3]), ([1, 1], [0, 1, 2, 3])):
        assert (of_plan(rows, due)[0]["id"].tolist(), of_plan(rows, due)[1]) == (ids, 0)
    assert of_plan(rows, [1, 1, 1, 5])[1] == len(missing_samples([1, 1, 1, 5], rows["due_ns"].tolist()))

"""How far a fault reaches: what is answered while it lasts, and which operations are slower."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import pytest

from harness.base.ticks import NS
from harness.load.population.schedule import due_within
from harness.model.evidence import WRITES, Operation, Outcome, ProbeRow, RequestRow, Row, Side
from harness.model.judgement import Judgement, Kind, Verdict
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.chaos.facts import of_both, of_cut, of_reach
from harness.rehearsals.chaos.rehearsal import REHEARSAL
from harness.rehearsals.chaos.types import ChaosDetails, Expectation, MadeExperiment
from harness.rules.ledger import Ledger
from harness.run.result import judged
from tests.chaos.planted import FACT, WELL, by_rules, spreading
from tests.chaos.test_judge_run import SCENARIO, SMALL, made, mirror, plan, probes
from tests.rehearsal.made import by_id, seen

CLAIM = "strategy.versus.blast_radius"
MADE = MadeExperiment(
    number=1, begun_ns=90 * NS, start_ns=100 * NS, undone_ns=115 * NS, steady_ns=120 * NS, end_ns=125 * NS
)


def spread(
    claim: str, of: Ledger, one: MadeExperiment, every: Sequence[MadeExperiment], missing_ns: Sequence[int]
) -> Judgement:
    """Whether it spreads, by the facts and the rules."""
    return spreading(of_reach(FACT, of, one, every, missing_ns), claim)


def only_way(of: Ledger, missing_ns: Sequence[int] = ()) -> tuple[Verdict, str]:
    """Whether what ``MADE`` cuts is the only way, of an experiment in which all else is well."""
    expects = Expectation(most_failed=1.0, recover_within_s=20, why="t", answers_none=True)
    found = by_rules([*WELL, of_cut(FACT, of, MADE, missing_ns)], expects)
    return found.verdict, found.reason


def read_and_written(of: Ledger) -> tuple[Verdict, str]:
    """The same of what was not to be harmed."""
    expects = Expectation(most_failed=1.0, recover_within_s=20, why="t", unharmed=True)
    found = by_rules([*WELL, *of_both(FACT, of, MADE)], expects)
    return found.verdict, found.reason


def request(number: int, operation: Operation, due_s: float, latency_ms: float, *, ok: bool = True) -> RequestRow:
    due_ns = round(due_s * NS)
    return RequestRow(
        operation_id=f"o{number}", user="u", audience="general", side=Side.API, operation=operation, due_ns=due_ns,
        sent_ns=due_ns, done_ns=due_ns + round(latency_ms * 1e6), status=200 if ok else 503,
        outcome=Outcome.OK if ok else Outcome.SERVER_ERROR, acknowledged=False, payload_digest="", flag=True,
    )  # fmt: skip


def ledger(
    slowed: set[Operation], operations: tuple[Operation, ...] = tuple(Operation), slow_ms: float = 300
) -> Ledger:
    """One request of each operation a second from 60 s to 140 s; those ``slowed`` take longer from 100 s to 115 s."""
    of, number = Ledger(), 0
    for second in range(60, 140):
        for operation in operations:
            slow = operation in slowed and 100 <= second < 115
            of.add(request(number, operation, second, slow_ms if slow else 20 + number % 7))
            number += 1
    return of


def test_a_fault_that_every_operation_feels_is_said_to_spread_with_figures() -> None:
    found = spread(CLAIM, ledger(set(Operation)), MADE, [MADE], ())
    assert (found.verdict, found.claim, found.gates, found.kind) == (Verdict.PASS, CLAIM, False, Kind.CHECK)
    each = [f"{operation}: p50 300 ms, without the fault 23 ms" for operation in Operation]
    assert found.reason == "; ".join(["5 of 5 operations are slower while it lasts", *each])
    assert found.samples == 15 * 5


def test_a_fault_that_some_operations_do_not_feel_does_not_spread() -> None:
    found = spread(CLAIM, ledger({Operation.PUT_WALK, Operation.CREATE_WALK}), MADE, [MADE], ())
    assert found.verdict is Verdict.FAIL and "2 of 5 operations" in found.reason
    assert spread(CLAIM, ledger(set()), MADE, [MADE], ()).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("meanwhile_ms", "verdict"),
    [
        ((20, 21, 22, 24, 25), Verdict.FAIL),
        ((30, 31, 32, 34, 35), Verdict.PASS),
        ((20, 22, 24, 45, 60), Verdict.INCONCLUSIVE),
    ],
)
def test_an_operation_of_which_few_requests_cannot_tell_is_not_called_unharmed(
    meanwhile_ms: tuple[int, ...], verdict: Verdict
) -> None:
    """Five requests beside calm ones of 20 to 26 ms: as quick, slower, or neither shown. All others are slower."""
    others = tuple(each for each in Operation if each is not Operation.DELETE_WALK)
    of = ledger({*others}, others)
    times = [*enumerate(20 + number % 7 for number in range(14)), *zip(range(40, 45), meanwhile_ms, strict=True)]
    for number, latency_ms in times:
        of.add(request(7_000 + number, Operation.DELETE_WALK, 60 + number, latency_ms))
    found = spread(CLAIM, of, MADE, [MADE], ())
    assert found.verdict is verdict, found.reason
    assert ("at 95 % it is 4 to 5" in found.reason) is (verdict is Verdict.INCONCLUSIVE)


FEW = "of fewer than two operations there were 5 requests"


def test_what_the_generator_sent_late_was_not_slowed_by_the_fault() -> None:
    """A user's second request waits for the first: that is none that was sent late."""
    late = Ledger()
    operations = (Operation.GET_WALK, Operation.PUT_WALK)
    for number, at_s in itertools.product(range(2), (60 + number / 10 for number in range(800))):
        row = request(round(at_s * 100) + number, operations[number], at_s, 20)
        later_ns = round(0.2 * NS) if 100 * NS <= row.due_ns < 115 * NS else 0
        late.add(msgspec.structs.replace(row, sent_ns=row.sent_ns + later_ns, done_ns=row.done_ns + later_ns))
    found = spread(CLAIM, late, MADE, [MADE], ())
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith("150 requests were sent late by the load generator")


def test_with_one_operation_or_few_requests_nothing_is_told() -> None:
    def reach(*operations: Operation, lasted_s: int = 15) -> tuple[Verdict, str]:
        short = msgspec.structs.replace(MADE, undone_ns=(100 + lasted_s) * NS)
        found = spread(CLAIM, ledger({*operations}, operations), short, [short], ())
        return found.verdict, found.reason

    alone = f"{Operation.PUT_WALK}: p50 300 ms, without the fault 23 ms"
    assert reach(Operation.PUT_WALK) == (
        Verdict.INCONCLUSIVE, f"{FEW}; 1 of 1 operations are slower while it lasts; {alone}",
    )  # fmt: skip
    both, two = (Operation.PUT_WALK, Operation.GET_WALK), "2 of 2 operations are slower while it lasts"
    assert reach(*both)[0] is Verdict.PASS and reach(*both)[1].startswith(two)
    assert reach(*both, lasted_s=5)[0] is Verdict.PASS and reach(*both, lasted_s=5)[1].startswith(two)
    assert reach(*both, lasted_s=4) == (
        Verdict.INCONCLUSIVE, f"{FEW}; 0 of 0 operations are slower while it lasts",
    )  # fmt: skip


def test_what_failed_and_what_firestore_answered_has_no_latency_to_compare() -> None:
    """Broken off at once, and answered at once elsewhere: neither makes the operation quicker."""
    of = ledger(set(Operation))
    for number in range(200):
        quick = request(9_000 + number, Operation.PUT_WALK, 100 + number / 20, 1, ok=number % 2 == 0)
        of.add(msgspec.structs.replace(quick, side=Side.FIRESTORE) if number % 2 == 0 else quick)
    found = spread(CLAIM, of, MADE, [MADE], ())
    assert found.samples == 15 * 5 and found.reason.startswith("5 of 5 operations are slower")


def test_what_another_experiment_slowed_is_not_what_it_is_held_against() -> None:
    """A second fault makes all requests before it slow: they are left out of the time without one."""
    of = Ledger()
    for number, second in enumerate(range(60, 140)):
        slow = 60 <= second < 80 or 100 <= second < 115
        for place, operation in enumerate(Operation):
            of.add(request(number * 10 + place, operation, second, 300 if slow else 20))
    other = msgspec.structs.replace(MADE, number=2, start_ns=60 * NS, undone_ns=80 * NS, steady_ns=80 * NS)
    assert "without the fault 20 ms" in spread(CLAIM, of, MADE, [MADE, other], ()).reason


def test_calm_calls_that_are_lost_prove_nothing_and_what_neither_time_holds_is_not_missed() -> None:
    """Without the fault all were slower still: with those lost the fault would look as if it slowed every operation."""
    of, quick = Ledger(), Ledger()
    for number, second in enumerate(range(60, 125)):
        for place, operation in enumerate(Operation):
            calm = not 100 <= second < 120
            each = request(number * 10 + place, operation, second, 900 if calm and second >= 70 else 300 - calm)
            of.add(each)
            if not calm or second < 70:
                quick.add(each)
    assert spread(CLAIM, of, MADE, [MADE], ()).verdict is Verdict.FAIL
    lost = [second * NS for second in (*range(70, 100), *range(120, 125)) for _ in Operation]
    found = spread(CLAIM, quick, MADE, [MADE], lost)
    assert found.verdict is Verdict.INCONCLUSIVE and "175 of the 300 planned" in found.reason
    elsewhere = [117 * NS, 125 * NS]  # between undo and steady state; when nothing more was waited for
    assert spread(CLAIM, ledger(set(Operation)), MADE, [MADE], elsewhere).verdict is Verdict.PASS
    later = Ledger()
    for number, second in enumerate(range(125, 300)):
        later.add(request(5_000 + number, Operation.PUT_WALK, second, 20))
    assert spread(CLAIM, later, MADE, [MADE], ()).verdict is Verdict.INCONCLUSIVE


NO_WAY = "answered well while the way was cut: 0 of 14"


@pytest.mark.parametrize(
    ("good", "missing_s", "verdict", "words"),
    [
        (set(), (), Verdict.PASS, NO_WAY),
        (set(), (100, 115), Verdict.PASS, NO_WAY),  # before all was cut, and at the undo
        (
            set(), (101, 114), Verdict.INCONCLUSIVE,
            "2 of the 16 planned are not in evidence, and count as failed; by what is not in evidence it may be 0 to 2",
        ),
        ({105}, (), Verdict.FAIL, "answered well while the way was cut: 1 of 14; 0 is wanted"),
    ],
)  # fmt: skip
def test_one_good_answer_while_the_way_is_cut_shows_another_way(
    good: set[int], missing_s: tuple[int, ...], verdict: Verdict, words: str
) -> None:
    of = Ledger()
    for second in range(90, 130):
        ok = not 100 <= second < 115 or second in good
        of.add(request(second, Operation.GET_WALK, second, 20, ok=ok))
    found, told = only_way(of, [second * NS for second in missing_s])
    assert found is verdict and words in told


def test_what_was_sent_before_all_was_cut_or_answered_after_the_undo_shows_no_other_way() -> None:
    of = Ledger()
    of.add(request(1, Operation.GET_WALK, 100.5, 20))
    of.add(request(2, Operation.GET_WALK, 114.0, 1000))  # with the undo
    of.add(request(3, Operation.GET_WALK, 114.0, 2000))
    of.add(request(4, Operation.GET_WALK, 105.0, 20, ok=False))
    assert only_way(of)[0] is Verdict.PASS
    assert only_way(Ledger())[0] is Verdict.INCONCLUSIVE, "nothing was sent while it lasted"


def test_what_came_too_late_went_wrong_or_was_asked_of_firestore_was_not_answered_meanwhile() -> None:
    of = Ledger()

    def answered() -> tuple[Verdict, tuple[float | None, ...]]:
        return read_and_written(of)[0], tuple(each.seen for each in of_both(FACT, of, MADE))

    of.add(request(1, Operation.GET_WALK, 101, 20))
    assert answered() == (Verdict.INCONCLUSIVE, (1, 0))
    of.add(request(2, Operation.PUT_WALK, 114.9, 200))
    of.add(request(3, Operation.PUT_WALK, 114.9, 100))  # with the undo
    of.add(request(4, Operation.PUT_WALK, 102, 20, ok=False))
    of.add(msgspec.structs.replace(request(5, Operation.PUT_WALK, 102, 20), side=Side.FIRESTORE))
    assert answered() == (Verdict.INCONCLUSIVE, (1, 0))
    of.add(request(6, Operation.CREATE_WALK, 103, 20))
    assert answered() == (Verdict.PASS, (1, 1))
    of.add(request(7, Operation.GET_WALK, 104, 20))
    assert answered() == (Verdict.PASS, (2, 1))


def test_writes_alone_say_nothing_of_reads() -> None:
    of = Ledger()
    of.add(request(1, Operation.CREATE_WALK, 103, 20))
    assert read_and_written(of)[0] is Verdict.INCONCLUSIVE


READS = frozenset({Operation.LIST_WALKS, Operation.GET_WALK})


def as_planned(slow: frozenset[Operation], only: Operation | None) -> list[Row]:
    """All that is due until an experiment of ``made()`` was seen to be over; ``slow`` operations take longer than the limit, and with
    ``only`` every request was one of that."""
    due = due_within(SCENARIO, 1, 5 * NS, 10 * NS, 27 * NS)
    rows: list[Row] = []
    for each in due.requests:
        operation = only or each.operation or Operation.LIST_WALKS
        row = request(0, operation, each.due_ns / NS, 900 if operation in slow else 20)
        rows.append(msgspec.structs.replace(row, operation_id=each.id, user=each.user, due_ns=each.due_ns))
    for each in due.probes:
        rows.append(
            ProbeRow(
                probe_id=int(each.id.rpartition(" ")[2]), user=each.user, method="GET", due_ns=each.due_ns,
                sent_ns=each.due_ns, done_ns=each.due_ns + 1, status=200, outcome=Outcome.OK,
            )
        )  # fmt: skip
    return rows


@pytest.mark.parametrize(
    ("slow", "only", "verdict"),
    [
        (frozenset(), None, Verdict.PASS),
        (READS, None, Verdict.FAIL),
        (WRITES, None, Verdict.FAIL),
        (frozenset(), Operation.GET_WALK, Verdict.INCONCLUSIVE),
        (frozenset(), Operation.PUT_WALK, Verdict.INCONCLUSIVE),
    ],
)
def test_where_reads_and_writes_go_is_seen_with_firestore_away_alone(
    slow: frozenset[Operation], only: Operation | None, verdict: Verdict
) -> None:
    """A target that waits for Firestore is slower than the limit; without a read, or without a write, nothing is seen."""
    rows = [*as_planned(slow, only), mirror(Verdict.PASS)]
    left = seen(ChaosDetails(origin_ns=5 * NS, made=[made()]), rows)
    found = by_id(judged(REHEARSAL, plan("firestore_down"), left))["firestore_down"]
    assert (found.claims, found.verdict) == (("dual_write.reads", "dual_write.order"), verdict), found.reason


def test_a_firestore_that_stops_for_less_than_the_limit_shows_neither() -> None:
    """An answer that waits for the mirror comes within 500 ms then."""
    left = seen(ChaosDetails(origin_ns=5 * NS, made=[made()]), as_planned(frozenset(), None))
    assert by_id(judged(REHEARSAL, plan("firestore_slow"), left))["firestore_slow"].claims == ()


def test_how_far_a_fault_reaches_is_told_from_what_was_due_by_the_run_s_own_seed() -> None:
    slow = msgspec.structs.replace(plan("database_slow"), scenario=SMALL)
    details = ChaosDetails(origin_ns=5 * NS, made=[made()])
    rows = [
        msgspec.structs.replace(
            request(0, Operation.GET_WALK, each.due_ns / NS, 20), operation_id=each.id, user=each.user
        )
        for each in due_within(SMALL, 3, 5 * NS, 0, 30 * NS).requests
    ]
    for seed, whole in ((3, True), (4, False)):
        reach = by_id(judged(REHEARSAL, slow, seen(details, rows, seed=seed)))[CLAIM]
        assert ("not in evidence" not in reach.reason) is whole


def test_the_experiments_judge_the_claims_that_they_name() -> None:
    """Half of the probes fail while the way is cut: they are back, and yet there was another way."""
    cut = plan("database_cut")
    assert catalogue.load("database_cut").expects.claims == ("database.path",)
    found = by_id(judged(REHEARSAL, cut, seen(ChaosDetails(origin_ns=99 * NS, made=[made()]), probes(50))))[
        "database_cut"
    ]
    assert (found.claim, found.verdict) == ("database.path", Verdict.FAIL)
    assert "while the way was cut: 50 of 90" in found.reason
    found = by_id(judged(REHEARSAL, cut, seen(ChaosDetails(origin_ns=99 * NS, made=[made()]), probes(100))))[
        "database_cut"
    ]
    assert found.verdict is Verdict.PASS and "while the way was cut: 0 of 90" in found.reason
    slow = plan("database_slow")
    begun = seen(ChaosDetails(origin_ns=5 * NS, made=[made()]), probes(0))
    reach = by_id(judged(REHEARSAL, slow, begun))[CLAIM]
    due = due_within(slow.scenario, 1, 5 * NS, 0, 30 * NS).requests
    out = [each for each in due if not 20 * NS <= each.due_ns < 22 * NS]  # neither meanwhile nor calm
    assert f"{len(out)} of the {len(out)} planned are not in evidence" in reach.reason
    assert ("1", CLAIM) in {each[:2] for each in REHEARSAL.expected(slow, begun.facts)}
    assert (
        by_id(judged(REHEARSAL, slow, seen(ChaosDetails(origin_ns=99 * NS, made=[made()]), probes(0))))[CLAIM].gates
        is False
    )

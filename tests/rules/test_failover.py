"""A failover judged on evidence made by hand: its steps, what users saw, and the counterexample turned around."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from harness.base.ticks import NS
from harness.evidence.store import Gathered
from harness.model.evidence import EventRow, Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import raw_text
from harness.rehearsals.chaos.facts import failover_of, of_failover, seen, steps
from harness.rehearsals.chaos.rules import as_counterexample
from harness.rehearsals.chaos.types import Expectation, Failover, FailoverSeen, MadeExperiment
from harness.rules.rule import Fact
from tests.chaos.planted import FACT, WELL, by_rules

KILLED = 1_000 * NS
STEPS = {"begun": -0.3, "killed": 0.0, "detected": 3.0, "promoted": 3.4, "led": 3.5}
EXPECTS = Failover(synchronous=True, most_outage_s=10)
WENT = "synchronous commit: detected after 3.0 s, promoted in 0.40 s, pods switched in 0.10 s"


def events(**left_out: float) -> list[EventRow]:
    return [
        EventRow(at_ns=KILLED + round(at * NS), kind="failover", subject="postgres", message="m", data={"step": step})
        for step, at in STEPS.items()
        if step not in left_out
    ]


_NUMBERS = itertools.count()  # each row is another's


def write(sent_s: float, *, good: bool, side: Side = Side.API, took_s: float = 0.1) -> RequestRow:
    sent_ns = KILLED + round(sent_s * NS)
    return RequestRow(
        operation_id=f"u0001-{next(_NUMBERS):05}", user="u0001", audience="general", side=side, operation=Operation.PUT_WALK, due_ns=sent_ns,
        sent_ns=sent_ns, done_ns=sent_ns + round(took_s * NS), status=200 if good else 503,
        outcome=Outcome.OK if good else Outcome.SERVER_ERROR, acknowledged=good, payload_digest="d", flag=True,
    )  # fmt: skip


def probe(sent_s: float, *, good: bool, method: str = "PUT") -> ProbeRow:
    sent_ns = KILLED + round(sent_s * NS)
    return ProbeRow(
        probe_id=next(_NUMBERS), user="canary01", method=method, due_ns=sent_ns, sent_ns=sent_ns, done_ns=sent_ns + NS // 10,
        status=200 if good else 503, outcome=Outcome.OK if good else Outcome.SERVER_ERROR,
    )  # fmt: skip


def found(requests: list[RequestRow], probes: list[ProbeRow] = [], *missing_s: float) -> FailoverSeen | None:  # noqa: B006 - read only
    missing_ns = [KILLED + round(at_s * NS) for at_s in missing_s]
    return seen(steps(events(), KILLED - NS), requests, probes, synchronous=True, missing_ns=missing_ns)


def judged(expects: Failover, of: FailoverSeen | None, *others: Fact, server: str = "", erratum: str = "") -> Judgement:
    """By the facts and the rules, beside ``others`` in which all goes well."""
    every = Expectation(most_failed=1.0, recover_within_s=20, why="t", failover=expects, erratum=erratum)
    return by_rules([*WELL, *others, *of_failover(FACT, of, expects.most_outage_s, server=server)], every)


def test_the_server_stands_beside_the_verdict() -> None:
    told = found([write(0.5, good=False), write(4, good=True)])
    on = judged(EXPECTS, told, server="PostgreSQL 18.6 (a wheel)")
    assert on.verdict is Verdict.PASS and "; on PostgreSQL 18.6 (a wheel)" in on.reason
    assert "; on " not in judged(EXPECTS, told).reason


def test_each_step_and_the_outage_from_the_first_failed_to_the_first_good_write() -> None:
    told = found(
        [write(-0.05, good=True), write(0.5, good=False), write(2, good=False), write(4, good=True)],
        [probe(0.2, good=False), probe(3.8, good=True), probe(0.05, good=False, method="GET")],
    )
    assert told is not None
    assert [told.detect_s, told.promote_s, told.lead_s] == pytest.approx([3.0, 0.4, 0.1])
    assert told.outage_s == pytest.approx(3.7)  # sent at 0.2 s, good at 3.9 s; reads do not count
    assert told.failed_writes == 3


def test_what_the_dying_primary_still_acknowledged_is_no_end_of_the_outage() -> None:
    """The kill takes a moment: a write may fail by itself, and later ones still be good."""
    rows = [write(-0.25, good=False, took_s=0.01), write(-0.2, good=True), write(0.3, good=False), write(5, good=True)]
    told = found(rows)
    assert told is not None and told.outage_s == pytest.approx(4.8) and told.failed_writes == 1


def test_a_write_under_way_when_the_primary_dies_belongs_to_the_outage() -> None:
    told = found([write(-0.2, good=False, took_s=1), write(5, good=True)])
    assert told is not None and told.outage_s == pytest.approx(5.3)


def test_firestores_writes_and_those_before_the_kill_tell_nothing() -> None:
    told = found([write(-5, good=False), write(1, good=False, side=Side.FIRESTORE), write(4, good=True)])
    assert told is not None and told.outage_s is None and told.failed_writes == 0


def test_what_is_acknowledged_as_the_loss_is_noticed_is_the_dying_primary_s() -> None:
    """The last at 3.0 s, when it was detected: the outage is that of the writes from there on."""
    told = found([write(0.5, good=False), write(2.9, good=True), write(3.5, good=False), write(5, good=True)])
    assert told is not None and told.outage_s == pytest.approx(1.6) and told.failed_writes == 1


def test_what_is_acknowledged_before_the_standby_takes_writes_is_no_end_of_the_outage_either() -> None:
    """Detected at 3.0 s and promoted at 3.4: until then no database takes any, whatever an API says that has not asked."""
    for at_s, outage_s in ((3.15, 8.6), (3.3, 8.6), (3.301, 2.901)):
        told = found([write(0.5, good=False), write(at_s, good=True), write(5, good=False), write(9, good=True)])
        assert told is not None and told.outage_s == pytest.approx(outage_s)


@pytest.mark.parametrize(
    ("until_s", "verdict", "words"),
    [
        (4, Verdict.PASS, "beside good writes: 0 s"),
        (10, Verdict.PASS, "beside good writes: 9.6 s"),
        (11, Verdict.FAIL, "beside good writes: 10.6 s; at most 10 s is wanted"),
    ],
)
def test_writes_that_fail_beside_good_ones_are_of_the_outage(until_s: int, verdict: Verdict, words: str) -> None:
    """As of a pod whose pool holds on to the dead primary, while the other pod's writes are good."""
    rows = [write(at_s, good=False) for at_s in range(5, until_s + 1)]
    rows = [write(0.5, good=False), write(4, good=True), *rows, write(20, good=True)]
    for missing_s in ((), (6.0,), *([(15.0,)] if verdict is Verdict.FAIL else [])):
        one = judged(EXPECTS, found(rows, [], *missing_s))
        assert one.verdict is verdict and one.reason.endswith(words)


@pytest.mark.parametrize(
    ("lost_s", "verdict"),
    [((10.6,), Verdict.INCONCLUSIVE), ((7.0, 10.6, 20.0), Verdict.INCONCLUSIVE), ((10.4,), Verdict.PASS)],
)
def test_calls_behind_the_first_good_write_that_are_not_in_evidence_may_have_failed(
    lost_s: tuple[float, ...], verdict: Verdict
) -> None:
    """One write failed, sent at 0.5 s: a call that was due more than 10 s after it may be one that failed still."""
    one = judged(EXPECTS, found([write(0.5, good=False), write(4, good=True)], [], *lost_s))
    assert one.verdict is verdict and ("it may be 0 s to" in one.reason) is (verdict is Verdict.INCONCLUSIVE)


def test_a_write_that_fails_with_the_last_good_one_is_of_the_outage_and_one_sent_after_it_is_not() -> None:
    rows = [write(0.4, good=False), write(0.4, good=True), write(5, good=True), write(5.1, good=False)]
    told = found(rows)  # good again at 5.1 s
    assert told is not None and told.outage_s == pytest.approx(4.7) and told.failed_writes == 1


def test_what_had_failed_when_it_was_begun_with_and_what_nobody_acknowledged_tell_nothing() -> None:
    begun_s = STEPS["begun"]
    told = found([write(begun_s - 0.1, good=False), write(4, good=True)], [probe(begun_s - 0.1, good=False)])
    assert told is not None and told.outage_s is None and told.failed_writes == 0
    unsaid = msgspec.structs.replace(write(4, good=True), acknowledged=False)
    told = found([write(0.5, good=False), unsaid])
    assert told is not None and told.outage_s is None and told.failed_writes == 2


@pytest.mark.parametrize("step", STEPS)
def test_without_a_step_there_was_no_failover(step: str) -> None:
    at = steps(events(**{step: 0.0}), KILLED - NS)
    assert seen(at, [write(1, good=False), write(4, good=True)], [], synchronous=True) is None
    one = judged(EXPECTS, None)
    assert (one.verdict, one.reason) == (Verdict.INCONCLUSIVE, "the failover did not finish")


def test_an_earlier_failover_is_not_taken_for_this_one() -> None:
    assert steps(events(), KILLED + 10 * NS) == {}
    first, last = (KILLED + round(STEPS[step] * NS) for step in ("begun", "led"))
    assert set(steps(events(), first, last)) == {*STEPS}, "both ends are of the time"


def made(answered_s: float) -> MadeExperiment:
    return MadeExperiment(
        number=1, begun_ns=KILLED - NS, start_ns=KILLED, end_ns=KILLED, answered_ns=KILLED + round(answered_s * NS)
    )


@pytest.mark.parametrize("good", [write(4.9, good=True), probe(4.9, good=True)])
def test_a_failover_is_told_by_what_was_in_evidence_when_its_experiment_had_ended(good: RequestRow | ProbeRow) -> None:
    """The good write is answered at 5.0 s."""
    evidence, expects = Gathered(), Failover(synchronous=False, most_outage_s=10)
    evidence.see([*events(), write(0.5, good=False), good])
    told = failover_of(made(5.0), expects, evidence, (KILLED + NS,))
    assert told is not None and told.outage_s == pytest.approx(4.5) and not told.synchronous and told.missing == 1
    early = failover_of(made(4.9), expects, evidence, ())
    assert early is not None and early.outage_s is None
    assert failover_of(made(3.4), expects, evidence, ()) is None, "the pods were led to it at 3.5 s"
    waited = failover_of(made(5.0), EXPECTS, evidence, ())
    assert waited is not None and waited.synchronous


NO_OUTAGE = "no write failed, or none was good again: no outage to measure"


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([write(0.5, good=False), write(4, good=True)], Verdict.PASS, f"users' writes failed for 3.6 s (1 of them); {WENT}"),
        ([write(0.5, good=False), write(10.4, good=True)], Verdict.PASS, "users' writes failed for 10 s (1 of them)"),
        (
            [write(0.5, good=False), write(20, good=True)], Verdict.FAIL,
            f"users' writes failed for 19.6 s (1 of them); {WENT}; at most 10 s is wanted",
        ),
        ([write(0.5, good=False)], Verdict.INCONCLUSIVE, f"{WENT}; {NO_OUTAGE}"),
        ([write(4, good=True)], Verdict.INCONCLUSIVE, f"{WENT}; {NO_OUTAGE}"),
        ([], Verdict.INCONCLUSIVE, f"{WENT}; {NO_OUTAGE}"),
    ],
)  # fmt: skip
def test_it_is_judged_by_the_outage_of_writes(rows: list[RequestRow], verdict: Verdict, words: str) -> None:
    told = found(rows)
    assert told is not None
    one = judged(EXPECTS, told)
    assert one.verdict is verdict and words in one.reason
    unsafe = judged(EXPECTS, msgspec.structs.replace(told, synchronous=False))
    assert unsafe.verdict is verdict and words.replace("sync", "async") in unsafe.reason


@pytest.mark.parametrize(
    ("most_s", "missing_s", "verdict", "count"),
    [
        (4.2, (1, 2), Verdict.PASS, "2"),  # from the last good write to the first: however those went
        (4.1, (), Verdict.PASS, ""),
        (4.1, (-0.2, 4.2), Verdict.PASS, ""),  # due before the last good write and after the first
        (4.1, (-0.1, 1, 4.1), Verdict.INCONCLUSIVE, "3"),  # they may have failed
        (3.5, (1,), Verdict.INCONCLUSIVE, "1"),  # it may have been good
        (3.5, (4.2,), Verdict.FAIL, ""),
    ],
)
def test_calls_that_are_not_in_evidence_may_be_writes_that_failed_or_the_end_of_the_outage(
    most_s: float, missing_s: tuple[float, ...], verdict: Verdict, count: str
) -> None:
    """Good at -0.1 s and at 4.1 s, and a write failed that was sent at 0.5 s."""
    told = found([write(-0.2, good=True), write(0.5, good=False), write(4, good=True)], [], *missing_s)
    one = judged(msgspec.structs.replace(EXPECTS, most_outage_s=most_s), told)
    assert one.verdict is verdict
    lost = f"{count} calls that were due meanwhile are not in evidence"
    assert (lost in one.reason) is bool(count)


def test_a_long_outage_in_which_calls_are_lost_fails_nobody_however_late_the_last_good_write_was() -> None:
    """The write that failed was on its way when the last good one was answered."""
    rows = [write(-0.2, good=False, took_s=1), write(0.2, good=True), write(4, good=True)]
    told = found(rows, [], 1.0)
    assert told is not None and told.outage_s == pytest.approx(4.3)
    expects = msgspec.structs.replace(EXPECTS, most_outage_s=4.0)
    assert judged(expects, told).verdict is Verdict.INCONCLUSIVE
    assert judged(expects, found(rows)).verdict is Verdict.FAIL


def test_an_outage_that_lasts_too_long_is_no_erratum_shown_and_mends_no_verdict_that_has_fallen() -> None:
    some, erratum = FACT("calls.failed", 5, of=100, share="5.0"), "deploy.create_lost_at_close"
    for until_s, verdict in ((4, Verdict.ERRATUM_SHOWN), (20, Verdict.FAIL)):
        one = judged(EXPECTS, found([write(0.5, good=False), write(until_s, good=True)]), some, erratum=erratum)
        assert (one.verdict, bool(one.erratum)) == (verdict, until_s == 4)
    many = FACT("calls.failed", 11, of=100, share="11.0")
    assert judged(EXPECTS, found([write(0.5, good=False), write(4, good=True)]), many).verdict is Verdict.FAIL


def test_the_counterexample_passes_only_when_its_loss_was_found() -> None:
    def check(name: str, verdict: Verdict, told: str) -> Judgement:
        return Judgement(
            id=name, kind=Kind.CHECK, verdict=verdict, told=(raw_text(told),), claim="c", also=("d",)
        )  # fmt: skip

    def turned(verdict: Verdict) -> list[Judgement]:
        checks = [
            check("acknowledged", verdict, "1 lost"),
            check("documents", Verdict.FAIL, "1 extra"),
            check("isolation", Verdict.FAIL, "1 wrong"),
        ]
        return as_counterexample(checks, "acknowledged", ("documents",))

    found_it, documents, isolation = turned(Verdict.FAIL)
    assert found_it.verdict is Verdict.PASS
    assert found_it.reason == "the counterexample's loss was found, as it has to be; 1 lost"
    assert (found_it.claim, found_it.also) == ("", ()), "a loss that was found is no word on a claim"
    assert (documents.verdict, documents.holds) == (Verdict.NOT_EXERCISED, False)
    assert documents.reason == "after the counterexample's loss; 1 extra"
    assert isolation.verdict is Verdict.FAIL  # what the loss does not explain still counts
    assert isolation.claims == ("c", "d")
    missed, *_ = turned(Verdict.PASS)
    assert missed.verdict is Verdict.FAIL and missed.claims == ()
    assert missed.reason == "the counterexample has to lose acknowledged writes, and nothing was found; 1 lost"
    assert turned(Verdict.INCONCLUSIVE)[0].verdict is Verdict.INCONCLUSIVE

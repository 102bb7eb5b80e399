"""A failover judged on evidence made by hand: its steps, what users saw, and the counterexample turned around."""

from __future__ import annotations

import msgspec
import pytest

from harness.judge.window import NS
from harness.model.evidence import EventRow, Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.judgement import Judgement, Kind
from harness.model.message import verbatim
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.judge_failover import as_counterexample, judged_failover, on_server, seen, steps
from harness.rehearsals.chaos.types import Failover, FailoverSeen

KILLED = 1_000 * NS
STEPS = {"begun": -0.3, "killed": 0.0, "detected": 3.0, "promoted": 3.4, "led": 3.5}
EXPECTS = Failover(synchronous=True, most_outage_s=10)
PASSED = Judgement(id="e", verdict=Verdict.PASS, told=(verbatim("so far"),), value=10, samples=100)


def events(**left_out: float) -> list[EventRow]:
    return [
        EventRow(at_ns=KILLED + round(at * NS), kind="failover", subject="postgres", message="m", data={"step": step})
        for step, at in STEPS.items()
        if step not in left_out
    ]


def write(sent_s: float, *, good: bool, side: Side = Side.API, took_s: float = 0.1) -> RequestRow:
    sent_ns = KILLED + round(sent_s * NS)
    return RequestRow(
        operation_id="u0001-00001", user="u0001", audience="general", side=side, operation=Operation.PUT_WALK, due_ns=sent_ns,
        sent_ns=sent_ns, done_ns=sent_ns + round(took_s * NS), status=200 if good else 503,
        outcome=Outcome.OK if good else Outcome.SERVER_ERROR, acknowledged=good, payload_digest="d", flag=True,
    )  # fmt: skip


def probe(sent_s: float, *, good: bool, method: str = "PUT") -> ProbeRow:
    sent_ns = KILLED + round(sent_s * NS)
    return ProbeRow(
        probe_id=0, user="canary01", method=method, due_ns=sent_ns, sent_ns=sent_ns, done_ns=sent_ns + NS // 10,
        status=200 if good else 503, outcome=Outcome.OK if good else Outcome.SERVER_ERROR,
    )  # fmt: skip


def found(requests: list[RequestRow], probes: list[ProbeRow] = []) -> FailoverSeen | None:  # noqa: B006 - read only
    return seen(steps(events(), KILLED - NS), requests, probes, synchronous=True)


def test_the_server_stands_beside_the_verdict() -> None:
    judged = on_server(PASSED, "PostgreSQL 18.6 (a wheel)")
    assert judged.verdict is Verdict.PASS
    assert judged.reason == "so far; on PostgreSQL 18.6 (a wheel)"
    assert on_server(PASSED, "") == PASSED


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


@pytest.mark.parametrize("step", STEPS)
def test_without_a_step_there_was_no_failover(step: str) -> None:
    at = steps(events(**{step: 0.0}), KILLED - NS)
    assert seen(at, [write(1, good=False), write(4, good=True)], [], synchronous=True) is None
    assert judged_failover(EXPECTS, None, PASSED).verdict is Verdict.INCONCLUSIVE


def test_an_earlier_failover_is_not_taken_for_this_one() -> None:
    assert steps(events(), KILLED + 10 * NS) == {}


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([write(0.5, good=False), write(4, good=True)], Verdict.PASS, "failed for 3.6 s (1 of them)"),
        ([write(0.5, good=False), write(20, good=True)], Verdict.FAIL, "longer than 10 s"),
        ([write(0.5, good=False)], Verdict.INCONCLUSIVE, "no outage to measure"),
        ([write(4, good=True)], Verdict.INCONCLUSIVE, "no outage to measure"),
        ([], Verdict.INCONCLUSIVE, "no outage to measure"),
    ],
)
def test_it_is_judged_by_the_outage_of_writes(rows: list[RequestRow], verdict: Verdict, words: str) -> None:
    judged = judged_failover(EXPECTS, found(rows), PASSED)
    assert judged.verdict is verdict
    assert words in judged.reason and "synchronous commit: detected after 3.0 s" in judged.reason


def test_a_verdict_that_has_fallen_stays_down() -> None:
    failed = msgspec.structs.replace(PASSED, verdict=Verdict.FAIL)
    judged = judged_failover(EXPECTS, found([write(0.5, good=False), write(4, good=True)]), failed)
    assert judged.verdict is Verdict.FAIL


def test_the_counterexample_passes_only_when_its_loss_was_found() -> None:
    def check(name: str, verdict: Verdict, told: str) -> Judgement:
        return Judgement(
            id=name, kind=Kind.CHECK, verdict=verdict, told=(verbatim(told),), claim="c", also=("d",)
        )  # fmt: skip

    def turned(verdict: Verdict) -> list[Judgement]:
        checks = [
            check("acknowledged", verdict, "1 lost"),
            check("documents", Verdict.FAIL, "1 extra"),
            check("isolation", Verdict.FAIL, "1 wrong"),
        ]
        return as_counterexample(checks, "acknowledged", ("documents",))

    found_it, documents, isolation = turned(Verdict.FAIL)
    assert found_it.verdict is Verdict.PASS and "was found" in found_it.reason
    assert found_it.claims == () and isolation.claims == ("c", "d"), "a loss that was found is no word on a claim"
    assert (documents.verdict, documents.holds) == (Verdict.NOT_EXERCISED, False)
    assert isolation.verdict is Verdict.FAIL  # what the loss does not explain still counts
    missed, *_ = turned(Verdict.PASS)
    assert missed.verdict is Verdict.FAIL and "nothing was found" in missed.reason and missed.claims == ()
    assert turned(Verdict.INCONCLUSIVE)[0].verdict is Verdict.INCONCLUSIVE

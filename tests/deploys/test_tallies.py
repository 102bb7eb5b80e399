"""What users met while versions changed, and how pods came and went: figures of planted evidence."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.ticks import NS
from harness.model.evidence import Due, DueList, EventRow, Operation, Outcome, RequestRow, Row, Side
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import raw_text
from harness.rehearsals.deploy import facts, tallies
from harness.rehearsals.deploy.tallies import PodTally
from tests.rules.evidence import START_NS, criterion, ledger, probe, request

NOTHING = DueList(requests=(), probes=())


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind="pod", subject=name, message="", data={"state": state})


def replaced(*, old_first: bool = False, stays: bool = False, surge: int = 1) -> list[EventRow]:
    """Two old pods, two new ones, from 0 s on."""
    rows = [pod(-9, "a", "Ready"), pod(-9, "b", "Ready")]
    rows += [pod(1, f"n{number}", "Pending") for number in range(surge)]
    rows += [pod(2, "a", "Terminating")] if old_first else []
    rows += [pod(5, "n0", "Ready"), pod(5.1, "a", "Terminating"), pod(5.2, "n1", "Pending"), pod(7, "a", "Gone")]
    rows += [pod(9, "n1", "Ready")]
    return rows if stays else [*rows, pod(9.1, "b", "Terminating"), pod(11, "b", "Gone")]


def seen(rows: list[EventRow], until_s: float = 60) -> PodTally:
    return tallies.pods(rows, 0, round(until_s * NS))


def test_the_pods_are_followed_through_a_replacement() -> None:
    found = seen(replaced())
    assert (found.most, found.fewest_ready, found.new, found.ready) == (3, 2, ("n0", "n1"), ("n0", "n1"))
    assert found.new_ready_ns == {"n0": 5 * NS, "n1": 9 * NS}
    assert seen(replaced(), until_s=10).left == {"b", "n0", "n1"}


def create(at_s: float, **changed: object) -> RequestRow:
    """A CREATE whose connection ended before the answer, 20 ms after it was sent; times as ``replaced``'s."""
    due_ns = round(at_s * NS)
    lost = {"operation": Operation.CREATE_WALK, "outcome": Outcome.BROKEN, "due_ns": due_ns, "sent_ns": due_ns}
    return msgspec.structs.replace(request(0), **(lost | {"done_ns": due_ns + NS // 50} | changed))


@pytest.mark.parametrize(
    ("rows", "explained"),
    [
        ([create(6.9)], 1),  # pod a leaves from 5.1 to 7 s, b from 9.1 to 11 s
        ([create(7.9)], 1),
        ([create(6.9), create(10.9)], 2),
        ([create(4.9)], 0),  # before any left
        ([create(8.5)], 0),  # a is gone for longer than a client needs to hear of it
        ([create(6.9, outcome=Outcome.REFUSED)], 0),
        ([create(6.9, outcome=Outcome.TIMEOUT)], 0),
        ([create(6.9, operation=Operation.PUT_WALK)], 0),  # a client sends it again by itself
        ([create(6.9, side=Side.FIRESTORE)], 0),
        ([create(6.0 + number / 10) for number in range(4)], 4),
        ([create(6.0 + number / 10) for number in range(5)], 0),  # more than two a pod are no chance
        ([create(-1.0)], 0),
        ([create(61.0)], 0),
    ],
)
def test_only_creates_that_the_end_of_a_pod_explains_are_lost_at_its_close(
    rows: list[RequestRow], explained: int
) -> None:
    assert tallies.lost_at_close(rows, replaced(), 0, 60 * NS) == (explained, 2)


def test_pods_that_other_parts_end_later_explain_no_create_of_this_one() -> None:
    """A run is judged whole at its end: each later part ends pods too, and eight CREATEs of two pods stay no chance."""
    lost = [create(6.0 + number / 10) for number in range(8)]
    later = [pod(at_s, name, state) for name in "wxyz" for at_s, state in ((70, "Terminating"), (72, "Gone"))]
    assert tallies.lost_at_close(lost, [*replaced(), *later], 0, 60 * NS) == (0, 2)
    assert tallies.lost_at_close(lost[:3], [*replaced(), *later], 0, 9 * NS) == (0, 1)  # b goes when nobody looks


def test_without_a_pod_that_ended_no_create_is_explained() -> None:
    assert tallies.lost_at_close([create(6.9)], [pod(-9, "a", "Ready")], 0, 60 * NS) == (0, 0)


def test_bad_answers_are_counted_by_when_they_came() -> None:
    rows: list[Row] = [request(1), request(2, latency_ms=700), probe(3, good=False), request(90)]
    failed = tallies.tally(ledger(*rows), START_NS, START_NS + 60 * NS, due=NOTHING)
    assert (failed.calls, failed.failed, failed.bad_s) == (3, 1, 0.0)
    slow = tallies.tally(ledger(*rows), START_NS, START_NS + 60 * NS, 600, due=NOTHING)
    assert slow.failed == 2 and slow.bad_s == pytest.approx(0.31)
    assert failed.missing == slow.missing == 0
    due = (Due(id="nobody-1", user="u", due_ns=START_NS),)
    for slow_ms in (None, 600):
        lost = tallies.tally(
            ledger(*rows), START_NS, START_NS + 60 * NS, slow_ms, due=DueList(requests=due, probes=due)
        )
        assert lost.missing == 2 and "2 more that were due are not in evidence" in str(lost.told)
    assert tallies.tally(ledger(), START_NS, START_NS + NS, due=DueList(requests=due, probes=())).missing == 1


def test_only_the_version_s_own_pods_are_slow_by_its_doing() -> None:
    rows = [request(1, latency_ms=900, pod="a"), request(5, latency_ms=700, pod="n0"), request(9, pod="n0")]
    found = tallies.slow_answers(rows, ["n0", "n1"], START_NS, START_NS + 60 * NS, 600, missing=4)
    assert (found.calls, found.failed, found.bad_s, found.missing) == (3, 1, 0.0, 4)
    none = tallies.slow_answers(rows, [], START_NS, START_NS + 60 * NS, 600, missing=4)
    assert (none.failed, none.missing) == (0, 4)


def test_pods_that_somebody_took_away_wait_no_more() -> None:
    """As a controller of progressive delivery does within the five seconds in which nobody else acts."""
    stuck = [pod(-9, "a", "Ready"), pod(1, "n0", "Running"), pod(2, "n0", "CrashLoopBackOff")]
    assert seen(stuck, 35).waiting == ("n0",)
    assert seen([*stuck, pod(33, "n0", "Terminating")], 35).waiting == ()
    assert seen([*stuck, pod(33, "n0", "Terminating"), pod(34, "n0", "Gone")], 35).waiting == ()


def fired(at_s: float, limit: str = "rollback.error_ratio") -> Judgement:
    return Judgement(
        id=limit, kind=Kind.ROLLBACK_LIMIT, verdict=Verdict.FAIL, told=(raw_text("fired"),),
        fired_at_ns=round(at_s * NS),
    )  # fmt: skip


def test_the_limit_that_fired_first_counts_and_says_what_slow_is() -> None:
    early, late = fired(3), fired(5, "rollback.latency_p95")
    assert facts.broke([late, early]) == early
    assert facts.broke([]) is None
    limits = [criterion("rollback", "latency_p95", ">", 600), criterion("rollback", "error_ratio", ">", 0.03)]
    assert facts.slow_limit_ms(limits, late) == 600
    assert facts.slow_limit_ms(limits, early) is None
    assert facts.slow_limit_ms(limits, None) is None

"""What a week shows beside its criteria: of users without the flag, and of logs and metrics in one place."""

from __future__ import annotations

import pytest

from harness.base.ticks import NS
from harness.load.population.schedule import stayers_due
from harness.model.evidence import EventRow, Operation, Outcome, RequestRow, SampleRow, Side, Window
from harness.model.judgement import Judgement, Verdict
from harness.model.stack import PodState
from harness.rehearsals.rollout.facts import without_the_flag
from harness.rehearsals.rollout.observed import WeekDetails
from harness.rules.ledger import Ledger
from harness.run.scenarios.load import load
from tests.rollout.planted import judged_week, ruled, week_rows

WEEK = load("rollout_week3")
#: What is due on Firestore in the week's first two minutes, and the window in which the first 400 of it are.
DUE = stayers_due(WEEK.population, WEEK.population, 3, 100 * NS, Window(start_ns=100 * NS, end_ns=220 * NS))
WINDOW = Window(start_ns=100 * NS, end_ns=DUE[400].due_ns)
STEPWISE, READ_ONLY = "migration.stepwise", "migration.firestore_read_only"


def ledger(
    failed: int, *, operation: Operation = Operation.PUT_WALK, side: Side = Side.FIRESTORE, lost: int = 0
) -> Ledger:
    """Four hundred requests, the first ``failed`` of them bad, without the first ``lost``."""
    return added(Ledger(), failed, operation=operation, side=side, lost=lost)


def added(of: Ledger, failed: int, *, operation: Operation = Operation.PUT_WALK, side: Side, lost: int = 0) -> Ledger:
    for number, due in [*enumerate(DUE[:400])][lost:]:
        of.add(
            RequestRow(
                operation_id=due.id if side is Side.FIRESTORE else f"api-{due.id}", user=due.user, audience="general", side=side, operation=operation,
                due_ns=due.due_ns, sent_ns=due.due_ns, done_ns=due.due_ns + 1, status=0, acknowledged=True, payload_digest="",
                outcome=Outcome.SERVER_ERROR if number < failed else Outcome.OK, flag=False,
            )
        )  # fmt: skip
    return of


def beside(of: Ledger) -> dict[str, Judgement]:
    return ruled(WEEK, without_the_flag(WEEK, of, WINDOW, 3))


@pytest.mark.parametrize(("failed", "verdict"), [(0, Verdict.PASS), (8, Verdict.INCONCLUSIVE), (9, Verdict.FAIL)])
def test_firestore_serves_users_without_the_flag_throughout_or_not(failed: int, verdict: Verdict) -> None:
    found = beside(ledger(failed))[STEPWISE]
    assert (found.verdict, found.gates, found.samples) == (verdict, False, 400)
    assert f"{failed} of 400 requests of users who stay" in found.reason


@pytest.mark.parametrize(("failed", "lost"), [(12, 12), (12, 4), (9, 1), (0, 1), (0, 200), (3, 1)])
def test_what_they_have_due_and_is_not_in_evidence_neither_passes_nor_fails(failed: int, lost: int) -> None:
    found = beside(ledger(failed, lost=lost))[STEPWISE]
    assert (found.verdict, found.samples) == (Verdict.INCONCLUSIVE, 400 - lost)
    assert f"{lost} of the 400 planned are not in evidence" in found.reason


def test_writes_to_firestore_show_that_it_is_not_read_only() -> None:
    found = beside(added(ledger(0), 0, side=Side.API))[READ_ONLY]
    assert (found.verdict, found.gates, found.samples) == (Verdict.ERRATUM_SHOWN, False, 400)
    assert found.erratum == "migration.firestore_is_written"
    for nobody in (ledger(0, operation=Operation.LIST_WALKS), ledger(400), ledger(0, side=Side.API), ledger(0)):
        assert beside(nobody)[READ_ONLY].verdict is Verdict.INCONCLUSIVE


def test_without_requests_nothing_is_known_and_with_everybody_on_the_api_nothing_is_asked() -> None:
    assert beside(ledger(0, side=Side.API))[STEPWISE].verdict is Verdict.INCONCLUSIVE
    week = load("rollout_week4")
    assert ruled(week, without_the_flag(week, ledger(0), WINDOW, 3)) == {}


def pod(name: str, state: str = PodState.READY) -> EventRow:
    return EventRow(at_ns=1, kind="pod", subject=name, message="", data={"state": str(state)})


def sampled(
    *names: str, metrics: tuple[str, ...] = ("cpu_cores", "memory_bytes"), value: float = 1.0
) -> list[SampleRow]:
    return [
        SampleRow(at_ns=1, metric=metric, subject=f"pod/{name}", value=value) for name in names for metric in metrics
    ]


EVENTS = [pod("a"), pod("b"), pod("c", PodState.PENDING)]


@pytest.mark.parametrize(
    ("events", "samples", "logged", "verdict", "words"),
    [
        (EVENTS, sampled("a", "b"), ["a", "b", "envoy"], Verdict.PASS, "ready pods without a log: 0 of 2"),
        (EVENTS, sampled("a"), ["a", "b"], Verdict.INCONCLUSIVE, "(b)"),  # which may be the sampler's
        (EVENTS, sampled("a", "b", metrics=("cpu_cores",)), ["a", "b"], Verdict.INCONCLUSIVE, "(a, b)"),
        (EVENTS, sampled("a") + sampled("b", value=0.0), ["a", "b"], Verdict.INCONCLUSIVE, "(b)"),
        (EVENTS, sampled("a", "b"), ["b"], Verdict.FAIL, "(a)"),
        (EVENTS, sampled("a"), ["a"], Verdict.FAIL, "(b)"),
        (EVENTS[2:], sampled("a", "b"), ["a", "b"], Verdict.INCONCLUSIVE, "0 of 0"),
    ],
)
def test_logs_and_metrics_of_every_ready_pod_are_in_one_place(
    events: list[EventRow], samples: list[SampleRow], logged: list[str], verdict: Verdict, words: str
) -> None:
    rows = [*events, *samples, *week_rows(WEEK)]
    found = judged_week(WEEK, rows, WeekDetails(logged=tuple(logged)))["strategy.versus.observability"]
    assert (found.claim, found.verdict, found.gates) == ("strategy.versus.observability", verdict, False)
    assert words in found.reason

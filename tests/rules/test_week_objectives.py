"""The objectives by a week's window: kept, broken, too few to say, and asked of no week that cannot show them."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.ticks import NS
from harness.load.population.schedule import due_list
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow, Side, Window
from harness.model.judgement import Judgement, Verdict
from harness.model.message import english
from harness.model.scenario import Scenario
from harness.model.stack import Fault, FaultKind
from harness.rehearsals.rollout.facts import PROMISED, objectives
from harness.rules.ledger import Ledger
from harness.rules.objectives.files import defined
from harness.run.scenarios.load import load
from tests.rollout.planted import ruled

WEEK = load("rollout_week4")
SEED = 1


def found(
    *, bad_probes: int = 0, failed: int = 0, slow: int = 0, seconds: float = 330.0, judged_s: float = 1e6
) -> dict[str, Judgement]:
    """A window of week 4, judged at its end or ``judged_s`` after its begin, in which all that is due came, so much of
    it badly."""
    window = Window(start_ns=100 * NS, end_ns=100 * NS + round(seconds * NS))
    due = due_list(WEEK, SEED, window.start_ns, window.end_ns)
    ledger = Ledger()
    for number, each in enumerate(due.requests):
        bad = number < failed
        ledger.add(
            RequestRow(
                operation_id=each.id, user=each.user, audience="general", side=Side.API,
                operation=each.operation or Operation.LIST_WALKS, due_ns=each.due_ns, sent_ns=each.due_ns,
                done_ns=each.due_ns + (700 if number < slow else 20) * 1_000_000, status=503 if bad else 200,
                outcome=Outcome.SERVER_ERROR if bad else Outcome.OK, acknowledged=not bad, payload_digest="", flag=True,
            )
        )  # fmt: skip
    for number, each in enumerate(due.probes):
        bad = number < bad_probes
        ledger.add(
            ProbeRow(
                probe_id=int(each.id.rpartition(" ")[2]), user=each.user, method="GET", due_ns=each.due_ns,
                sent_ns=each.due_ns, done_ns=each.due_ns + 1, status=503 if bad else 200,
                outcome=Outcome.SERVER_ERROR if bad else Outcome.OK,
            )
        )  # fmt: skip
    at_ns = min(window.end_ns, window.start_ns + round(judged_s * NS))
    return ruled(WEEK, objectives(WEEK, ledger, window, at_ns, due))


def test_what_is_asked_is_what_is_defined() -> None:
    """``deploy/monitoring/slo``: targets and days."""
    own = [(each.target, each.days) for each in PROMISED]
    assert own == [
        (each.target, each.days)
        for name in ("availability", "latency", "errors")
        for each in defined()
        if each.name == name
    ]


def test_minutes_that_keep_them_are_no_days_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them gates the week. A window as long as the objective's own is what keeps it."""
    kept = found()
    assert {name: each.verdict for name, each in kept.items()} == dict.fromkeys(kept, Verdict.NOT_EXERCISED)
    assert {*kept} == {"slo.availability", "slo.latency_p95", "slo.error_ratio"}
    assert not any(each.gates for each in kept.values())
    availability = kept["slo.availability"]
    said, cost = map(english, zip(availability.notes))
    assert said == "of 5.5 minutes, not of 30 days: the budget burned 0 times as fast as it may"
    assert "nothing of the month's 43.2 minutes" in cost
    latency = kept["slo.latency_p95"]
    assert latency.reason.startswith("of the 7 days 0.05456 % were measured; ") and latency.value == pytest.approx(20)
    whole = tuple(msgspec.structs.replace(each, days=1e-4) for each in PROMISED)
    monkeypatch.setattr("harness.rehearsals.rollout.facts.PROMISED", whole)
    assert {each.verdict for each in found().values()} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("claim", "bad", "burn"),
    [("slo.availability", {"bad_probes": 33}, "10"), ("slo.error_ratio", {"failed": 330}, "10"),
     ("slo.latency_p95", {"slow": 660}, "4")],
)  # fmt: skip
def test_a_window_that_burns_the_budget_fails(claim: str, bad: dict[str, int], burn: str) -> None:
    """1 % of 3,300 probes is ten times what 99.9 % leaves."""
    broken = found(**bad)
    assert broken[claim].verdict is Verdict.FAIL
    assert f"the budget burned {burn} times as fast" in english(broken[claim].told)
    assert [name for name, each in broken.items() if each.verdict is Verdict.FAIL] == [claim]


def test_what_an_outage_cost_is_said() -> None:
    """33 of 3,300 probes over 330 s are 3.3 s."""
    said = english(found(bad_probes=33)["slo.availability"].notes)
    assert "an outage of 3.3 s: 0.13 % of the month's 43.2 minutes" in said


def test_of_a_week_that_was_rolled_back_it_is_said_of_the_time_until_then() -> None:
    """20 of the 1,000 probes of 100 s are 2 s, in a window that was to be of 330 s."""
    availability = found(bad_probes=20, judged_s=100)["slo.availability"]
    said, cost = english(availability.told), english(availability.notes)
    assert said.startswith("of 1.7 minutes, not of 30 days: the budget burned 20 times as fast")
    assert "20 of 1,000 probes failed, as an outage of 2.0 s: " in cost


def test_too_short_a_window_shows_nothing() -> None:
    """600 probes do not carry 99.9 %."""
    assert found(seconds=60)["slo.availability"].verdict is Verdict.INCONCLUSIVE


def test_of_a_week_that_cannot_show_them_nothing_is_asked() -> None:
    """Some users are on Firestore, or something is broken on purpose."""
    window = Window(start_ns=0, end_ns=NS)
    broken: Scenario = msgspec.structs.replace(WEEK, faults=(Fault(kind=FaultKind.ERRORS, share=0.1),))
    for week in (load("rollout_week3"), broken):
        assert [*objectives(week, Ledger(), window, NS, due_list(week, SEED, 0, NS))] == []

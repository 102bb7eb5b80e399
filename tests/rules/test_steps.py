"""A criterion of one step of the load is judged on what was due within that step alone."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.ticks import NS
from harness.model.evidence import DueList, Operation, Outcome, RequestRow, Window
from harness.model.judgement import Verdict
from harness.model.scenario import LoadStep, Scenario
from harness.rules.ledger import of_step
from tests.rules.evidence import START_NS, criterion, due_for, judged, request, scenario

WHOLE = Window(start_ns=START_NS, end_ns=START_NS + 120 * NS)


def of(step_s: float | None) -> Scenario:
    """Fewer than 10 % of the requests of the step that begins at ``step_s`` fail; the load has steps at 0, 60, 90 s."""
    asked = msgspec.structs.replace(criterion("success", "error_ratio", "<", 0.1), step_s=step_s)
    plan = scenario(asked)
    steps = (LoadStep(at_s=60.0, pace_s=25.0), LoadStep(at_s=90.0, pace_s=25.0))
    return msgspec.structs.replace(plan, population=msgspec.structs.replace(plan.population, steps=steps))


def rows(*failed_s: float) -> list[RequestRow]:
    """Ten requests a second for 120 s; those due at ``failed_s`` failed."""
    return [
        request(number / 10, f"u{number % 250:04}", outcome=Outcome.TIMEOUT if number / 10 in failed_s else Outcome.OK)
        for number in range(1200)
    ]


def samples_and_value(step_s: float | None, found: list[RequestRow], due: DueList) -> tuple[int, float | None]:
    (result,) = judged(of(step_s), found, due=due).values()
    return result.samples, result.value


@pytest.mark.parametrize(
    ("step_s", "samples", "failed"), [(None, 1200, 4), (0.0, 600, 1), (60.0, 300, 2), (90.0, 300, 1)]
)
def test_only_what_was_due_in_the_step_counts(step_s: float | None, samples: int, failed: int) -> None:
    made = rows(59.9, 60.0, 89.9, 90.0)
    due = DueList(requests=tuple(map(due_for, made)), probes=())
    assert samples_and_value(step_s, made, due) == (samples, failed / samples)


def test_what_is_due_and_missing_counts_in_its_own_step() -> None:
    made = rows()
    due = DueList(requests=tuple(map(due_for, made)), probes=())
    kept = [row for row in made if not START_NS + 60 * NS <= row.due_ns < START_NS + 75 * NS]
    (lost,) = judged(of(60.0), kept, due=due).values()
    assert lost.verdict is Verdict.INCONCLUSIVE and "150 of the 1,200 planned are not in evidence" in lost.reason
    (other,) = judged(of(90.0), kept, due=due).values()
    assert other.verdict is Verdict.PASS and other.samples == 300


def test_without_a_due_list_what_is_missing_may_be_of_any_step() -> None:
    plan = of(90.0)
    made = rows()
    (whole,) = judged(plan, made).values()
    assert whole.verdict is Verdict.PASS
    (few,) = judged(plan, [row for row in made if row.due_ns >= START_NS + 90 * NS]).values()
    assert few.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("at_s", "from_s", "to_s"), [(None, 0, 120), (0.0, 0, 60), (60.0, 60, 90), (90.0, 90, 120)])
def test_the_part_of_the_window_in_which_a_step_lasts(at_s: float | None, from_s: int, to_s: int) -> None:
    population = of(None).population
    part = of_step(WHOLE, population, at_s)
    assert ((part.start_ns - START_NS) / NS, (part.end_ns - START_NS) / NS) == (from_s, to_s)
    short = msgspec.structs.replace(WHOLE, end_ns=START_NS + 75 * NS)
    part = of_step(short, population, at_s)
    assert ((part.start_ns - START_NS) / NS, (part.end_ns - START_NS) / NS) == (min(from_s, 75), min(to_s, 75))


def test_a_step_or_an_operation_without_a_request_says_which() -> None:
    assert [each.reason for each in judged(of(60.0), rows()[:600]).values()] == ["no requests of the step in evidence"]
    put = scenario(criterion("success", "error_ratio", "<", 0.1, operation=Operation.PUT_WALK))
    assert [each.reason for each in judged(put, rows()).values()] == ["no requests for put_walk in evidence"]

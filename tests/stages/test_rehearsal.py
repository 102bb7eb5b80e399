"""A whole run of the load stages from its facts and rows."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import msgspec
import pytest

from harness.judge.window import NS
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsal.conclude import judged
from harness.rehearsals.load_stages.judge import knees_of, steps_of
from harness.rehearsals.load_stages.rehearsal import REHEARSAL
from harness.rehearsals.load_stages.types import LoadStagesDetails, Made, sized
from tests.rehearsal.drawn import drawn
from tests.rehearsal.made import by_id, facts, seen
from tests.stages.made import MANIFESTS, PLAN

MS = 1_000_000
NUMBERS = count()
SEED = facts().seed


def answers(start_ns: int, step: Step, latency_ms: float) -> list[RequestRow]:
    """An answer to each of the step's requests, all alike."""
    return [
        RequestRow(
            operation_id=f"u{next(NUMBERS):05d}-00000", user="u", audience="general", side=Side.API,
            operation=Operation.LIST_WALKS, due_ns=at_ns, sent_ns=at_ns, done_ns=at_ns + round(latency_ms * MS),
            status=200, outcome=Outcome.OK, acknowledged=False, payload_digest="", flag=True,
        )
        for at_ns in due_of_step(step, SEED, start_ns) or ()
    ]  # fmt: skip


def searched(number: int, rate: float) -> Step:
    return Step(name=f"knee_2_{number}", arrivals=Arrivals.POISSON, rate_per_s=rate, users=1000, seconds=8)


def search(*tries: tuple[float, float]) -> tuple[LoadStagesDetails, list[RequestRow]]:
    """Rates with the latency in ms of every answer."""
    details, rows = LoadStagesDetails(sized=sized(MANIFESTS, 1.0)), list[RequestRow]()
    for number, (rate, latency_ms) in enumerate(tries, 1):
        start_ns, step = number * 20 * NS, searched(number, rate)
        details.made.append(Made(step=step, pods=2, start_ns=start_ns, generator_cpu_cores=0.2))
        rows += answers(start_ns, step, latency_ms)
    return details, rows


FOUND = ((20, 50.0), (40, 900.0), (40, 900.0), (28.3, 60.0), (33, 900.0), (33, 900.0), (30.6, 60.0))


def test_steps_and_knees_are_what_the_rows_say() -> None:
    details, rows = search(*FOUND)
    ledger = seen(details, rows).evidence.ledger
    steps = steps_of(PLAN, details, ledger, SEED)
    assert [step.verdict for step in steps] == [Verdict.PASS, Verdict.FAIL, Verdict.FAIL, Verdict.PASS,
                                                Verdict.FAIL, Verdict.FAIL, Verdict.PASS]  # fmt: skip
    [knee] = knees_of(PLAN, steps, 0.5)
    assert (knee.rate_per_s, knee.broken_per_s, knee.verdict) == (30.6, 33, Verdict.PASS)
    assert "multiplied by 0.500" in str(knee.told[-1])


def test_a_search_that_broke_off_has_no_knee() -> None:
    details, rows = search(*FOUND[:4])
    assert knees_of(PLAN, steps_of(PLAN, details, seen(details, rows).evidence.ledger, SEED), 1.0) == []


def test_every_claim_is_judged_and_what_was_not_run_gates_nothing() -> None:
    details, rows = search(*FOUND)
    found = by_id(judged(REHEARSAL, PLAN, seen(details, rows)))
    assert set(PLAN.claims) <= set(found)
    assert (found["load.target_qps"].verdict, found["load.target_qps"].gates) == (Verdict.NOT_EXERCISED, False)
    assert found["knee.2"].value == 30.6 and not found["knee.2"].gates
    # Lists that show nothing of what was written before prove nothing, and hold.
    assert (found["reads.acknowledged"].verdict, found["reads.acknowledged"].holds) == (Verdict.INCONCLUSIVE, True)


def test_a_run_that_broke_before_any_step_judges_nothing() -> None:
    left = seen(LoadStagesDetails(), [], ended=False)
    found = judged(REHEARSAL, PLAN, left)
    assert {each.verdict for each in found} == {Verdict.INCONCLUSIVE}
    assert {each.id for each in found} == {*PLAN.claims, "load.ab_meets_rate_limit"}


def test_details_come_back_from_the_result_as_they_were() -> None:
    details, _ = search(*FOUND)
    assert msgspec.json.decode(msgspec.json.encode(details), type=LoadStagesDetails) == details


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_has_every_step_and_the_knee(tmp_path: Path, lang: str) -> None:
    details, rows = search(*FOUND)
    page = drawn(REHEARSAL, PLAN, seen(details, rows), tmp_path, lang)
    assert "<svg" in page and "<script" not in page
    assert all(f"knee_2_{number}" in page for number in range(1, len(FOUND) + 1))


def test_a_run_that_broke_has_the_same_figures_without_a_value() -> None:
    broke = list(REHEARSAL.figures(PLAN, seen(LoadStagesDetails(), [], ended=False)))
    whole = list(REHEARSAL.figures(PLAN, seen(*search(*FOUND))))
    assert [each.name for each in broke] == [each.name for each in whole] != []
    assert {each.sample.measured().value for each in broke} == {None}
    assert any(each.sample.measured().value is not None for each in whole)

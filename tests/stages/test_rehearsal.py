"""A whole run of the load stages from its facts and rows."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import msgspec
import pytest

from harness.base.ticks import NS
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.model.scenario import Arrivals, Step
from harness.rehearsals.load_stages.facts import Knee, knees_of
from harness.rehearsals.load_stages.rehearsal import REHEARSAL
from harness.rehearsals.load_stages.types import LoadStagesDetails, LoadStagesPlan, MadeStep, StepResult, sized
from harness.run.result import judged
from tests.rehearsal.drawn import drawn
from tests.rehearsal.made import by_id, facts, seen
from tests.stages.made import MANIFESTS, PLAN, tried

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
        details.made.append(MadeStep(step=step, pods=2, start_ns=start_ns, generator_cpu_cores=0.2))
        rows += answers(start_ns, step, latency_ms)
    return details, rows


FOUND = ((20, 50.0), (40, 900.0), (40, 900.0), (28.3, 60.0), (33, 900.0), (33, 900.0), (30.6, 60.0))


def test_steps_and_knees_are_what_the_rows_say() -> None:
    details, rows = search(*FOUND)
    details.knee_cpu_factor = 0.5
    steps, [knee] = REHEARSAL.found(PLAN, seen(details, rows))
    assert [step.verdict for step in steps] == [Verdict.PASS, Verdict.FAIL, Verdict.FAIL, Verdict.PASS,
                                                Verdict.FAIL, Verdict.FAIL, Verdict.PASS]  # fmt: skip
    assert (knee.rate_per_s, knee.broken_per_s, knee.known) == (30.6, 33, True)
    assert english(knee.told) == (
        "30.6/s kept the limits; 33.0/s did not in 2 tries; CPU limits were multiplied by 0.500"
    )


def of_search(rate: float, verdict: Verdict, pods: int = 2, photos_per_s: float = 0.0) -> StepResult:
    one = tried(rate, verdict, pods, requests_by_pod={})
    return msgspec.structs.replace(one, step=msgspec.structs.replace(one.step, photos_per_s=photos_per_s))


def test_each_search_has_its_own_knee_under_its_own_conditions() -> None:
    most = msgspec.structs.replace(PLAN.knee, most_rate_per_s=40)
    plan: LoadStagesPlan = msgspec.structs.replace(PLAN, knee=most)
    kept = [of_search(rate, Verdict.PASS, 4) for rate in (20, 40)]
    beside = [of_search(rate, Verdict.PASS, 4, photos_per_s=2) for rate in (20, 40)]
    nothing = [of_search(20 / 2**n, Verdict.FAIL, 6) for n in range(5) for _ in range(2)]
    told = "nothing above 40/s was tried; 40.0/s kept the limits"

    def brief(knee: Knee) -> tuple[int, float, float | None, str]:
        return knee.pods, knee.photos_per_s, knee.rate_per_s, english(knee.words)

    assert [brief(each) for each in knees_of(plan, [*kept, *beside, *nothing], 1)] == [
        (4, 0, 40, told),
        (4, 2, 40, f"{told}; while 2 photos/s are uploaded"),
        (6, 0, None, "no rate down to 1.2/s kept the limits"),
    ]
    assert [brief(each) for each in knees_of(plan, [*kept, *beside], 2)] == [
        (4, 0, 40, f"{told}; CPU limits were multiplied by 2.000"),
        (4, 2, 40, f"{told}; while 2 photos/s are uploaded; CPU limits were multiplied by 2.000"),
    ]


def test_a_search_that_broke_off_has_no_knee() -> None:
    details, rows = search(*FOUND[:4])
    assert REHEARSAL.found(PLAN, seen(details, rows))[1] == []


def test_every_claim_is_judged_and_what_was_left_out_gates_nothing() -> None:
    details, rows = search(*FOUND)
    held = by_id(judged(REHEARSAL, PLAN, seen(details, rows)))
    assert (held["load.target_qps"].verdict, held["load.target_qps"].holds) == (Verdict.INCONCLUSIVE, True)
    found = by_id(judged(REHEARSAL, msgspec.structs.replace(PLAN, arrivals=()), seen(details, rows)))
    assert set(PLAN.claims) <= set(found)
    assert (found["load.target_qps"].verdict, found["load.target_qps"].gates) == (Verdict.NOT_EXERCISED, False)
    assert found["knee.2"].value == 30.6 and not found["knee.2"].gates
    # Lists that show nothing of what was written before prove nothing, and hold.
    assert (found["reads.acknowledged"].verdict, found["reads.acknowledged"].holds) == (Verdict.INCONCLUSIVE, True)


def test_a_run_that_broke_before_any_step_judges_nothing() -> None:
    left = seen(LoadStagesDetails(), [], ended=False)
    found = judged(REHEARSAL, PLAN, left)
    assert {each.verdict for each in found} == {Verdict.INCONCLUSIVE}
    others = {"load.ab_meets_rate_limit", "load.pod_capacity.of_target", "reads.acknowledged"}
    assert {each.id for each in found} == {*PLAN.claims, *others}


def test_details_come_back_from_the_result_as_they_were() -> None:
    details, _ = search(*FOUND)
    assert msgspec.json.decode(msgspec.json.encode(details), type=LoadStagesDetails) == details


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_has_every_step_and_the_knee(tmp_path: Path, lang: str) -> None:
    details, rows = search(*FOUND)
    page = drawn(REHEARSAL, PLAN, seen(details, rows), tmp_path, lang)
    assert "<svg" in page and "<script" not in page
    assert all(f"knee_2_{number}" in page for number in range(1, len(FOUND) + 1))


@pytest.mark.parametrize(
    ("users", "pods", "verdict"),
    [
        ((10, 50, 100, 500), ("a", "b"), Verdict.PASS),  # 845 requests in all, 60 of the first stage
        ((10,), ("a", "b"), Verdict.INCONCLUSIVE),
        ((10, 50, 100), ("a", "b"), Verdict.INCONCLUSIVE),
        ((10, 50, 100, 500), ("",), Verdict.INCONCLUSIVE),
        ((10, 50, 100, 500), ("a", "b", *[""] * 98), Verdict.INCONCLUSIVE),
    ],
)
def test_stages_pass_what_their_sample_carries_where_answers_name_their_pods(
    users: tuple[int, ...], pods: tuple[str, ...], verdict: Verdict
) -> None:
    stages = tuple(each for each in PLAN.users.stages if each.users in users)
    plan = msgspec.structs.replace(PLAN, users=msgspec.structs.replace(PLAN.users, stages=stages))
    details, rows = LoadStagesDetails(sized=sized(MANIFESTS, 1.0)), list[RequestRow]()
    for number, step in enumerate(each for each in plan.stages if each.arrivals is Arrivals.EVEN):
        start_ns = number * 400 * NS
        details.made.append(MadeStep(step=step, pods=2, start_ns=start_ns, generator_cpu_cores=0.2))
        named = answers(start_ns, step, 50.0)
        rows += [msgspec.structs.replace(row, pod=pods[n % len(pods)]) for n, row in enumerate(named)]
    found = by_id(judged(REHEARSAL, plan, seen(details, rows)))
    assert (found["load.stages"].verdict, found["load.stages"].holds) == (verdict, verdict is not Verdict.PASS)
    if 500 in users:
        assert found["load.target_qps"].verdict is verdict

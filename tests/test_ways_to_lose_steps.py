"""The named ways to lose evidence, done to the spools of two workers that make load in steps.

The stage of 500 users and the step of the pods' capacity, judged beside their own plans. Evidence that must hold never
advances; healthy evidence advances or names what is missing, and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.errors import RehearsalError
from harness.evidence.store import Gathered
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import Operation, Outcome, RequestRow, Row, Side
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.scenario import CAPACITY, Arrivals, Step
from harness.rehearsals.load_stages.rehearsal import REHEARSAL
from harness.rehearsals.load_stages.types import LoadStagesDetails, MadeStep, sized
from harness.rules.judged import combine
from harness.run.rehearsal import RunRecord
from tests.rehearsal.made import facts
from tests.stages.made import MANIFESTS, PLAN
from tests.test_ways_to_lose_evidence import START_NS, WAYS, World

SEED = 3
STEPS = (
    Step(name="users_500", arrivals=Arrivals.EVEN, rate_per_s=10, users=500, seconds=30),
    Step(name=CAPACITY, arrivals=Arrivals.POISSON, rate_per_s=20, users=1000, seconds=20),
)
MADE = [MadeStep(step=step, pods=2, start_ns=START_NS + number * 70 * NS) for number, step in enumerate(STEPS)]
CLAIMS = ("load.target_qps", "load.stages", "load.pod_capacity")
NAMED = (
    "not in evidence", "the generator was the limit", "the measurement failed", "contradicted", "no request was due",
)  # fmt: skip


def evidence(bad_of_1000: int = 0) -> dict[str, list[Row]]:
    """What two workers record of both steps, in turn; so many of a thousand requests failed."""
    rows: list[list[Row]] = [[], []]
    for made in MADE:
        for number, due_ns in enumerate(due_of_step(made.step, SEED, made.start_ns) or ()):
            bad = (number * bad_of_1000) % 1000 < bad_of_1000
            rows[number % 2].append(
                RequestRow(
                    operation_id=f"{made.step.name}-{number:05d}", user=f"u{number % made.step.users:04d}", audience="a",
                    side=Side.API, operation=Operation.GET_WALK, due_ns=due_ns, sent_ns=due_ns,
                    done_ns=due_ns + NS // 50, status=503 if bad else 200,
                    outcome=Outcome.SERVER_ERROR if bad else Outcome.OK, acknowledged=False, payload_digest="",
                    flag=True, pod="ab"[number % 2],
                )
            )  # fmt: skip
    return {"load": rows[0], "probes": rows[1]}


def of_steps(gathered: Gathered) -> tuple[Judgement, ...]:
    details = LoadStagesDetails(made=MADE, sized=sized(MANIFESTS, 1.0))
    every = PLAN.users
    users = msgspec.structs.replace(every, stages=tuple(each for each in every.stages if each.users == 500))
    plan = msgspec.structs.replace(PLAN, claims=CLAIMS, users=users)
    seen = RunRecord(facts(seed=SEED, target_bundled=False), details, gathered)
    measured = tuple(REHEARSAL.measured(plan, seen))
    return tuple(each for each in REHEARSAL.by_rules(plan, replace(seen, measured=measured)) if each.claim in CLAIMS)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[[str], World]]:
    made: list[World] = []

    def make(name: str) -> World:
        made.append((WAYS | {"nothing": World})[name](tmp_path))
        made[-1].judged = of_steps
        return made[-1]

    yield make
    for each in made:
        each.collector.store.close()


@pytest.mark.parametrize(
    ("bad_of_1000", "verdicts"),
    [
        (0, {Verdict.PASS}),
        (1, {Verdict.INCONCLUSIVE, Verdict.FAIL}),  # 299 of 300 answered well are no 10/s, and carry no 1 %
        (40, {Verdict.FAIL}),
    ],
)
def test_unharmed(world: Callable[[str], World], bad_of_1000: int, verdicts: set[Verdict]) -> None:
    results = world("nothing").go(evidence(bad_of_1000))
    assert {each.claim for each in results} == set(CLAIMS)
    assert {each.verdict for each in results} == verdicts


@pytest.mark.parametrize("bad_of_1000", [1, 40])
@pytest.mark.parametrize("name", WAYS)
def test_evidence_that_must_hold_never_advances(world: Callable[[str], World], name: str, bad_of_1000: int) -> None:
    made = world(name)
    try:
        results = made.go(evidence(bad_of_1000))
    except RehearsalError as error:
        assert error.exit is made.ends
        return
    assert combine(results) is not Decision.ADVANCE


@pytest.mark.parametrize("name", WAYS)
def test_healthy_evidence_advances_or_names_what_is_missing(world: Callable[[str], World], name: str) -> None:
    made = world(name)
    try:
        results = made.go(evidence())
    except RehearsalError as error:
        assert error.exit is made.ends and error.where
        return
    assert Verdict.FAIL not in {result.verdict for result in results}
    for result in results:
        assert result.verdict is Verdict.PASS or any(words in result.reason for words in NAMED), result.reason

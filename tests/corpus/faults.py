"""The runs of before that disturbed a stack: ``chaos.json``, ``chaos_nightly.json`` and ``deploy.json``."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from chaos import catalogue
from harness.evidence.gathered import Gathered
from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.direction import Direction
from harness.model.scenario import Scenario
from harness.rehearsals.chaos.rolling import LEAST_CALLS, plan_of
from harness.rehearsals.chaos.steady import steady_criteria
from harness.rehearsals.chaos.types import (
    ChaosDetails,
    ChaosPlan,
    Ended,
    Made,
    NightDetails,
    NightPlan,
    PlannedExperiment,
    Schedule,
)
from harness.rehearsals.deploy import plan as deploy_plan
from harness.rehearsals.deploy.types import DeployDetails, Followed
from scenarios.load import load
from tests.corpus import again
from tests.corpus.again import Again, Json

#: What a command of experiments and deploys had on the stack: the users of week 4, whose load these runs paced anew.
_EVERYBODY = "rollout_week4"
_SERVER = "PostgreSQL 15.18 (Debian's postgresql-15, installed)"


def paced(pace_s: float | None = None) -> Scenario:
    """Everybody on the API, at that pace."""
    scenario = load(_EVERYBODY)
    if pace_s is None:
        return scenario
    return msgspec.structs.replace(scenario, population=msgspec.structs.replace(scenario.population, pace_s=pace_s))


def origin_ns(evidence: Gathered) -> int:
    """When the load began: the first request was due then, or soon after, by its schedule."""
    return min(due_ns(evidence))


def due_ns(evidence: Gathered) -> list[int]:
    """When every request and probe was due, in order."""
    return sorted([*(row.due_ns for row in evidence.requests), *(row.due_ns for row in evidence.probes)])


def chaos(run: str) -> Again:
    """The experiments that were made, with their journals; when each was begun with is not later than its fault."""
    old, evidence = again.document(run), again.evidence_of(run)
    scenario = paced()
    plan = ChaosPlan(
        experiments=tuple(PlannedExperiment(experiment=catalogue.load(name)) for name in old["drawn"]),
        scenario=scenario,
        criteria=steady_criteria(scenario),
        reconcile=Direction("postgresql_to_firestore"),
    )
    made = [_made(each) for each in old["experiments"] if each["start_ns"]]
    return Again("chaos", plan, again.seen(run, ChaosDetails(origin_ns=origin_ns(evidence), made=made), evidence))


def _made(old: Json) -> Made:
    """What was judged ended with the steady state, and the method as long before it as it took to come back."""
    return Made(
        number=old["number"],
        begun_ns=old["start_ns"] - round(0.5 * NS),
        start_ns=old["start_ns"],
        end_ns=old["end_ns"],
        answered_ns=old["end_ns"] + round(10 * NS),
        steady_before=True,
        undone_ns=old["end_ns"] - round(old["recovered_s"] * NS),
        steady_ns=old["end_ns"],
        journal=old["journal"],
        status=old["status"],
        deviated=old["deviated"],
        server=_SERVER if old["failover"] else "",
    )


def rolling_update(run: str) -> Again:
    """Its first half, with a flow that did nothing: no experiment of it was made."""
    plan = plan_of(paced(10.0), times=2, least=LEAST_CALLS)
    return Again("chaos", plan, again.seen(run, ChaosDetails()))


def night(run: str) -> Again:
    """The schedules that were made; of those that were not, their seeds alone are known."""
    old, scenario = again.document(run), load(_EVERYBODY)
    made = [_ended(each) for each in old["schedules"]]
    asked = [Schedule(seed=each.seed, drawn=each.drawn, replay=each.replay) for each in made]
    asked += [Schedule(seed=old["seed"] + n, drawn=(), replay="") for n in range(len(made), old["asked"])]
    plan = NightPlan(
        schedules=tuple(asked), length=old["length"], budget_s=old["budget_s"], least=old["least"], scenario=scenario,
        criteria=steady_criteria(scenario),
    )  # fmt: skip
    return Again("chaos_nightly", plan, again.seen(run, NightDetails(ended=made)))


def _ended(old: Json) -> Ended:
    return msgspec.convert(
        {**old, "shortcomings": [word for each in old["shortcomings"] for word in again.words(each)]}, Ended
    )


def deploy(run: str) -> Again:
    """The parts that were followed: their moments are those of the evidence."""
    old, evidence = again.document(run), again.evidence_of(run)
    found = deploy_plan.load(scenario=paced(10.0))
    asked = {each["name"] for each in old["parts"]}
    plan = msgspec.structs.replace(found, parts=tuple(part for part in found.parts if part.name in asked))
    details = DeployDetails(
        origin_ns=origin_ns(evidence),
        versions=tuple(part.version.name for part in plan.parts),
        followed=[_followed(each, evidence) for each in old["parts"]],
    )
    return Again("deploy_rehearsal", plan, again.seen(run, details, evidence))


def _followed(old: Json, evidence: Gathered) -> Followed:
    """One part. Its first command is seen by the new pods that it asked for; a rollout that failed was left alone until
    they were taken back. Until when users were counted nobody wrote down: until as many calls were due as were counted.
    """
    begun = old["start_ns"]
    within = [each for each in evidence.events if begun <= each.at_ns <= old["end_ns"]]
    since_ns = next(each.at_ns for each in within if each.kind == "deployment") - _BEFORE_NS
    undone = [each.at_ns for each in within if each.kind == "deployment" and "Scaled down" in each.message]
    followed = Followed(
        name=old["name"],
        manifests=old["manifests"],
        replicas=2,
        surge=1,
        begun_ns=begun,
        since_ns=since_ns,
        end_ns=old["end_ns"],
        ran=msgspec.convert(old["ran"], tuple[Ran, ...]),
        pods_ns=old["end_ns"],
        waited_ns=undone[0] - _BEFORE_NS if old["version"]["never_ready"] else None,
    )
    counted = [at_ns for at_ns in due_ns(evidence) if at_ns >= since_ns]
    return msgspec.structs.replace(followed, looked_ns=counted[old["calls"] - 1] + 1)


_BEFORE_NS = NS // 100

RUNS: dict[str, Callable[[str], Again]] = {
    "chaos_passes": chaos,
    "rolling_update_nothing": rolling_update,
    "chaos_nightly_broke": night,
    "chaos_nightly_interrupted": night,
    "chaos_nightly_some_left_out": night,
    "deploy_held_by_a_check": deploy,
}

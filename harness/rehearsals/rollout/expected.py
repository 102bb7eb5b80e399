"""What a week's plan asks for, whatever its run leaves. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.checks.as_printed import PRINTED
from harness.checks.invariants import CHECKS, CLAIM
from harness.checks.stepwise import READ_ONLY, STEPWISE
from harness.model.judgement import Expected, Kind, expected_of, lacking_words
from harness.model.message import Message
from harness.model.scenario import Sample, Scenario
from harness.model.stack import Capability, lacks
from harness.rules import flag_log

IN_ONE_PLACE = "strategy.versus.observability"
RATE_CLAIM = "rollout.week2.success.request_rate"
#: The document's objectives, as they are asked of a window.
OBJECTIVES = ("slo.availability", "slo.latency_p95", "slo.error_ratio")
_ROLLBACK_STEPS = "rollout.rollback."
#: The document's indicators of every window; what the rollout's table has looked at in a week, by the claim on its
#: schedule (in the last one all four are); and the weeks whose criteria in the document ask no user.
_INDICATORS = ("sli.latency", "sli.errors", "sli.request_rate", "sli.pod_resources", "sli.replicas")
_CHECK = {f"rollout.schedule.week{week}": f"rollout.week{week}.check" for week in (1, 2, 3)}
_ASKS_NO_USER = {"rollout.schedule.week3", "rollout.schedule.week4"}


def not_exercised(plan: Scenario, capabilities: Collection[str]) -> dict[str, Message]:
    """The criteria whose needs the environment lacks, each with the reason."""
    lacking = {each.id: lacks(each.needs, capabilities) for each in plan.criteria}
    return {criterion: lacking_words(needs) for criterion, needs in lacking.items() if needs}


def asks_objectives(plan: Scenario) -> bool:
    """Whether everybody is on the API, and nothing is broken on purpose."""
    return plan.population.users == plan.population.flag_on and not plan.faults


def deciding(plan: Scenario) -> Iterator[Expected]:
    """What a week is decided by: the criteria, the checks, and the claims that the scenario names. The steps of a roll
    back are none of a week that was not rolled back."""
    yield from (Expected("", each.id, each.claim, kind=each.kind) for each in plan.criteria)
    checks = {flag_log.SHARE: "", flag_log.STEADY: "", **{check: CLAIM[check] for check in CHECKS}}
    yield from expected_of(checks.items(), kind=Kind.CHECK)
    yield from (Expected("", claim, claim) for claim in _promised(plan) if not claim.startswith(_ROLLBACK_STEPS))


def beside(plan: Scenario, capabilities: Collection[str]) -> Iterator[Expected]:
    """What else is told of a week, what became of a roll back's steps, and the errata that a criterion may show."""
    claims = [*_INDICATORS, *[_CHECK[claim] for claim in plan.claims if claim in _CHECK][:1], *_promised(plan)]
    if plan.population.users != plan.population.flag_on:
        claims += [STEPWISE, READ_ONLY]
    elif asks_objectives(plan):
        claims += OBJECTIVES
    if Capability.REAL_PROCESSES in capabilities:
        claims += [IN_ONE_PLACE, *PRINTED]
    yield from expected_of(((claim, claim) for claim in claims), kind=Kind.CHECK)
    for each in plan.criteria:
        if each.claim == RATE_CLAIM:
            yield Expected("", f"rate:{each.id}", RATE_CLAIM, kind=Kind.OBSERVATION)
        if not each.claim and each.asks is Sample.USERS and _ASKS_NO_USER & {*plan.claims}:
            yield Expected("", f"users:{each.id}", kind=Kind.OBSERVATION)


def _promised(plan: Scenario) -> list[str]:
    """The claims that the scenario names, and those of its criteria."""
    return [*dict.fromkeys((*plan.claims, *(each.claim for each in plan.criteria if each.claim)))]

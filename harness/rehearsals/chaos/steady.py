"""The criteria of the steady state: what the scenario promises of its requests while nothing is broken."""

from __future__ import annotations

from harness.model.judgement import Kind
from harness.model.scenario import Criterion, Metric, Scenario
from harness.rules.figures import SAMPLED
from harness.run.scenarios.load import load

#: The rollout table gives a latency for the weeks up to this one, and nothing lifts it for those after.
LATENCY_FROM = "rollout_week2"


def steady_criteria(scenario: Scenario) -> tuple[Criterion, ...]:
    """The success criteria of ``scenario`` that a sample of answers keeps or breaks, one of the latency among them."""
    own = _sampled(scenario)
    if any(each.metric is Metric.LATENCY_P95 for each in own):
        return own
    return (*own, *(each for each in _sampled(load(LATENCY_FROM)) if each.metric is Metric.LATENCY_P95))


def _sampled(scenario: Scenario) -> tuple[Criterion, ...]:
    return tuple(each for each in scenario.criteria if each.kind is Kind.CRITERION and each.metric in SAMPLED)

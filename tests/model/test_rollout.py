"""The template of a scenario gives the flag to whom the plan says."""

from __future__ import annotations

from harness.model.flag import FLAG, FlagClient, Template, evaluate
from harness.model.rollout import off_template, rollout_template
from harness.model.scenario import AudiencePlan, PopulationPlan
from harness.run.scenarios.load import load


def value(template: Template, audience: str, instance: int) -> str:
    return evaluate(template, FlagClient(instance_id=f"instance-{instance}", audience=audience))[FLAG]


def test_week3_gives_whole_audiences_and_a_share() -> None:
    template = rollout_template(load("rollout_week3").population)
    for audience in ("developers", "beta"):
        assert {value(template, audience, n) for n in range(200)} == {"true"}
    on = sum(value(template, "general", n) == "true" for n in range(20_000))
    assert abs(on / 20_000 - 100 / 350) < 0.01
    assert value(template, "strangers", 1) == "false"


def test_an_audience_without_the_flag_has_no_condition() -> None:
    plan = PopulationPlan(audiences=(AudiencePlan(name="general", users=5, flag_on=0),))
    template = rollout_template(plan)
    assert template.conditions == ()
    assert value(template, "general", 1) == "false"


def test_who_has_the_flag_keeps_it_when_the_share_grows() -> None:
    def on(flag_on: int) -> set[int]:
        plan = PopulationPlan(audiences=(AudiencePlan(name="general", users=350, flag_on=flag_on),))
        template = rollout_template(plan)
        return {n for n in range(2_000) if value(template, "general", n) == "true"}

    assert on(50) < on(100) < on(350) == set(range(2_000))


def test_off_is_off_for_everybody() -> None:
    assert {value(off_template(), audience, n) for audience in ("developers", "general") for n in range(9)} == {"false"}

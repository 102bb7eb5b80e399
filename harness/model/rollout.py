"""The Remote Config templates of a rollout: who has ``use_go_backend`` on.

Source: the document, "iOS側実装", "段階的ロールアウト計画" and "ロールバック手順".
"""

from __future__ import annotations

from harness.model.flag import FLAG, FlagCondition, Parameter, Template
from harness.model.scenario import PopulationPlan

SEED = "rollout"  # one seed for all weeks: who has the flag in one week keeps it in the next


def rollout_template(plan: PopulationPlan) -> Template:
    """One condition for each audience with the flag on: all of it, or the percentage ``flag_on`` is of its users."""
    conditions = tuple(
        FlagCondition(
            name=audience.name,
            audiences=(audience.name,),
            percent=round(100 * audience.flag_on / audience.users, 6),  # the resolution of Remote Config
            seed=SEED,
        )
        for audience in plan.audiences
        if audience.flag_on
    )
    on = tuple((condition.name, "true") for condition in conditions)
    return Template(conditions=conditions, parameters={FLAG: Parameter(default="false", conditional=on)})


def off_template() -> Template:
    """The flag off for everybody: ロールバック手順 1."""
    return Template(parameters={FLAG: Parameter(default="false")})

"""Loads the plan of the deploy rehearsal from YAML, strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from harness.base import planfile, yamltext
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.model.judgement import Kind
from harness.model.scenario import Criterion, Scenario
from harness.rehearsals.deploy.types import DeployPart, DeployPlan
from harness.run.scenarios.load import load as load_scenario

#: The scenario with everybody on the API.
_EVERYBODY = "rollout_week4"
PLAN = PLANS / "deploy.yaml"


class DeployFile(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as its file has it. ``limits`` names the scenario whose rollback limits a version may not break."""

    title: str
    limits: str
    parts: Annotated[tuple[DeployPart, ...], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for parts or versions that could not be told apart."""
        planfile.once(part.name for part in self.parts)
        planfile.once(part.version.name for part in self.parts)


def load(path: Path = PLAN, *, scenario: Scenario | None = None) -> DeployPlan:
    """The plan in ``path``, with the users of ``scenario`` (week 4's where none is given).

    Raises ``BadInput`` naming the file, the line and the value.
    """
    users = load_scenario(_EVERYBODY) if scenario is None else scenario

    def plan(found: DeployFile) -> DeployPlan:
        return DeployPlan(
            name=path.stem, title=found.title, limits=_limits(found.limits), parts=found.parts, scenario=users
        )

    return planfile.made(yamltext.read(path), str(path), DeployFile, plan)


def _limits(scenario: str) -> tuple[Criterion, ...]:
    try:
        return tuple(each for each in load_scenario(scenario).criteria if each.kind is Kind.ROLLBACK_LIMIT)
    except BadInput as error:
        raise planfile.RuleError(error.told, "limits", remedy=error.given[2]) from error

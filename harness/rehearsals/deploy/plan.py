"""Loads the plan of the deploy rehearsal from YAML, strictly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from harness.base import planfile
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.model.judgement import Kind
from harness.model.scenario import Scenario
from harness.rehearsals.deploy.types import DeployPart, DeployPlan, PartKind
from scenarios import claims
from scenarios.load import load as load_scenario

#: The scenario with everybody on the API.
_EVERYBODY = "rollout_week4"
PLAN = PLANS / "deploy.yaml"


class DeployFile(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as its file has it. ``limits`` names the scenario whose rollback limits a version may not break."""

    title: str
    limits: str
    parts: tuple[DeployPart, ...]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for parts that could not be told apart, or that say what nobody knows."""
        for names in ([part.name for part in self.parts], [part.version.name for part in self.parts]):
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise ValueError(f"every part and every version has one name of its own, and {twice[0]} is there twice")
        known = [*claims.REGISTER, *claims.ERRATA]
        for part in self.parts:
            for claim in part.claims:
                if claim not in known:
                    raise ValueError(f"{part.name}: unknown claim {claim!r}{planfile.nearest(claim, known)}")
            if part.kind is PartKind.BREAKING_SCHEMA and not (part.breaking and part.back):
                raise ValueError(f"{part.name}: a breaking schema needs `breaking` and `back`")


def load(path: Path = PLAN, *, scenario: Scenario | None = None) -> DeployPlan:
    """The plan in ``path``, with the users of ``scenario`` (week 4's where none is given).

    Raises ``BadInput`` naming the file and the value.
    """
    found = planfile.load(path, DeployFile)
    if not found.parts:
        raise BadInput("a plan has parts", where=str(path), remedy=f"see {PLAN.name} for the form")
    return DeployPlan(
        name=path.stem,
        title=found.title,
        limits=tuple(each for each in load_scenario(found.limits).criteria if each.kind is Kind.ROLLBACK_LIMIT),
        parts=found.parts,
        scenario=load_scenario(_EVERYBODY) if scenario is None else scenario,
    )

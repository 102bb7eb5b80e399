"""``python -m harness deploy_rehearsal``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.run.arguments import Paced, PartsOfPlan, Staged
from harness.run.command import Duration, option, other_than

if TYPE_CHECKING:
    from harness.rehearsals.deploy.types import DeployPlan


@dataclass(frozen=True, kw_only=True)
class DeployRehearsal(PartsOfPlan, Paced, Staged):
    """Versions rolled out and undone under load.

    A good one, bad ones undone, the schema changed.
    """

    name = "deploy_rehearsal"
    example = "--only good"

    pace: Duration = option(
        "how often each user sends a request", Duration, default=Duration("15s"), metavar="TIME", less=other_than("15s")
    )

    def planned(self) -> DeployPlan:
        from harness.rehearsals.deploy.plan import PLAN, load

        plan = load(self.plan or PLAN, scenario=self.scenario_of())
        return msgspec.structs.replace(plan, parts=self.chosen(plan.parts))

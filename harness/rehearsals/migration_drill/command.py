"""``python -m harness migration_drill``."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import msgspec

from harness.model.stack import Target
from harness.rehearsal.arguments import OnLocal, WithTarget
from harness.rehearsal.command import option, within
from harness.rehearsals.migration_drill.types import DrillPlan
from harness.stack.targets import resolve_command

PLAN = DrillPlan()


@dataclass(frozen=True, kw_only=True)
class Drill(OnLocal, WithTarget):
    """Walks moved to PostgreSQL under live traffic.

    The migrator is killed at drawn moments and goes on; then every document is compared with its walk.
    """

    name = "migration_drill"
    example = "--walks 1000 --kills 2"

    migrator: str = option(
        "a command of your own in place of `python -m harness migrate` (docs/contract/environment.md#migrator)",
        default="",
        metavar="COMMAND",
    )
    walks: int = option("so many walks lie in Firestore", within(50, 100_000), default=PLAN.walks, metavar="N")
    locations: int = option("so many locations each, on average", within(1, 1_000), default=PLAN.locations, metavar="N")
    kills: int = option("so often the migrator is killed", within(0, 100), default=PLAN.kills, metavar="N")

    def planned(self) -> DrillPlan:
        return msgspec.structs.replace(
            PLAN,
            migrator=tuple(shlex.split(self.migrator)),
            walks=self.walks,
            locations=self.locations,
            kills=self.kills,
        )

    def asked(self) -> Target:
        return resolve_command(self.target)

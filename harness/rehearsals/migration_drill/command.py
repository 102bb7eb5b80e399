"""``python -m harness migration_drill``."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from harness.base.planfile import typed
from harness.base.shell import shell_words
from harness.rehearsals.migration_drill.types import DrillPlan
from harness.run.arguments import TargetOnLocal
from harness.run.command import Duration, below, option, other_than, within

PLAN = DrillPlan()
WEEK = "rollout_week1"


@dataclass(frozen=True, kw_only=True)
class Drill(TargetOnLocal):
    """Walks moved to PostgreSQL under live traffic.

    The migrator is killed at drawn moments and goes on; every document is compared with its walk; then week 1 is run.
    """

    name = "migration_drill"
    example = "--walks 1000 --kills 2"

    migrator: str = option(
        "a command of your own in place of `python3 -m harness migrate` (docs/contract/environment.md#migrator)",
        default="",
        metavar="COMMAND",
        in_place=True,
    )
    walks: int = option(
        "so many walks lie in Firestore", within(50, 100_000), default=PLAN.walks, metavar="N", less=below(PLAN.walks)
    )
    locations: int = option(
        "so many locations each, on average",
        within(1, 1_000),
        default=PLAN.locations,
        metavar="N",
        less=below(PLAN.locations),
    )
    kills: int = option(
        "so often the migrator is killed; 0 holds",
        within(0, 100),
        default=PLAN.kills,
        metavar="N",
        less=below(PLAN.kills),
    )
    pace: Duration = option(
        "how often each user sends a request", Duration, default=Duration("5s"), metavar="TIME", less=other_than("5s")
    )
    week: Duration = option(
        "week 1 is run so long on what was moved; 0s: not",
        Duration,
        default=Duration("330s"),
        metavar="TIME",
        less=below("330s"),
    )

    def planned(self) -> DrillPlan:
        from harness.run.scenarios.load import load, with_options

        with typed("--pace"):
            population = msgspec.structs.replace(PLAN.population, pace_s=self.pace.seconds)
        return msgspec.structs.replace(
            PLAN,
            week=with_options(load(WEEK), window_s=self.week.seconds) if self.week.seconds else None,
            migrator=tuple(shell_words(self.migrator, "--migrator")),
            walks=self.walks,
            locations=self.locations,
            kills=self.kills,
            racing=min(PLAN.racing, self.walks // 10),  # a few walks are moved before many could be written
            population=population,
        )

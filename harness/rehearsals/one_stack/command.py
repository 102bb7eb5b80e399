"""``python -m harness rollout_one_stack``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from harness.base.errors import BadInput
from harness.model.message import Message, message
from harness.model.scenario import MOST_DURATION_S, Scenario
from harness.rehearsals.one_stack.types import OneStackPlan, legs_of
from harness.run.arguments import EVERYBODY, Paced, Simulable
from harness.run.command import Duration, below, option

_WEEKS = ("rollout_week1", "rollout_week2", "rollout_week3", EVERYBODY)
#: The document rolls back by setting the flag off for all; it is tried where most is to be reconciled.
_ROLLED_BACK = 3
_PACE, _FETCH = Duration("40s"), Duration("15s")


@dataclass(frozen=True, kw_only=True)
class OneStackCommand(Simulable, Paced):
    """Weeks 1 to 4 on one stack: walks live on, and are migrated.

    Before each step the walks of Firestore are migrated under live traffic; the users who move then ask the API for
    their old walks. With `--roll-back` week 3 ends on Firestore, and the rollout enters week 2 again. In the end the
    mirror to Firestore is stopped, and an account is deleted.
    """

    name = "rollout_one_stack"
    example = "--on local --roll-back"

    window: Duration | None = option(
        "length of each measuring window (default: each week's)", Duration, metavar="TIME", less=below("330s")
    )
    before: Duration = option(
        "how long everybody is on Firestore first", Duration, default=Duration("60s"), metavar="TIME", less=below("60s")
    )
    roll_back: bool = option("put everybody back on Firestore after week 3, and enter week 2 again", default=False)

    def planned(self) -> OneStackPlan:
        """The weeks with one pace, that of everybody's schedule."""
        weeks = tuple(self._week(name) for name in _WEEKS)
        back = _ROLLED_BACK if self.roll_back else 0
        plan = OneStackPlan(weeks=weeks, before_s=self.before.seconds, roll_back_after=back)
        if plan.before_s + plan.windows_s > MOST_DURATION_S:
            told = message("the weeks together last longer than one load may, {most} s", most=f"{MOST_DURATION_S:g}")
            raise BadInput(told, where="--window, --before", remedy="give shorter ones, or run the weeks one by one")
        return plan

    def said(self, plan: OneStackPlan) -> Iterable[Message]:
        """How long the windows are in all."""
        yield message(
            "{count} legs on one stack: measuring windows of {seconds} s in all",
            count=str(len([*legs_of(plan)])),
            seconds=f"{plan.windows_s:g}",
        )

    def _week(self, name: str) -> Scenario:
        week = self.scenario_of(name, window_s=self.window)
        pace, fetch = self.pace or _PACE, self.fetch_interval or _FETCH
        population = msgspec.structs.replace(week.population, pace_s=pace.seconds, fetch_interval_s=fetch.seconds)
        return msgspec.structs.replace(week, population=population)

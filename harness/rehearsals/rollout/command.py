"""``python -m harness run`` and ``rollout``.

``--fault KIND=AMOUNT``: what a week's command line injects, beside what its scenario does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.base.errors import BadInput
from harness.base.planfile import typed
from harness.model.message import Message, message
from harness.model.scenario import Scenario
from harness.model.stack import Fault
from harness.rules.judged import TAKEN
from harness.rules.register import bundled
from harness.run.arguments import Paced, Simulable, Spread
from harness.run.command import Duration, below, given, option
from harness.run.options import Options
from harness.run.resuming import Resumable
from harness.run.scenarios.faults import FaultFile, fault_of, within

if TYPE_CHECKING:
    from harness.model.result import Child
    from harness.rehearsals.rollout.sequence import RolloutDetails, RolloutPlan


def faults(texts: Iterable[str], scenario: Scenario) -> tuple[Fault, ...]:
    """The scenario's own and every ``--fault``; ``BadInput`` also for one that the scenario's window (``--window``)
    does not hold: it would never be, or not for as long.
    """
    given = tuple(texts)
    found = (*scenario.faults, *map(fault, given))
    missed = within(found, scenario.window_s)
    if missed is not None:
        index, why = missed
        own = len(scenario.faults)
        what = f"--fault {given[index - own]!r}" if index >= own else f"faults[{index}] ({found[index]})"
        raise BadInput(
            message("{what}: {why}", what=what, why=why),
            where=message("scenario {name}", name=scenario.name),
            remedy="let it begin earlier, or make the window longer with --window",
        )
    return found


def fault(text: str) -> Fault:
    """A ``--fault`` of the command line; ``BadInput`` names the text and the forms."""
    with typed(f"--fault {text!r}", where="--fault"):
        return fault_of(FaultFile.of_text(text))


_OF_WEEKS = re.compile(r"rollout\.week[1-4]\.(success|rollback)\.")  # claims that criteria alone judge


@dataclass(frozen=True, kw_only=True)
class OfWeeks(Simulable, Spread, Paced):
    """The week."""

    window: Duration | None = option(
        "length of the measuring window, e.g. 120s", Duration, metavar="TIME", less=below("330s")
    )
    fault: tuple[str, ...] = option("e.g. errors=12% (repeatable)", default=(), metavar="KIND=AMOUNT")

    def week(self, name: str) -> Scenario:
        """The scenario ``name`` with what the command line says of it. Raises ``BadInput``."""
        scenario = self.scenario_of(name, window_s=self.window)
        for named in (*(each.id for each in scenario.criteria), *(each.id for each in scenario.own_claims)):
            if named in TAKEN or (named in bundled().claims and not _OF_WEEKS.match(named)):  # two judgements of one id
                where = message("scenario {name}", name=scenario.name)
                taken = message("{name} is a check of every week", name=repr(named))
                raise BadInput(taken, where=where, remedy="give it another id")
        return msgspec.structs.replace(scenario, faults=faults(self.fault, scenario))


@dataclass(frozen=True, kw_only=True)
class RunCommand(OfWeeks):
    """Rehearse a week, or a scenario of your own, and judge it.

    A week has 500 users; 50, 150, 250 or all of them are on the API. It ends in a decision, which the exit status
    tells: 0 advance, 10 hold, 20 roll back; else 2 for wrong input, and 30 or more where something broke.
    """

    name, rehearsal = "run", "rollout_week"
    example = "rollout_week3 --on local --seed 7"

    scenario: str = option(
        "a bundled scenario's name (rollout_week3) or a YAML file of your own", positional=True, metavar="SCENARIO"
    )

    def planned(self) -> Scenario:
        return self.week(self.scenario)


@dataclass(frozen=True, kw_only=True)
class Weeks(OfWeeks, Resumable):
    """Weeks 1 to 4, each entered only if the one before advanced."""

    name = "rollout"
    example = "--weeks 2-3"

    weeks: str = option("which weeks, e.g. 2-3 or 4", default="1-4", metavar="FROM-TO")

    def resolved(self) -> Options:
        """Some weeks alone are a narrower run, as by ``--only``."""
        weeks = (f"--weeks {self.weeks}",) if "weeks" in given(self) else ()
        return msgspec.structs.replace(super().resolved(), only=weeks)

    def planned(self) -> RolloutPlan:
        """All weeks that are asked for, read before the first begins, so that a mistake costs no time."""
        from harness.rehearsals.rollout.sequence import PlannedWeek, RolloutPlan, weeks_of

        asked = weeks_of(self.weeks)
        weeks = tuple(PlannedWeek(week=week, scenario=self.week(f"rollout_week{week}")) for week in asked)
        return RolloutPlan(weeks=weeks, words=self.as_typed())

    def goes_on(self, plan: RolloutPlan, details: RolloutDetails, folder: Path) -> tuple[Any, tuple[Child, ...]]:
        """With every attempt that the rollout had not heard of."""
        from harness.rehearsals.rollout.sequence import resumable, with_killed

        known = with_killed(details, plan, folder)
        if known.attempts == details.attempts:
            resumable(plan, known)  # else what it had not heard of is to be told first
        return known, tuple(each.child for each in known.attempts)

    def said(self, plan: RolloutPlan) -> Iterable[Message]:
        """How long the windows are."""
        yield message(
            "weeks {weeks}: measuring windows of {seconds} s in all, each with its own stack",
            weeks=", ".join(str(week) for week in plan.asked),
            seconds=f"{sum(each.scenario.window_s for each in plan.weeks):g}",
        )

"""``python -m harness run`` and ``rollout``."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.base.clock import Clock
from harness.base.data import ROOT
from harness.base.errors import NOT_JSON, BadInput
from harness.base.owned import own
from harness.base.progress import Progress
from harness.judge.judged import TAKEN
from harness.model.message import message
from harness.model.scenario import Scenario
from harness.rehearsal.arguments import Paced, Simulable, first_lines, say_first
from harness.rehearsal.command import Duration, below, flag, given, option, parse, words
from harness.rehearsal.lifecycle import clock_of, conducted
from harness.rehearsal.options import Options
from harness.rehearsals.rollout.faults import faults
from harness.report.published import RESULT, RESULT_JSON
from scenarios.claims import REGISTER

if TYPE_CHECKING:
    from harness.model.result import Result
    from harness.rehearsal.conduct import Conductor
    from harness.rehearsal.environment import Environment
    from harness.rehearsals.rollout.sequence import Rollout
    from harness.rehearsals.rollout.weeks import RolloutDetails, RolloutPlan

_OF_WEEKS = re.compile(r"rollout\.week[1-4]\.(success|rollback)\.")  # claims that criteria alone judge
#: What a resume may be given: the rest is the rollout's own, as it was begun.
_FREE = {"resume", "yes_use_this_cluster", "reports", "json", "lang", "verbose", "quiet", "no_defaults"}


@dataclass(frozen=True, kw_only=True)
class OfWeeks(Simulable, Paced):
    """The week."""

    window: Duration | None = option(
        "length of the measuring window, e.g. 120s", Duration, metavar="TIME", less=below("330s")
    )
    fault: tuple[str, ...] = option("e.g. errors=12% (repeatable)", default=(), metavar="KIND=AMOUNT")

    def week(self, name: str) -> Scenario:
        """The scenario ``name`` with what the command line says of it. Raises ``BadInput``."""
        scenario = self.scenario_of(name, window_s=self.window)
        for named in (*(each.id for each in scenario.criteria), *(each.id for each in scenario.own_claims)):
            if named in TAKEN or (named in REGISTER and not _OF_WEEKS.match(named)):  # two judgements of one id
                where = message("scenario {name}", name=scenario.name)
                taken = message("{name} is a check of every week", name=repr(named))
                raise BadInput(taken, where=where, remedy="give it another id")
        return msgspec.structs.replace(scenario, faults=faults(self.fault, scenario))


@dataclass(frozen=True, kw_only=True)
class Run(OfWeeks):
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
class Weeks(OfWeeks):
    """Weeks 1 to 4, each entered only if the one before advanced."""

    name = "rollout"
    example = "--weeks 2-3"

    weeks: str = option("which weeks, e.g. 2-3 or 4", default="1-4", metavar="FROM-TO")
    resume: str | None = option(
        "continue a stopped rollout (its id, its folder, or latest) as it was begun", metavar="ROLLOUT"
    )

    @classmethod
    def takes_default(cls, name: str, typed: Sequence[str]) -> bool:
        """A rollout goes on as it was begun, whatever has become the default."""
        return name in _FREE or not any(word.partition("=")[0] == flag("resume") for word in typed)

    def resolved(self) -> Options:
        """Some weeks alone are a narrower run, as by ``--only``."""
        weeks = (f"--weeks {self.weeks}",) if "weeks" in given(self) else ()
        return msgspec.structs.replace(super().resolved(), only=weeks)

    def planned(self) -> RolloutPlan:
        """All weeks that are asked for, read before the first begins, so that a mistake costs no time."""
        from harness.rehearsals.rollout.weeks import PlannedWeek, RolloutPlan, weeks_of

        asked = weeks_of(self.weeks)
        weeks = tuple(PlannedWeek(week=week, scenario=self.week(f"rollout_week{week}")) for week in asked)
        # As a resume from any folder reads them, in the environment that is chosen now.
        manifests = None if self.manifests is None else self.manifests.absolute()
        typed = dataclasses.replace(self, on=str(self.chosen_rung()), manifests=manifests)
        return RolloutPlan(weeks=weeks, words=tuple(words(typed)))

    def run(self) -> int:
        """Conducts the weeks, or what is left of those that were begun."""
        with contextlib.ExitStack() as held:
            conductor = begun(self, held)
            clock, progress = conductor.clock, conductor.progress
            total_s = sum(each.scenario.window_s for each in conductor.plan.weeks)
            windows = message(
                "weeks {weeks}: measuring windows of {seconds} s in all, each with its own stack",
                weeks=", ".join(str(week) for week in conductor.plan.asked),
                seconds=f"{total_s:g}",
            )
            progress.detail = self.detail
            say_first(progress, self.lang, *first_lines(conductor.plan, self.name, conductor.options), windows)
            return conducted(lambda: conductor, clock, progress, self.lang, as_json=self.json, ended=self.ended)


def begun(
    typed: Weeks,
    held: contextlib.ExitStack,
    progress: Callable[[Clock], Progress] = Progress,
    environment: Environment | None = None,
) -> Conductor[RolloutPlan, RolloutDetails]:
    """The rollout, new or resumed, not yet run; until ``held`` is left no other process can continue it."""
    from harness.rehearsal.conduct import Conductor  # SciPy and psutil load here
    from harness.rehearsal.environment import environment_of
    from harness.rehearsals.rollout.resuming import locked
    from harness.rehearsals.rollout.sequence import REHEARSAL

    resumed: tuple[Path, RolloutDetails, Result] | None = None
    if typed.resume is None:
        plan, options = typed.planned(), typed.resolved()
    else:
        _nothing_else(typed)
        folder = _folder(typed.resume, typed.reports.absolute())
        result = RESULT.read(folder / RESULT_JSON)
        if result.rehearsal != REHEARSAL.name:
            told = message("{run} is no rollout but a run of {rehearsal}", run=folder.name, rehearsal=result.rehearsal)
            raise BadInput(told, where=str(folder), remedy="name the rollout by its id or its folder")
        held.enter_context(locked(folder))
        result = RESULT.read(folder / RESULT_JSON)  # as whoever held it has left it
        plan, options, details = _resumed(REHEARSAL, folder, result, typed)
        children = tuple(each.child for each in details.attempts)
        resumed = folder, details, msgspec.structs.replace(result, children=children)
    clock, where = clock_of(options.rung), environment or environment_of(options.rung)
    conductor = Conductor(REHEARSAL, plan, options, clock, progress(clock), environment=where, resumed=resumed)
    if resumed is None:
        held.enter_context(locked(conductor.folder))
    return conductor


def _resumed(
    rehearsal: Rollout, folder: Path, result: Result, typed: Weeks
) -> tuple[RolloutPlan, Options, RolloutDetails]:
    from harness.rehearsal.conclude import details_of
    from harness.rehearsal.conduct import PLAN_JSON
    from harness.rehearsals.rollout.resuming import with_killed
    from harness.rehearsals.rollout.weeks import resumable

    try:
        own(folder / PLAN_JSON)  # its words say what is run
        plan = msgspec.json.decode((folder / PLAN_JSON).read_bytes(), type=rehearsal.plan)
        known = details_of(rehearsal, result)
    except (OSError, *NOT_JSON) as error:
        told = message("the folder holds no rollout that can go on: {error}", error=str(error))
        raise BadInput(told, where=str(folder), remedy="begin a new rollout") from error
    if (details := with_killed(known, plan, folder)).attempts == known.attempts:
        resumable(plan, details)  # else what it had not heard of is to be told first
    free: dict[str, Any] = {"yes_use_this_cluster": typed.yes_use_this_cluster, "lang": typed.lang}
    as_begun = dataclasses.replace(parse(Weeks, plan.words), **free)
    options = msgspec.structs.replace(as_begun.resolved(), reports=folder.parent, replay=result.facts.replay)
    return plan, options, details


def _nothing_else(typed: Weeks) -> None:
    if more := sorted(set(given(typed)) - _FREE):
        told = message("--resume goes on as it was begun, with none of {options}", options=", ".join(map(flag, more)))
        raise BadInput(told, where="--resume", remedy="leave them out, or begin a new rollout, with --weeks if need be")


def _folder(named: str, reports: Path) -> Path:
    """The rollout's folder, by its id (or ``latest``) in the reports folder or by its path."""
    by_id = reports / named
    for path in (by_id, Path(named).absolute(), ROOT / named):
        if (path / RESULT_JSON).exists():
            return path.resolve()
    return by_id.resolve()  # the reader says what is missing

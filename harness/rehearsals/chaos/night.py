"""``chaos_nightly``: schedules drawn from one seed after the other, each run as ``chaos`` on a stack of its own,
within a budget of time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from harness.base.clock import NS
from harness.base.errors import NOT_JSON, Exit, NotCapable, RehearsalError, more_severe
from harness.model.judgement import Expected, Judgement, Kind, Verdict
from harness.model.message import Message, ProgressCallback, Told, joined, message, whole
from harness.model.result import Result, RunInfo
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.chaos.facts_night import PHRASES, facts, spent
from harness.rehearsals.chaos.rehearsal import REHEARSAL as CHAOS
from harness.rehearsals.chaos.types import (
    ChaosPlan,
    EndedSchedule,
    NightDetails,
    NightPlan,
    PlannedExperiment,
    Schedule,
)
from harness.report.language import write_atomically
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.run.result import details_of

FAILING_SEEDS = "chaos-failing-seeds.json"


class ScheduleBroke(RehearsalError):  # noqa: N818 - the exception tree reads as outcomes, not as "...Error"
    """Schedules of the night broke: each has said why. It ends as the most severe of them did."""

    def __init__(self, ended: Sequence[EndedSchedule]) -> None:
        said = [message("seed {seed}: {why}", seed=str(each.seed), why=why) for each in ended for why in each.broke]
        super().__init__(joined(said), remedy="see the schedules' own reports")
        self.exit = more_severe(*(Exit(each.exit_status) for each in ended))


class Night(Rehearsal[NightPlan, NightDetails]):
    """The rehearsal. Each schedule has its own stack, and a failing one does not keep the next. No figures: two nights
    draw different schedules."""

    name = "chaos_nightly"
    plan, details = NightPlan, NightDetails
    phrases = PHRASES

    def title(self, plan: NightPlan) -> Message:
        """How many were asked for, and which shard of a night they are."""
        count = str(len(plan.schedules))
        if plan.shard:
            return message("A night of chaos, shard {shard}: {count} schedules", shard=plan.shard, count=count)
        return message("A night of chaos: {count} schedules", count=count)

    def expected(self, plan: NightPlan, facts: RunInfo) -> Iterable[Expected]:
        """Every schedule, and that there were enough."""
        _ = facts
        schedules = (Expected("", f"seed {each.seed}") for each in plan.schedules)
        return (*schedules, Expected("", "schedules", kind=Kind.CHECK))

    async def run(self, plan: NightPlan, on: RunContext[NightDetails]) -> None:
        """The schedules in order; what one came to is on disk as soon as it has ended.

        Raises ``ScheduleBroke`` at the end, and ``EvidenceNotWritten`` when failing seeds could not be kept.
        """
        refused: list[RehearsalError] = []
        for number, schedule in enumerate(plan.schedules, 1):
            if (on.clock.now_ns() - on.started_ns) / NS > plan.budget_s:
                on.details.left = [each.seed for each in plan.schedules[number - 1 :]]
                on.say(spent(plan, on.details))
                break
            which = {"number": str(number), "all": str(len(plan.schedules)), "seed": str(schedule.seed)}
            drawn = ", ".join(schedule.drawn)
            on.begin(message("schedule {number} of {all}, seed {seed}: {drawn}", drawn=drawn, **which))
            on.details.ended.append(ended := await _conducted(plan, schedule, on))
            try:
                keep_failing(ended, on)
            except RehearsalError as error:
                refused.append(error)
                on.say(whole(error))
            if on.cut:
                raise asyncio.CancelledError
            on.publish()
        on.mark("schedules")
        if refused:
            raise refused[0]
        if broke := [each for each in on.details.ended if each.broke]:
            raise ScheduleBroke(broke)

    def measured(self, plan: NightPlan, seen: RunRecord[NightDetails]) -> Iterable[Fact]:
        """Of every schedule, and of all."""
        return facts(plan, seen.details)

    def completed(self, plan: NightPlan, seen: RunRecord[NightDetails], found: Judgement) -> Judgement:
        """Beside each schedule that was made stand its replay and how long it took."""
        _ = plan
        ended = next((each for each in seen.details.ended if f"seed {each.seed}" == found.id), None)
        again = {} if ended is None else {"reproduce": ended.replay, "seconds": ended.seconds}
        return msgspec.structs.replace(found, **again)


async def _conducted(plan: NightPlan, schedule: Schedule, on: RunContext[NightDetails]) -> EndedSchedule:
    begun_ns = on.clock.now_ns()
    chaos = ChaosPlan(
        experiments=tuple(PlannedExperiment(experiment=catalogue.load(name)) for name in schedule.drawn),
        scenario=plan.scenario,
        criteria=plan.criteria,
        reconcile=plan.reconcile,
    )
    try:
        result = await on.child(f"seed {schedule.seed}", CHAOS, chaos, seed=schedule.seed, replay=schedule.replay)
    except RehearsalError as error:  # nothing was begun
        seconds, unable = _since(begun_ns, on), isinstance(error, NotCapable)
        return EndedSchedule(
            seed=schedule.seed, drawn=schedule.drawn, folder="", replay=schedule.replay, seconds=seconds,
            exit_status=int(Exit.HOLD if unable else error.exit), exercised=0, calls=0, failed=0,
            broke=() if unable else (whole(error),),
        )  # fmt: skip
    return ended_as(schedule, result, _since(begun_ns, on))


def ended_as(schedule: Schedule, result: Result, seconds: float) -> EndedSchedule:
    """What is kept of a schedule's result."""
    made = [each for each in result.judgements if each.kind is Kind.CRITERION]
    exercised = len(details_of(CHAOS, result).made)
    return EndedSchedule(
        seed=schedule.seed,
        drawn=schedule.drawn,
        folder=result.run_id,
        replay=schedule.replay,
        seconds=seconds,
        exit_status=int(result.status),
        exercised=exercised,
        calls=sum(each.samples for each in made),
        failed=sum(int(each.value or 0) for each in made),
        shortcomings=shortcomings(result.judgements),
        broke=(*(result.facts.errors_told or result.facts.errors), *result.facts.leaks),
    )


def shortcomings(judgements: Iterable[Judgement]) -> Told:
    """The experiments and checks that neither passed nor were left out, with their reasons."""
    return tuple(
        message("{name}: {verdict}: {why}", name=each.id, verdict=str(each.verdict), why=joined(each.told))
        for each in judgements
        if not each.verdict.good and each.verdict is not Verdict.NOT_EXERCISED
    )


def keep_failing(ended: EndedSchedule, on: RunContext[NightDetails]) -> None:
    """A failing seed is kept at once: what the night comes to is not waited for. Raises ``EvidenceNotWritten``."""
    if ended.nothing or ended.exit_status in {Exit.OK, Exit.INTERRUPTED}:
        return
    path = on.options.reports / FAILING_SEEDS
    keep_seed(path, {"seed": ended.seed, "rung": str(on.options.rung), "replay": ended.replay}, on.say)
    on.say(message("the seed {seed} is kept in {path}", seed=str(ended.seed), path=str(path)))


def keep_seed(path: Path, entry: dict[str, object], tell: ProgressCallback) -> None:
    """Adds ``entry`` to those kept in ``path``, once. One that cannot be read is begun anew, and told of.

    Raises ``EvidenceNotWritten``.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=list[dict[str, object]]) if path.exists() else []
    except (OSError, *NOT_JSON) as error:
        tell(message("{path} cannot be read ({error}): it is begun anew", path=str(path), error=str(error)))
        kept = []
    if entry not in kept:
        write_atomically(path, (json.dumps([*kept, entry], indent=2) + "\n").encode())


def _since(begun_ns: int, on: RunContext[NightDetails]) -> float:
    return round((on.clock.now_ns() - begun_ns) / NS, 3)


REHEARSAL = Night()

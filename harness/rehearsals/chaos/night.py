"""``chaos_nightly``: schedules drawn from one seed after the other, each conducted as ``chaos`` on a stack of its own,
within a budget of time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from chaos import catalogue
from harness.base.clock import NS
from harness.base.errors import NOT_JSON, Exit, NotCapable, RehearsalError, more_severe
from harness.base.units import Unit
from harness.model.expected import Expected
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Tell, Told, joined, message, verbatim, whole
from harness.model.result import Facts, Result
from harness.model.section import Row, Section, Table, table_of
from harness.model.verdict import Verdict
from harness.rehearsal.conclude import details_of
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.chaos.rehearsal import REHEARSAL as CHAOS
from harness.rehearsals.chaos.types import ChaosPlan, Ended, NightDetails, NightPlan, PlannedExperiment, Schedule
from harness.report.files import REPORT_HTML, write_atomically

FAILING_SEEDS = "chaos-failing-seeds.json"


class ScheduleBroke(RehearsalError):  # noqa: N818 - the exception tree reads as outcomes, not as "...Error"
    """Schedules of the night broke: each has said why. It ends as the most severe of them did."""

    def __init__(self, ended: Sequence[Ended]) -> None:
        said = [message("seed {seed}: {why}", seed=str(each.seed), why=why) for each in ended for why in each.broke]
        super().__init__(joined(said), remedy="see the schedules' own reports")
        self.exit = more_severe(*(Exit(each.exit_status) for each in ended))


class Night(Rehearsal[NightPlan, NightDetails]):
    """The rehearsal. Each schedule has its own stack, and a failing one does not keep the next. No figures: two nights
    draw different schedules."""

    name = "chaos_nightly"
    plan, details = NightPlan, NightDetails

    def title(self, plan: NightPlan) -> Message:
        """How many were asked for."""
        return message("A night of chaos: {count} schedules", count=str(len(plan.schedules)))

    def expected(self, plan: NightPlan, facts: Facts) -> Iterable[Expected]:
        """Every schedule."""
        return (*super().expected(plan, facts), *(Expected("", f"seed {each.seed}") for each in plan.schedules))

    async def run(self, plan: NightPlan, on: Running[NightDetails]) -> None:
        """The schedules in order; what one came to is on disk as soon as it has ended.

        Raises ``ScheduleBroke`` at the end, and ``EvidenceNotWritten`` when failing seeds could not be kept.
        """
        refused: list[RehearsalError] = []
        for number, schedule in enumerate(plan.schedules, 1):
            if (on.clock.now_ns() - on.started_ns) / NS > plan.budget_s:
                on.details.left = [each.seed for each in plan.schedules[number - 1 :]]
                on.say(_spent(plan, on.details))
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

    def judge(self, plan: NightPlan, seen: Seen[NightDetails]) -> Iterable[Judgement]:
        """Every schedule that was made, or left by the budget; and that there were enough that did anything."""
        for each in seen.details.ended:
            yield _judged(each)
        told = (_spent(plan, seen.details),)
        for seed in seen.details.left:
            yield Judgement(id=f"seed {seed}", verdict=Verdict.NOT_EXERCISED, told=told, gates=False)
        yield _enough(plan, seen.details)

    def sections(self, plan: NightPlan, seen: Seen[NightDetails]) -> Iterable[Section]:
        """What each schedule drew, what failed meanwhile, how long it took, and how it is made again."""
        _ = plan
        if seen.details.ended:
            yield _schedules_table(seen.details.ended)


def _spent(plan: NightPlan, details: NightDetails) -> Message:
    made = {"seconds": f"{plan.budget_s:g}", "made": str(len(details.ended)), "all": str(len(plan.schedules))}
    return message("the budget of {seconds} s is spent; {made} of {all} schedules were made", **made)


async def _conducted(plan: NightPlan, schedule: Schedule, on: Running[NightDetails]) -> Ended:
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
        return Ended(
            seed=schedule.seed, drawn=schedule.drawn, folder="", replay=schedule.replay, seconds=seconds,
            exit_status=int(Exit.HOLD if unable else error.exit), exercised=0, calls=0, failed=0,
            broke=() if unable else (whole(error),),
        )  # fmt: skip
    return ended_as(schedule, result, _since(begun_ns, on))


def ended_as(schedule: Schedule, result: Result, seconds: float) -> Ended:
    """What is kept of a schedule's result."""
    made = [each for each in result.judgements if each.kind is Kind.CRITERION]
    exercised = len(details_of(CHAOS, result).made)
    return Ended(
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


def keep_failing(ended: Ended, on: Running[NightDetails]) -> None:
    """A failing seed is kept at once: what the night comes to is not waited for. Raises ``EvidenceNotWritten``."""
    if ended.nothing or ended.exit_status in {Exit.OK, Exit.INTERRUPTED}:
        return
    path = on.options.reports / FAILING_SEEDS
    keep_seed(path, {"seed": ended.seed, "rung": str(on.options.rung), "replay": ended.replay}, on.say)
    on.say(message("the seed {seed} is kept in {path}", seed=str(ended.seed), path=str(path)))


def keep_seed(path: Path, entry: dict[str, object], tell: Tell) -> None:
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


def _judged(ended: Ended) -> Judgement:
    told: Told = (*ended.shortcomings, *(each if isinstance(each, Message) else verbatim(each) for each in ended.broke))
    status = message("exit status {status}", status=str(ended.exit_status))
    verdict = Verdict.PASS if ended.exit_status == Exit.OK else Verdict.FAIL
    if ended.nothing:
        verdict, status = Verdict.NOT_EXERCISED, message("it had nothing that the environment can do")
    return Judgement(
        id=f"seed {ended.seed}",
        verdict=verdict,
        asked=(message("seed {seed}: {drawn}", seed=str(ended.seed), drawn=", ".join(ended.drawn)),),
        told=told or (status,),
        value=float(ended.failed),
        unit=Unit.FLAWS,
        samples=ended.calls,
        gates=not ended.nothing,
        reproduce=ended.replay,
        seconds=ended.seconds,
    )


def _enough(plan: NightPlan, details: NightDetails) -> Judgement:
    """Fewer schedules than ``plan.least`` in which anything was done are no night."""
    exercised, least = sum(each.exercised > 0 for each in details.ended), max(plan.least, 1)
    counts = {"made": len(details.ended), "asked": len(plan.schedules), "exercised": exercised, "least": least}
    told = message(
        "{made} of {asked} schedules made; {exercised} of them did something, and at least {least} were to",
        **{name: str(count) for name, count in counts.items()},
    )
    return Judgement(
        id="schedules",
        kind=Kind.CHECK,
        verdict=Verdict.PASS if exercised >= least else Verdict.INCONCLUSIVE,
        asked=(message("schedules in which something was done"),),
        told=(told,),
        value=float(exercised),
        limit=float(least),
        samples=len(details.ended),
    )


def _schedules_table(ended: Sequence[Ended]) -> Table:
    return table_of(
        message("Schedules"),
        ended,
        (message("Seed"), lambda each: str(each.seed)),
        (message("Ended"), lambda each: message("exit status {status}", status=str(each.exit_status))),
        (message("Experiments"), lambda each: ", ".join(each.drawn)),
        (message("Failed"), lambda each: message("{failed} of {all}", failed=str(each.failed), all=str(each.calls))),
        (message("Took"), lambda each: f"{each.seconds:.0f} s"),
        (message("Replay"), lambda each: each.replay),
        row=lambda each: Row(cells=(), link=f"{each.folder}/{REPORT_HTML}" if each.folder else ""),
        numbers=(3, 4),
    )


def _since(begun_ns: int, on: Running[NightDetails]) -> float:
    return round((on.clock.now_ns() - begun_ns) / NS, 3)


REHEARSAL = Night()

"""The rollout: the weeks of the document's table in order, each entered only if the one before advanced.

Each week is a whole run of its own with its own stack. The rollout's result is written before the first week and after
each, so that one that was interrupted, held or killed can be resumed at the week at which it stands.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from harness.base.clock import NS, utc
from harness.base.errors import Exit, RehearsalError
from harness.base.units import Unit
from harness.judge.chance import advances
from harness.model.judgement import Judgement, Kind, errata_of, observation
from harness.model.manifests import Manifests
from harness.model.message import Message, Told, english, message, quantity
from harness.model.result import Part, Result
from harness.model.scenario import Scenario
from harness.model.section import Section
from harness.model.verdict import Decision, Verdict
from harness.rehearsal.conduct import Conductor
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Needs, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.rollout.sequence_sections import rollout_sections
from harness.rehearsals.rollout.week import REHEARSAL as WEEK
from harness.rehearsals.rollout.weeks import (
    WEEKS,
    Attempt,
    PlannedWeek,
    RolloutDetails,
    RolloutPlan,
    attempt_of,
    latest,
    next_week,
    part_of_week,
    stands,
)
from harness.report.language import language
from harness.report.terminal import closing_text


class WeekUnderWay(Protocol):
    """A week's run."""

    async def run(self) -> Result:
        """Its result, however it ended."""
        ...

    def interrupt(self) -> None:
        """Ends it in its own orderly way; harmless once that has begun."""
        ...


class MakeWeek(Protocol):
    """Makes a week's run, not yet begun. Raises ``RehearsalError`` where none comes about."""

    def __call__(self, plan: Scenario, options: Options, on: Running[RolloutDetails]) -> WeekUnderWay: ...


def conducted(plan: Scenario, options: Options, on: Running[RolloutDetails]) -> WeekUnderWay:
    """A week where the rollout itself is."""
    return Conductor(WEEK, plan, options, on.clock, on.progress, environment=on.environment)


class Rollout(Rehearsal[RolloutPlan, RolloutDetails]):
    """The rehearsal; its plan is several weeks, whose claims and figures are in their own runs."""

    name, decides = "rollout", True
    plan, details = RolloutPlan, RolloutDetails

    def __init__(self, make: MakeWeek) -> None:
        self._make = make

    def title(self, plan: RolloutPlan) -> Message:
        """Which weeks."""
        first, last = str(plan.asked[0]), str(plan.asked[-1])
        weeks = first if first == last else message("{least} to {most}", least=first, most=last)
        return message("Rollout, weeks {weeks}", weeks=weeks)

    def parts(self, plan: RolloutPlan, seen: Seen[RolloutDetails]) -> Sequence[Part]:
        """A part a week."""
        took = {each.week: each.seconds for each in seen.details.attempts}
        return tuple(
            Part(name=part_of_week(each.week), title=WEEK.title(each.scenario), seconds=took.get(each.week, 0.0))
            for each in plan.weeks
        )

    def arrange(self, plan: RolloutPlan, options: Options, manifests: Manifests) -> Needs:
        """Each week brings its own stack up and down, and is refused with the whole."""
        needs = (WEEK.arrange(each.scenario, options, manifests) for each in plan.weeks)
        return Needs(capabilities=frozenset().union(*(each.capabilities for each in needs)))

    async def run(self, plan: RolloutPlan, on: Running[RolloutDetails]) -> None:
        """The weeks in order, up to the first that does not advance."""
        await _Weeks(plan, on, self._make).run()

    def judge(self, plan: RolloutPlan, seen: Seen[RolloutDetails]) -> Iterable[Judgement]:
        """A judgement on each week asked for, by its latest attempt, and the errata that the weeks saw."""
        begun = latest(seen.details)
        for each in plan.weeks:
            yield judged_week(each.week, begun.get(each.week))
        yield final_check(begun)
        for week, attempt in begun.items():
            for erratum, told in errata_of(attempt.judgements).items():
                yield observation(erratum, told, erratum=erratum, part=part_of_week(week))

    def sections(self, plan: RolloutPlan, seen: Seen[RolloutDetails]) -> Iterable[Section]:
        """Where each week stands, with its criteria and figures."""
        return rollout_sections(plan, seen)


def judged_week(week: int, attempt: Attempt | None) -> Judgement:
    """What became of a week: a roll back is one of the rollout, too."""
    part = part_of_week(week)
    asked = (message("week {week} advances", week=str(week)),)
    if attempt is None:
        told: Told = (message("not entered: the week before did not advance"),)
        return Judgement(id=part, part=part, asked=asked, verdict=Verdict.NOT_EXERCISED, told=told)
    notes: Told = (attempt_words(attempt.attempt),) if attempt.attempt > 1 else ()
    rolled_back = attempt.decision is Decision.ROLL_BACK
    return Judgement(
        id=part,
        part=part,
        kind=Kind.ROLLBACK_LIMIT if rolled_back else Kind.CRITERION,
        asked=asked,
        verdict=_verdict(attempt),
        told=tuple(_why(attempt)),
        notes=notes,
        seconds=attempt.seconds,
    )


def final_check(begun: Mapping[int, Attempt]) -> Judgement:
    """What is looked at in the last week: all four have advanced, and their evidence is in one report."""
    waiting = [str(week) for week in WEEKS if week not in begun]
    stopped = [each for each in begun.values() if not each.advanced]
    told, verdict = message("all four weeks advanced"), Verdict.PASS
    if stopped:
        weeks = ", ".join(str(each.week) for each in stopped)
        failed = Verdict.FAIL in map(_verdict, stopped)
        told = message("did not advance: week {weeks}", weeks=weeks)
        verdict = Verdict.FAIL if failed else Verdict.INCONCLUSIVE
    elif waiting:
        told, verdict = message("not entered: week {weeks}", weeks=", ".join(waiting)), Verdict.NOT_EXERCISED
    claim = "rollout.week4.check"
    return Judgement(id=claim, claim=claim, kind=Kind.CHECK, gates=False, verdict=verdict, told=(told,))


def _verdict(attempt: Attempt) -> Verdict:
    if attempt.advanced:
        return Verdict.PASS
    failed = any(each.holds and each.verdict is Verdict.FAIL for each in attempt.judgements)
    decided = attempt.decision in (Decision.HOLD, Decision.ROLL_BACK)
    return Verdict.FAIL if decided and (failed or attempt.decision is Decision.ROLL_BACK) else Verdict.INCONCLUSIVE


def _why(attempt: Attempt) -> Iterator[Message]:
    yield attempt.done
    for each in attempt.judgements:
        if each.fired if attempt.decision is Decision.ROLL_BACK else each.holds:
            first, *more = each.told
            yield message("{what}: {why}", what=each.id, why=first)
            yield from more
    for error in attempt.errors:
        yield message("error: {error}", error=error)
    for leak in attempt.leaks:
        yield message("left on the machine: {leak}", leak=leak)


def attempt_words(attempt: int) -> Message:
    """What so many tries do to the confidence of an advance."""
    return message(
        "attempt {number}; a target that is just at its limit advances in one of {number} tries in up to {share}",
        number=str(attempt),
        share=quantity(round(advances(attempt), 2), Unit.RATIO),
    )


class _Weeks:
    """A rollout under way. A week is never cut: an interrupt is passed on to it, and its end is awaited."""

    def __init__(self, plan: RolloutPlan, on: Running[RolloutDetails], make: MakeWeek) -> None:
        self._plan = plan
        self._on = on
        self._make = make
        self._current: WeekUnderWay | None = None
        self._task: asyncio.Task[None] | None = None
        self._interrupted = False

    async def run(self) -> None:
        on, details = self._on, self._on.details
        details.rollout, details.cut = on.run_id, False
        on.children.extend(each.child for each in details.attempts)
        on.at_end(self._ended)
        on.publish()
        while (week := next_week(self._plan, details)) is not None:
            if self._interrupted:
                details.cut = True
                raise asyncio.CancelledError
            planned = next(each for each in self._plan.weeks if each.week == week)
            self._task = asyncio.ensure_future(self._enter(planned))
            await self._until_ended(self._task)
            last = latest(details).get(week)
            if last is None or not last.advanced:
                self._stop(last)
                return

    async def _until_ended(self, task: asyncio.Task[None]) -> None:
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                self._interrupted = True
                if self._current is not None:
                    self._current.interrupt()
        task.result()

    async def _ended(self) -> None:
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _enter(self, planned: PlannedWeek) -> None:
        on, details = self._on, self._on.details
        attempt = 1 + sum(each.week == planned.week for each in details.attempts)
        on.progress.plain("")
        again = f" ({attempt_words(attempt)})" if attempt > 1 else ""
        on.say(f"entering {planned.scenario.title}{again}")
        started_ns = on.clock.now_ns()
        ended = Attempt(week=planned.week, attempt=attempt, started_utc=utc(on.clock.anchor, started_ns), seconds=0.0)
        try:
            result = await self._conduct(planned)
            seconds = (on.clock.now_ns() - started_ns) / NS
            ended = attempt_of(result, week=planned.week, attempt=attempt, seconds=seconds)
        except RehearsalError as error:
            ended = msgspec.structs.replace(ended, exit_status=int(error.exit), errors=(str(error),))
        details.attempts = (*details.attempts, ended)
        on.children.append(ended.child)
        on.publish()

    async def _conduct(self, planned: PlannedWeek) -> Result:
        on = self._on
        options = msgspec.structs.replace(
            on.options, reports=on.folder, replay=_replay_of(on.options, planned.scenario)
        )
        self._current = self._make(planned.scenario, options, on)
        try:
            result = await self._current.run()
        finally:
            self._current = None
        on.progress.plain(closing_text(result, str(on.folder / result.run_id), language(options.lang)))
        return result

    def _stop(self, last: Attempt | None) -> None:
        """Ends a rollout whose week broke, was interrupted or left something as that week ended."""
        status = Exit.INTERNAL if last is None else Exit(last.exit_status)
        if status in (Exit.OK, Exit.HOLD, Exit.ROLLED_BACK):
            return
        error = RehearsalError(english(stands(self._plan, self._on.details, ended=True)))
        error.exit = status
        raise error


def _replay_of(options: Options, scenario: Scenario) -> str:
    """The command that runs one week of a rollout again: its words, without ``--weeks``."""
    words = shlex.split(options.replay)
    if "--weeks" in words:
        place = words.index("--weeks")
        del words[place : place + 2]
    command = words.index("rollout")
    return shlex.join([*words[:command], "run", scenario.name, *words[command + 1 :]])


REHEARSAL = Rollout(conducted)

"""The rollout: the weeks of the document's table in order, each entered only if the one before advanced.

Each week is a whole run of its own with its own stack. The rollout's result is written before the first week and after
each, so that one that was interrupted, held or killed can be resumed at the week at which it stands.

Going on with a rollout that was cut short: by one process alone, and with every attempt at a week that it had.

A week that was killed, or whose rollout was before it heard of the week, is in the rollout's folder alone. It counts as
an attempt, or a target would have one more try than is told; and where its evidence rolls back, so was the rollout.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.base.clock import NS, utc
from harness.base.errors import BadInput, Exit, RehearsalError
from harness.base.units import Unit
from harness.evidence.store import stored
from harness.model.judgement import Decision, Judgement, Kind, Verdict, errata_of, observation
from harness.model.message import Message, Told, english, gettext_noop, joined, message, quantity
from harness.model.result import Child, Part, Result
from harness.model.scenario import Scenario
from harness.model.section import Cell, Pairs, Row, Section, Table
from harness.model.stack import Capability, Fault
from harness.rehearsals.rollout.sections import NONE
from harness.rehearsals.rollout.week import REHEARSAL as WEEK
from harness.report.language import REPORT_HTML
from harness.report.published import RESULT, RESULT_JSON
from harness.report.terminal import closing_lines
from harness.rules.chance import advances
from harness.rules.judged import combine
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.run.result import details_of, judged

# A rollout as data: the weeks that it is to enter, and every attempt at one. Pure.

WEEKS = (1, 2, 3, 4)
_DONE = {
    Decision.ADVANCE: gettext_noop("week {week} advanced"),
    Decision.HOLD: gettext_noop("week {week} held"),
    Decision.ROLL_BACK: gettext_noop("week {week} was rolled back"),
    None: gettext_noop("week {week} broke"),
}


class PlannedWeek(msgspec.Struct, frozen=True, kw_only=True):
    """A week of the document's table, with the command line's overrides."""

    week: int
    scenario: Scenario


class RolloutPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The weeks in order. ``words`` are the command line's, for a resume."""

    name: str = "rollout"
    weeks: tuple[PlannedWeek, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[int, ...]:
        """Their numbers."""
        return tuple(each.week for each in self.weeks)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is injected in any of them."""
        return tuple(fault for each in self.weeks for fault in each.scenario.faults)


class WeekAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a week, 1 or more after ``--resume``. ``run_id`` is "" when no run came about, ``seconds`` from
    its beginning to its report, ``decision`` ``None`` when it broke. ``target_digest`` is of the program
    or image that it was of ("": not known).
    """

    week: int
    attempt: int
    started_utc: str
    seconds: float
    run_id: str = ""
    decision: Decision | None = None
    exit_status: int = int(Exit.INTERNAL)
    judgements: tuple[Judgement, ...] = ()
    leaks: tuple[str, ...] = ()
    errors: tuple[Message | str, ...] = ()
    target_digest: str = ""

    def of_another(self, digest: str) -> bool:
        """Whether its program or image is known, and not that of ``digest``, if that is known: a rollout that held may
        be resumed with another one."""
        return bool(digest and self.target_digest) and self.target_digest != digest

    @property
    def advanced(self) -> bool:
        """Whether the next week may be entered: it advanced, and nothing broke or was left."""
        return self.decision is Decision.ADVANCE and self.exit_status == Exit.OK

    @property
    def part(self) -> str:
        """The part of the rollout that it is of."""
        return part_of_week(self.week)

    @property
    def child(self) -> Child:
        """As the result lists it."""
        return Child(
            part=self.part, run_id=self.run_id, folder=self.run_id, decision=self.decision, exit_status=self.exit_status
        )

    @property
    def done(self) -> Message:
        """What became of it."""
        return Message(text=_DONE[self.decision], values={"week": str(self.week)})


class RolloutDetails(msgspec.Struct, kw_only=True):
    """``rollout`` is its id, for a resume; ``attempts`` are in order. ``cut``: it was interrupted with a week left that
    would have been entered.
    """

    rollout: str = ""
    attempts: tuple[WeekAttempt, ...] = ()
    cut: bool = False

    @property
    def went_on(self) -> tuple[tuple[str, str], ...]:
        """The runs on which the rollout went on: each week's part, and the run's id, which is its folder's name."""
        return tuple((each.part, each.run_id) for each in self.attempts if each.advanced)


def part_of_week(week: int) -> str:
    """The name of a week's part."""
    return f"week{week}"


def attempt_of(result: Result, *, week: int, attempt: int, seconds: float) -> WeekAttempt:
    """The attempt that ``result`` is of."""
    return WeekAttempt(
        week=week,
        attempt=attempt,
        started_utc=result.facts.started_utc,
        seconds=round(seconds, 3),
        run_id=result.run_id,
        decision=result.decision,
        exit_status=int(result.status),
        judgements=result.judgements,
        leaks=result.facts.leaks,
        errors=result.facts.errors_told or result.facts.errors,
        target_digest=result.facts.target_digest,
    )


def latest(details: RolloutDetails) -> dict[int, WeekAttempt]:
    """The latest attempt at each week that was begun."""
    return {each.week: each for each in details.attempts}


def next_week(plan: RolloutPlan, details: RolloutDetails) -> int | None:
    """The first week asked for that has not advanced; ``None`` when all have."""
    begun = latest(details)
    return next((week for week in plan.asked if week not in begun or not begun[week].advanced), None)


def weeks_of(text: str) -> tuple[int, ...]:
    """``"2-3"`` as ``(2, 3)``, ``"4"`` as ``(4,)``. Raises ``BadInput``."""
    match = re.fullmatch(r"([1-4])(?:-([1-4]))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last:
        raise BadInput(
            message("--weeks {given} names no weeks", given=repr(text)),
            where="--weeks",
            remedy="for example --weeks 2-3, or --weeks 4",
        )
    return tuple(range(first, last + 1))


def resumable(plan: RolloutPlan, details: RolloutDetails) -> None:
    """Raises ``BadInput`` when the rollout is complete or was rolled back: then no week is left to enter."""
    week, rollout = next_week(plan, details), details.rollout
    if week is None:
        raise BadInput(
            message("every week of {rollout} has advanced", rollout=rollout),
            remedy="begin a new rollout, or name other --weeks",
        )
    last = latest(details).get(week)
    if last is not None and last.decision is Decision.ROLL_BACK:
        raise BadInput(
            message(
                "{rollout} was rolled back in week {week}: everybody is on Firestore again",
                rollout=rollout,
                week=str(week),
            ),
            remedy=message(
                "mend the cause, then begin anew, for example with --weeks {week}-{last}",
                week=str(week),
                last=str(WEEKS[-1]),
            ),
        )


def stands(plan: RolloutPlan, details: RolloutDetails, *, ended: bool) -> Told:
    """Where the rollout stands or stopped, and why; ``ended``: nothing broke in the rollout itself."""
    week = next_week(plan, details)
    if week is None:
        return (message("Every week asked for advanced."),)
    resume = message("Continue with --resume {rollout}.", rollout=details.rollout)
    before = [each for each in plan.asked if each < week]
    done = message("week {week} advanced", week=str(before[-1])) if before else message("no week has advanced")
    last, named = latest(details).get(week), str(week)
    if details.cut:
        return message("Interrupted before week {week}; {done}.", week=named, done=done), resume
    if last is None and ended:
        return (
            message("Week {week} has not reported: it is under way, or was killed; {done}.", week=named, done=done),
        )
    if last is None:
        return message("Broke off at week {week}; {done}.", week=named, done=done), resume
    if last.exit_status == Exit.INTERRUPTED:
        return message("Interrupted in week {week}; {done}.", week=named, done=done), resume
    what = message(
        "Stopped: {what} (exit status {status}); {done}.", what=last.done, status=str(last.exit_status), done=done
    )
    return (what,) if last.decision is Decision.ROLL_BACK else (what, resume)


# What a rollout's page shows beside the judgement on each week: its criteria, its figures, a link to its own page.

_DECISION = {
    Decision.ADVANCE: (Verdict.PASS, message("Advance")),
    Decision.HOLD: (Verdict.INCONCLUSIVE, message("Hold")),
    Decision.ROLL_BACK: (Verdict.FAIL, message("Roll back")),
    None: (Verdict.NOT_EXERCISED, message("No decision")),
}


def rollout_sections(plan: RolloutPlan, seen: RunRecord[RolloutDetails]) -> Iterator[Section]:
    """In the order of the page."""
    details = seen.details
    told = stands(plan, details, ended=seen.ended)
    standing: Cell = told[0] if len(told) == 1 else message("{what} {next}", what=told[0], next=told[1])
    yield Pairs(pairs=((message("Where it stands"), standing),))
    yield _weeks(plan, details)
    not_exercised = tuple(_not_exercised(details))
    if not_exercised:
        yield Table(
            title=message("Not exercised"),
            heads=(message("Claim or criterion"), message("Why"), message("Weeks")),
            rows=not_exercised,
        )


def _weeks(plan: RolloutPlan, details: RolloutDetails) -> Table:
    """Every attempt in order, then the weeks asked for that were never entered."""
    rows = [_row(each) for each in details.attempts]
    begun = latest(details)
    for week in plan.asked:
        if week not in begun:
            cells: tuple[Cell, ...] = (_week(week), NONE, NONE, NONE, NONE)
            rows.append(Row(cells=cells, verdict=Verdict.NOT_EXERCISED, word=message("not entered")))
    return Table(
        title=message("Weeks"),
        heads=(message("Week"), message("Attempt"), message("Started"), message("Took"), message("Exit status")),
        rows=tuple(rows),
        numbers=(1, 3, 4),
    )


def _week(week: int) -> Message:
    return message("Week {week}", week=str(week))


def _row(attempt: WeekAttempt) -> Row:
    verdict, word = _DECISION[attempt.decision]
    lines: list[Cell] = [*attempt.errors]
    lines += [message("left on the machine: {leak}", leak=leak) for leak in attempt.leaks]
    return Row(
        cells=(
            _week(attempt.week),
            str(attempt.attempt),
            attempt.started_utc,
            f"{attempt.seconds:.0f} s",
            str(attempt.exit_status),
        ),
        verdict=verdict,
        word=word,
        lines=tuple(lines),
        link=f"{attempt.run_id}/{REPORT_HTML}" if attempt.run_id else "",  # its own page, where a run came about
    )


def _not_exercised(details: RolloutDetails) -> Iterable[Row]:
    """What no week proves anything about, why, and in which weeks."""
    weeks: dict[tuple[str, str], tuple[Judgement, list[int]]] = {}
    for week, attempt in latest(details).items():
        for each in attempt.judgements:
            if each.verdict is Verdict.NOT_EXERCISED:
                weeks.setdefault((each.id, each.reason), (each, []))[1].append(week)
    for each, numbers in weeks.values():
        first, *more = each.told
        yield Row(cells=(each.id, first, ", ".join(map(str, numbers))), lines=tuple(more))


def with_killed(details: RolloutDetails, plan: RolloutPlan, folder: Path) -> RolloutDetails:
    """``details`` with every attempt that lies in the rollout's ``folder`` and that they lack, behind the others. One
    that had no result yet had not begun. Raises ``BadInput`` where a result cannot be read."""
    weeks, attempts = {each.scenario.name: each for each in plan.weeks}, [*details.attempts]
    known = {each.run_id for each in attempts}
    there = {path.resolve() for path in folder.glob(f"*/{RESULT_JSON}")}  # the latest is there by its name, too
    results = (RESULT.read(path) for path in there if path.parent.name not in known)
    for result in sorted(results, key=lambda each: each.facts.started_utc):
        week = weeks.get(result.plan)
        if week is not None and result.rehearsal == WEEK.name:
            number = 1 + sum(each.week == week.week for each in attempts)
            attempts.append(_attempt(result, week, number, folder / result.run_id))
    return msgspec.structs.replace(details, attempts=tuple(attempts))


def _attempt(result: Result, week: PlannedWeek, number: int, folder: Path) -> WeekAttempt:
    if result.exit_status is None:
        result = _judged(result, week, folder)
    return attempt_of(result, week=week.week, attempt=number, seconds=0.0)


def _judged(result: Result, week: PlannedWeek, folder: Path) -> Result:
    """A week that was killed, by what it left: it broke, or was rolled back."""
    errors = [message("the run was killed before it could report, or is still under way: its own facts are missing")]
    status, decision = Exit.RUN_BROKEN, None
    try:
        seen = RunRecord(facts=result.facts, details=details_of(WEEK, result), evidence=stored(folder), ended=False)
        found = judged(WEEK, week.scenario, seen)
    except Exception as error:  # what it left may be of any kind
        found = ()
        errors.append(message("what it left cannot be judged: {error}", error=repr(error)))
    if combine(found) is Decision.ROLL_BACK:
        status, decision = Exit.ROLLED_BACK, Decision.ROLL_BACK
    facts = msgspec.structs.replace(result.facts, errors_told=tuple(errors))
    return msgspec.structs.replace(result, facts=facts, judgements=found, decision=decision, exit_status=int(status))


class Rollout(Rehearsal[RolloutPlan, RolloutDetails]):
    """The rehearsal; its plan is several weeks, whose claims and figures are in their own runs."""

    name, decides = "rollout", True
    plan, details = RolloutPlan, RolloutDetails
    ruled_by = ("rollout",)

    def title(self, plan: RolloutPlan) -> Message:
        """Which weeks."""
        first, last = str(plan.asked[0]), str(plan.asked[-1])
        weeks = first if first == last else message("{least} to {most}", least=first, most=last)
        return message("Rollout, weeks {weeks}", weeks=weeks)

    def parts(self, plan: RolloutPlan, seen: RunRecord[RolloutDetails]) -> Sequence[Part]:
        """A part a week."""
        took = {each.week: each.seconds for each in seen.details.attempts}
        return tuple(
            Part(name=part_of_week(each.week), title=WEEK.title(each.scenario), seconds=took.get(each.week, 0.0))
            for each in plan.weeks
        )

    def needs(self, plan: RolloutPlan) -> Mapping[str, Iterable[Capability]]:
        """A week that is refused is refused with the whole; each brings its own stack up and down."""
        return {"": [each for week in plan.weeks for each in WEEK.needs(week.scenario)[""]]}

    async def run(self, plan: RolloutPlan, on: RunContext[RolloutDetails]) -> None:
        """The weeks in order, up to the first that does not advance."""
        details = on.details
        details.rollout, details.cut = on.run_id, False
        on.publish()
        while (week := next_week(plan, details)) is not None:
            before = latest(details).get(week)
            if before is not None and before.decision is Decision.ROLL_BACK:  # as a resume has just heard
                return
            if on.cut:
                details.cut = True
                raise asyncio.CancelledError
            await _enter(next(each for each in plan.weeks if each.week == week), on)
            last = latest(details)[week]
            if not last.advanced:
                _stop(plan, details, last)
                return

    def checks(self, plan: RolloutPlan, seen: RunRecord[RolloutDetails]) -> Iterable[Judgement]:
        """The word of each week asked for, by its latest attempt, and the errata that the weeks saw: of this program
        or image, for a week of another one speaks for itself alone."""
        begun, digest = latest(seen.details), seen.facts.target_digest
        for each in plan.weeks:
            yield judged_week(each.week, begun.get(each.week), digest)
        yield final_check(begun, digest)
        for week, attempt in begun.items():
            if attempt.of_another(digest):
                continue
            for erratum, told in errata_of(attempt.judgements).items():
                yield observation(erratum, told, erratum=erratum, part=part_of_week(week))

    def sections(self, plan: RolloutPlan, seen: RunRecord[RolloutDetails]) -> Iterable[Section]:
        """Where each week stands, with its criteria and figures."""
        return rollout_sections(plan, seen)


def judged_week(week: int, attempt: WeekAttempt | None, digest: str = "") -> Judgement:
    """What became of a week: a roll back is one of the rollout, too. ``digest`` is of the rollout's program or image
    now, as of the others."""
    part = part_of_week(week)
    asked = (message("week {week} advances", week=str(week)),)
    if attempt is None:
        told: Told = (message("not entered: the week before did not advance"),)
        return Judgement(id=part, part=part, asked=asked, verdict=Verdict.NOT_EXERCISED, told=told)
    notes: Told = (attempt_words(attempt.attempt),) if attempt.attempt > 1 else ()
    if attempt.of_another(digest):
        notes = (*notes, message("it was of another program or image: {digest}", digest=attempt.target_digest))
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


def final_check(begun: Mapping[int, WeekAttempt], digest: str = "") -> Judgement:
    """What is looked at in the last week: all four have advanced, with one program or image, and their evidence is in
    one report."""
    others = [str(each.week) for each in begun.values() if each.of_another(digest)]
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
    elif others:
        told = message("advanced with another program or image: week {weeks}", weeks=", ".join(others))
        verdict = Verdict.INCONCLUSIVE
    claim = "rollout.week4.check"
    return Judgement(id=claim, claim=claim, kind=Kind.CHECK, gates=False, verdict=verdict, told=(told,))


def _verdict(attempt: WeekAttempt) -> Verdict:
    if attempt.advanced:
        return Verdict.PASS
    failed = any(each.holds and each.verdict is Verdict.FAIL for each in attempt.judgements)
    decided = attempt.decision in (Decision.HOLD, Decision.ROLL_BACK)
    return Verdict.FAIL if decided and (failed or attempt.decision is Decision.ROLL_BACK) else Verdict.INCONCLUSIVE


def _why(attempt: WeekAttempt) -> Iterator[Message]:
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


async def _enter(planned: PlannedWeek, on: RunContext[RolloutDetails]) -> None:
    details, started_ns = on.details, on.clock.now_ns()
    attempt = 1 + sum(each.week == planned.week for each in details.attempts)
    on.progress.plain("")
    entering = message("entering {title}", title=Message(text=planned.scenario.title))
    on.begin(joined((entering, attempt_words(attempt))) if attempt > 1 else entering)
    try:
        replay = _replay_of(on.options, planned.scenario)
        result = await on.child(part_of_week(planned.week), WEEK, planned.scenario, replay=replay)
        folder, detail = str(on.folder / result.run_id), on.progress.detail
        on.progress.closing(closing_lines(result, folder, on.language, detail, within=True))
        seconds = (on.clock.now_ns() - started_ns) / NS
        ended = attempt_of(result, week=planned.week, attempt=attempt, seconds=seconds)
    except RehearsalError as error:
        ended = WeekAttempt(
            week=planned.week,
            attempt=attempt,
            started_utc=utc(on.clock.anchor, started_ns),
            seconds=0.0,
            exit_status=int(error.exit),
            errors=(str(error),),
        )
        on.children.append(ended.child)
    details.attempts = (*details.attempts, ended)
    on.publish()


def _stop(plan: RolloutPlan, details: RolloutDetails, last: WeekAttempt) -> None:
    """Ends a rollout whose week broke, was interrupted or left something as that week ended."""
    status = Exit(last.exit_status)
    if status in (Exit.OK, Exit.HOLD, Exit.ROLLED_BACK):
        return
    error = RehearsalError(english(stands(plan, details, ended=True)))
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


REHEARSAL = Rollout()

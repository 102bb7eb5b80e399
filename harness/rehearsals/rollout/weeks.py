"""A rollout as data: the weeks that it is to enter, and every attempt at one. Pure."""

from __future__ import annotations

import re

import msgspec

from harness.base.errors import BadInput, Exit
from harness.model.judgement import Decision, Judgement
from harness.model.message import Message, Told, gettext_noop, message
from harness.model.result import Child, Result
from harness.model.scenario import Scenario
from harness.model.stack import Fault
from harness.report.files import REPORT_HTML

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
            part=self.part,
            run_id=self.run_id,
            folder=self.run_id,
            decision=self.decision,
            exit_status=self.exit_status,
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


def report_of(attempt: WeekAttempt) -> str:
    """The attempt's own page, relative to the rollout's folder; "" when no run came about."""
    return f"{attempt.run_id}/{REPORT_HTML}" if attempt.run_id else ""

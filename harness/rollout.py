"""The rollout: the weeks' runs in order, each entered only if the one before advanced (a parent of four runs).

Each week is a whole run of its own (``harness.run``), with its own stack. ``rollout.json`` is written before the
first week and after each, so that an interrupted, held or killed rollout can be resumed at the week it stands at.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from harness.clock import NS, Clock, utc
from harness.document import conclusion
from harness.model.errors import BadInput, EvidenceNotWritten, Exit, Interrupted, RehearsalError, more_severe
from harness.model.message import Message, Told, marked, message
from harness.model.rollout_run import ROLLOUT_SCHEMA_VERSION, Rollout, WeekRun
from harness.model.run import Run
from harness.model.verdict import Decision
from harness.options import RunOptions
from harness.progress import Progress
from harness.report import words
from harness.report.language import ENGLISH, Language, language
from harness.report.latest import point_latest
from harness.report.published import ROLLOUT
from harness.report.rollout_pages import write_rollout_reports
from harness.run import Rehearsal
from harness.state.processes import process_mark
from scenarios import claims

WEEKS = (1, 2, 3, 4)
_DONE = {
    Decision.ADVANCE: marked("week {week} advanced"),
    Decision.HOLD: marked("week {week} held"),
    Decision.ROLL_BACK: marked("week {week} was rolled back"),
    None: marked("week {week} broke"),
}


class WeekRunner(Protocol):
    """Runs one week. A test brings its own."""

    async def run(self, options: RunOptions) -> Run:
        """The finished run, its reports in ``options.reports / run_id``. Raises ``RehearsalError`` if none began."""
        ...

    def interrupt(self) -> None:
        """Ends the run under way, if there is one, by its own orderly way."""
        ...


class RealWeeks:
    """Each week a ``Rehearsal``, which brings its own stack up and down."""

    def __init__(self, clock: Clock, progress: Progress) -> None:
        self._clock = clock
        self._progress = progress
        self._current: Rehearsal | None = None

    async def run(self, options: RunOptions) -> Run:
        """One week, whole."""
        self._current = Rehearsal(options, self._clock, self._progress, self._clock.now_ns())
        try:
            run = await self._current.run()
            self._progress.plain(conclusion(run, str(self._current.folder), language(options.lang)))
            return run
        finally:
            self._current = None

    def interrupt(self) -> None:
        """Passed on to the run under way."""
        if self._current is not None:
            self._current.interrupt()


def weeks_of(text: str) -> tuple[int, ...]:
    """``"2-3"`` as ``(2, 3)``, ``"4"`` as ``(4,)``. Raises ``BadInput``."""
    match = re.fullmatch(r"([1-4])(?:-([1-4]))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last:
        raise BadInput(
            f"--weeks {text!r} names no weeks", where="--weeks", remedy="for example --weeks 2-3, or --weeks 4"
        )
    return tuple(range(first, last + 1))


def new_rollout(
    options: RunOptions, asked: tuple[int, ...], words: tuple[str, ...], replay: str, clock: Clock
) -> Rollout:
    """A rollout before its first week. ``options`` are any week's; ``words`` those of the command line."""
    started = utc(clock.anchor, clock.now_ns())
    stamp = started[:19].replace("-", "").replace(":", "")
    return Rollout(
        schema_version=ROLLOUT_SCHEMA_VERSION,
        rollout_id=f"{stamp}Z-rollout-s{options.seed}-{process_mark()}",
        rung=options.rung,
        target=options.target.name,
        target_bundled=options.target.bundled,
        seed=options.seed,
        replay=replay,
        options=words,
        started_utc=started,
        weeks_asked=asked,
        next_week=asked[0],
    )


def resumable(rollout: Rollout) -> Rollout:
    """``rollout`` if a week is left to enter; ``BadInput`` when it is complete or was rolled back."""
    if rollout.next_week is None:
        raise BadInput(
            f"every week of {rollout.rollout_id} has advanced", remedy="begin a new rollout, or name other --weeks"
        )
    if rollout.decision is Decision.ROLL_BACK:
        raise BadInput(
            f"{rollout.rollout_id} was rolled back in week {rollout.next_week}: everybody is on Firestore again",
            remedy=f"mend the cause, then begin anew, for example with --weeks {rollout.next_week}-{WEEKS[-1]}",
        )
    return rollout


class RolloutRehearsal:
    """One rollout under way, new or resumed, in ``folder``. ``run`` always returns a finished ``Rollout``."""

    def __init__(
        self,
        rollout: Rollout,
        *,
        weeks: Mapping[int, RunOptions],
        folder: Path,
        runner: WeekRunner,
        clock: Clock,
        progress: Progress,
        say: Language = ENGLISH,
    ) -> None:
        self.say = say
        self.rollout = msgspec.structs.replace(rollout, decision=None, exit_status=None, errors=())
        self.weeks = {
            week: msgspec.structs.replace(options, reports=folder) for week, options in weeks.items()
        }  # a week's run lies in its rollout's folder
        self.folder = folder
        self.runner = runner
        self.clock = clock
        self.progress = progress
        self._errors: list[RehearsalError] = []
        self._interrupted = False
        self._cut = False  # interrupted, with a week left that would have been entered

    async def run(self) -> Rollout:
        """The weeks in order, up to the first that does not advance; then the parent's report.

        Raises ``BadInput`` when the rollout is under way in another process; anything that is no ``RehearsalError``
        goes on, after the parent's report is written.
        """
        with _locked(self.folder):
            try:
                self._save(message("under way"))
                self._point_latest()
                await self._in_order()
            except RehearsalError as error:
                self._errors.append(error)
            except BaseException as error:
                self._errors.append(_unforeseen(error))
                raise
            finally:
                self._finish()
        return self.rollout

    def interrupt(self) -> None:
        """Ends the week under way, or what is between two weeks; the parent's report follows."""
        self._interrupted = True
        self.runner.interrupt()

    async def _in_order(self) -> None:
        while (week := self._next_week()) is not None:
            await self.clock.sleep(0)  # so that a signal that came between two weeks is seen here
            if self._interrupted:
                self._cut = True
                return
            self._save(message("week {week} is under way", week=str(week)))
            ended = await self._week(week)
            self._keep(ended)
            if not ended.advanced:
                return

    async def _week(self, week: int) -> WeekRun:
        options = self.weeks[week]
        self.progress.plain("")
        again = words.attempt_words(1 + sum(each.week == week for each in self.rollout.weeks), ENGLISH)
        self.progress(f"entering {options.scenario.title}" + (f" ({again})" if again else ""))
        started_ns = self.clock.now_ns()
        run: Run | None = None
        errors: tuple[str, ...] = ()
        status = Exit.INTERNAL
        try:
            run = await self.runner.run(options)
        except RehearsalError as error:
            errors, status = (str(error),), error.exit
        return WeekRun(
            week=week,
            attempt=1 + sum(each.week == week for each in self.rollout.weeks),
            scenario=options.scenario.name,
            title=options.scenario.title,
            run_id=run.run_id if run else None,
            folder=run.run_id if run else None,
            started_utc=utc(self.clock.anchor, started_ns),
            seconds=round((self.clock.now_ns() - started_ns) / NS, 3),
            decision=run.decision if run else None,
            exit_status=run.exit_status if run else status,
            criteria=run.criteria if run else (),
            windows=run.windows if run else (),
            switch_over=run.switch_over if run else None,
            leaks=run.leaks if run else (),
            errors=run.errors if run else errors,
            checks=run.checks if run else (),
            claims=run.claims if run else (),
            errata=run.errata if run else (),
            errata_seen=run.errata_seen if run else (),
        )

    # -- the parent's document -----------------------------------------------------------------------------------

    def _next_week(self) -> int | None:
        latest = self.rollout.latest()
        return next((w for w in self.rollout.weeks_asked if w not in latest or not latest[w].advanced), None)

    def _keep(self, ended: WeekRun) -> None:
        self.rollout = msgspec.structs.replace(self.rollout, weeks=(*self.rollout.weeks, ended))
        self._save(_done(ended))

    def _save(self, *stopped: Message) -> None:
        self.rollout = msgspec.structs.replace(
            self.rollout, stopped=_sentence(stopped), stopped_told=stopped, next_week=self._next_week()
        )
        ROLLOUT.write(self.folder, self.rollout)

    def _point_latest(self) -> None:
        point_latest(self.folder.parent, self.folder)

    def _finish(self) -> None:
        """Writes the parent's report; a disk that refuses it is said in the exit status."""
        self._conclude()
        try:
            write_rollout_reports(self.folder, self.rollout, claims.REGISTER, self.say)
            self._point_latest()
        except RehearsalError as error:
            self._errors.append(error)
            self._conclude()

    def _conclude(self) -> None:
        stopped = self._stopped(self._next_week())
        outcomes = [Exit(week.exit_status) for week in self.rollout.latest().values()]
        outcomes += [error.exit for error in self._errors]
        outcomes += [Exit.INTERRUPTED] if self._cut else []
        next_week = self._next_week()
        self.rollout = msgspec.structs.replace(
            self.rollout,
            decision=self._decision(next_week),
            exit_status=more_severe(*outcomes),
            stopped=_sentence(stopped),
            stopped_told=stopped,
            next_week=next_week,
            errors=tuple(str(error) for error in self._errors),
        )

    def _decision(self, next_week: int | None) -> Decision | None:
        if self._errors or self._cut:
            return None  # a rollout that broke decides nothing, like a run
        if next_week is None:
            return Decision.ADVANCE
        decision = self.rollout.latest()[next_week].decision
        return None if decision is Decision.ADVANCE else decision  # it advanced, but leaked

    def _stopped(self, next_week: int | None) -> Told:
        if next_week is None:
            return (message("Every week asked for advanced."),)
        week = str(next_week)
        resume = message("Continue with --resume {rollout}.", rollout=self.rollout.rollout_id)
        before = [number for number in self.rollout.weeks_asked if number < next_week]
        done = message("no week has advanced")
        if before:
            done = message("week {week} advanced", week=str(before[-1]))
        if self._cut:
            return message("Interrupted before week {week}; {done}.", week=week, done=done), resume
        last = self.rollout.latest().get(next_week)
        if self._errors or last is None:
            return message("Broke off at week {week}; {done}.", week=week, done=done), resume
        if last.exit_status == Exit.INTERRUPTED:
            return message("Interrupted in week {week}; {done}.", week=week, done=done), resume
        status = str(last.exit_status)
        what = message("Stopped: {what} (exit status {status}); {done}.", what=_done(last), status=status, done=done)
        return (what,) if last.decision is Decision.ROLL_BACK else (what, resume)


def _done(week: WeekRun) -> Message:
    return Message(text=_DONE[week.decision], values={"week": str(week.week)})


def _sentence(told: Told) -> str:
    return " ".join(str(part) for part in told)


def _unforeseen(error: BaseException) -> RehearsalError:
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return Interrupted("the rollout was interrupted")
    return RehearsalError(f"an internal error: {type(error).__name__}: {error}", remedy="please tell the maintainers")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Makes the rollout's folder and holds it, so that two processes never continue the same rollout."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise EvidenceNotWritten(
            f"the reports folder cannot be written: {error.strerror}",
            where=str(folder),
            remedy="make it writable, free some space, or name another one with --reports",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BadInput(
            "the rollout is under way in another process", where=str(folder), remedy="wait for it"
        ) from error
    try:
        yield
    finally:
        os.close(handle)

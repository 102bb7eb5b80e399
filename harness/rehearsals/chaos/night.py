"""A night of chaos: schedules drawn from one seed after the other, each on a stack of its own, within a budget."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from harness.clock import NS, Clock, utc
from harness.judge.combine import combine
from harness.lifecycle import open_folder, run_identity
from harness.model.errors import Exit, Interrupted, RehearsalError, more_severe
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.chaos.night_report import write_report
from harness.rehearsals.chaos.types import SCHEMA_VERSION, ChaosReport, DrawnSchedule, NightReport
from harness.report.files import write_atomically
from harness.report.language import language
from harness.report.latest import point_latest
from harness.rungs import manifests_of

NAME = "chaos_nightly"
FAILING_SEEDS = "chaos-failing-seeds.json"


class ScheduleRun(Protocol):
    """A run of chaos under way, and where its report goes. A test brings its own."""

    folder: Path

    async def run(self) -> ChaosReport:
        """The report, however it ended."""
        ...

    def interrupt(self) -> None:
        """Ends it in an orderly way."""
        ...


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule before it is made; ``options`` have its seed. ``replay`` is the command line that makes it alone."""

    drawn: tuple[str, ...]
    options: RunOptions
    replay: str


Make = Callable[[Planned], ScheduleRun]


class Night:
    """One under way. ``run`` always returns a report; what a schedule came to is on disk as soon as it has ended."""

    def __init__(
        self,
        plan: tuple[Planned, ...],
        options: RunOptions,
        make: Make,
        clock: Clock,
        progress: Progress,
        *,
        replay: str,
        budget_s: float,
        least: int = 1,
    ) -> None:
        """Fewer schedules than ``least`` in which anything was done are no night: it then ends as one that holds."""
        self.plan = plan
        self.options = options
        self.replay = replay
        self.budget_s = budget_s
        self.least = least
        self._make = make
        self._clock = clock
        self._progress = progress
        self._started_ns = clock.now_ns()
        self._run_id = run_identity(clock, NAME, options.seed)
        manifests_of(options)  # a folder that is refused leaves no folder of a night
        self.folder = open_folder(options.reports, self._run_id)
        self._schedules: list[DrawnSchedule] = []
        self._current: ScheduleRun | None = None
        self._interrupted = False
        self._errors: list[RehearsalError] = []

    async def run(self) -> NightReport:
        """The schedules in order; a failing one does not keep the next."""
        for number, planned in enumerate(self.plan, 1):
            if self._interrupted or self._spent():
                break
            self._progress.plain("")
            told = f"schedule {number} of {len(self.plan)}, seed {planned.options.seed}: {', '.join(planned.drawn)}"
            self._progress(told)
            self._schedules.append(await self._made(planned))
            self._write()
            self._kept(self._schedules[-1])
        if self._interrupted:
            self._errors.append(Interrupted("the night was interrupted", remedy="the schedules so far are reported"))
        self._write()
        return self.document()

    def interrupt(self) -> None:
        """Ends the schedule under way in its own orderly way, and begins no other."""
        self._interrupted = True
        if self._current is not None:
            self._current.interrupt()

    def _spent(self) -> bool:
        spent = (self._clock.now_ns() - self._started_ns) / NS > self.budget_s
        if spent:
            made = f"{len(self._schedules)} of {len(self.plan)} schedules were made"
            self._progress(f"the budget of {self.budget_s:g} s is spent; {made}")
        return spent

    async def _made(self, planned: Planned) -> DrawnSchedule:
        begun_ns = self._clock.now_ns()
        report: ChaosReport | None = None
        broke: tuple[str, ...] = ()
        status = Exit.INTERNAL
        folder: str | None = None
        options = msgspec.structs.replace(planned.options, reports=self.folder)
        try:
            self._current = self._make(msgspec.structs.replace(planned, options=options))
            folder = self._current.folder.name  # in ours
            report = await self._current.run()
            broke, status = (*report.errors, *report.leaks), Exit(report.exit_status)
        except RehearsalError as error:
            broke, status = (str(error),), error.exit
        finally:
            self._current = None
        return DrawnSchedule(
            seed=planned.options.seed,
            drawn=planned.drawn,
            folder=folder,
            replay=planned.replay,
            seconds=round((self._clock.now_ns() - begun_ns) / NS, 3),
            exit_status=status,
            exercised=sum(each.verdict is not Verdict.NOT_EXERCISED for each in report.experiments) if report else 0,
            calls=sum(each.calls for each in report.experiments) if report else 0,
            failed=sum(each.failed for each in report.experiments) if report else 0,
            shortcomings=shortcomings(report) if report else (),
            broke=broke,
        )

    def _kept(self, ended: DrawnSchedule) -> None:
        """A failing seed is kept at once: what the night comes to is not waited for."""
        if not ended.nothing and ended.exit_status not in {Exit.OK, Exit.INTERRUPTED}:
            path = self.options.reports / FAILING_SEEDS
            try:
                keep_seed(path, {"seed": ended.seed, "rung": str(self.options.rung), "replay": ended.replay})
            except RehearsalError as error:
                self._errors.append(error)
                self._progress(str(error))
            else:
                self._progress(f"the seed {ended.seed} is kept in {path}")

    def _write(self) -> None:
        try:
            write_report(self.folder, self.document(), language(self.options.lang))
            point_latest(self.options.reports, self.folder)
        except RehearsalError as error:
            self._errors.append(error)
            self._progress(str(error))

    def document(self) -> NightReport:
        """What the report says."""
        outcomes = [Exit(each.exit_status) for each in self._schedules if not each.nothing]
        outcomes += [error.exit for error in self._errors]
        combined = combine(each.verdict for each in self._schedules)
        report = NightReport(
            schema_version=SCHEMA_VERSION,
            run_id=self._run_id,
            rung=self.options.rung,
            target=self.options.target.name,
            target_bundled=self.options.target.bundled,
            seed=self.options.seed,
            replay=self.replay,
            started_utc=utc(self._clock.anchor, self._started_ns),
            exit_status=Exit.OK,
            combined=combined,
            timings={"schedules": round((self._clock.now_ns() - self._started_ns) / NS, 3)},
            errors=(
                *(str(error) for error in self._errors),
                *(f"seed {each.seed}: {line}" for each in self._schedules for line in each.broke),
            ),
            asked=len(self.plan),
            least=self.least,
            length=max((len(each.drawn) for each in self.plan), default=0),
            budget_s=self.budget_s,
            schedules=tuple(self._schedules),
        )
        outcomes += [Exit.HOLD] if report.exercised < max(report.least, 1) else []
        return msgspec.structs.replace(report, exit_status=more_severe(*outcomes))


def shortcomings(report: ChaosReport) -> tuple[str, ...]:
    """The experiments and checks that neither passed nor were left out, with their reasons."""
    judged = [(each.name, each.verdict, each.reason) for each in report.experiments]
    judged += [(check.name, check.verdict, check.detail) for check in report.checks]
    return tuple(
        f"{name}: {verdict}: {why}"
        for name, verdict, why in judged
        if not verdict.good and verdict is not Verdict.NOT_EXERCISED
    )


def keep_seed(path: Path, entry: dict[str, object]) -> None:
    """Adds ``entry`` to those kept in ``path``, once. One that cannot be read is begun anew, and told of.

    Raises ``EvidenceNotWritten``.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=list[dict[str, object]]) if path.exists() else []
    except (OSError, msgspec.DecodeError) as error:
        sys.stderr.write(f"{path} cannot be read ({error}): it is begun anew\n")
        kept = []
    if entry not in kept:
        write_atomically(path, (json.dumps([*kept, entry], indent=2) + "\n").encode())

"""``python3 -m harness observe WEEK --from FORM PLACE``."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.base.clock import NS, Clock, MachineClock
from harness.base.errors import BadInput, Exit, RehearsalError
from harness.cli.observe.mapping import CLOUD_LOGGING, FORMS, LOG
from harness.model.evidence import Window
from harness.model.judgement import Decision
from harness.model.message import message, of_error
from harness.report.language import language
from harness.run.arguments import AsJson, Detailed, InReports, Spoken, speaking
from harness.run.command import option, replay

if TYPE_CHECKING:
    from harness.cli.observe.telemetry import Counters, LogFiles
    from harness.model.message import ProgressCallback
    from harness.model.result import Result
    from harness.model.scenario import Scenario
    from harness.rules.observed import Observed

_LINE_EVERY_NS = 60 * NS


def _moment(text: str) -> datetime:
    try:
        found: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        example = {"value": repr(text), "example": "2026-12-02T10:00:00+09:00"}
        raise ValueError(message("{value} is no moment with its zone, such as {example}", **example))
    return found


@dataclass(frozen=True, kw_only=True)
class Observe(InReports, Spoken, AsJson, Detailed):
    """A real week judged from its logs or metrics.

    By the criteria, bounds and rollback limits of its rehearsal. It acts on nothing. 20 when a rollback limit fired, 10
    when something failed or could not be shown.
    """

    name = "observe"
    example = "rollout_week3 --from prometheus http://127.0.0.1:9090 --follow"

    week: str = option("a scenario's name or file", positional=True, metavar="SCENARIO")
    places: tuple[str, ...] = option(
        "the URL of a Prometheus, files, or a folder of *.log", positional=True, nargs="+", default=(), metavar="PLACE"
    )
    from_: str = option("the form of the telemetry", choices=FORMS, dest="from_", required=True, always=True)
    begin: datetime | None = option("judge from then on (default: from the first)", _moment, metavar="TIME")
    end: datetime | None = option("judge until then (default: to the last)", _moment, metavar="TIME")
    follow: bool = option("go on until --end or Ctrl-C, or until a rollback limit fires", default=False)
    mapping: Path | None = option("file that says what this telemetry calls what", Path, metavar="FILE")
    beside: str | None = option("the rehearsal to set it beside (default: the week's newest)", metavar="RUN")

    def run(self) -> int:
        """Reads, judges, writes the report and says how it ended."""
        from harness.run.scenarios import load as scenarios  # NumPy loads here

        scenario = scenarios.load(self.week)
        return asyncio.run(self._observed(scenario, self._before(scenario.name), MachineClock()))

    async def _observed(self, scenario: Scenario, before: Result | None, clock: MachineClock) -> int:
        from harness.cli.observe.page import result_of
        from harness.report.published import RESULT
        from harness.report.terminal import closing_lines
        from harness.report.write_all import write_reports
        from harness.rules.register import bundled
        from harness.run.lifecycle import open_folder, run_identity

        source, progress, say = self._source(clock), speaking(clock, self.lang), language(self.lang)
        begin_ns, end_ns, interrupted = _ns(self.begin), _ns(self.end), False
        if self.follow:
            begin_ns = begin_ns or clock.wall_ns()
            interrupted = await self._followed(scenario, source, progress.plain, begin_ns, clock)
            end_ns = min(clock.wall_ns(), end_ns or clock.wall_ns())
        else:
            await source.read(begin_ns, min(clock.wall_ns(), end_ns or clock.wall_ns()))
        seen = _seen(source, begin_ns, end_ns)
        run_id = run_identity(clock, f"observe-{scenario.name}", 0)
        result = result_of(
            scenario, seen, before, source=" ".join((self.from_, *self.places)), run_id=run_id,
            replay=replay(self), now_ns=clock.wall_ns(),
        )  # fmt: skip
        folder = open_folder(self.reports.absolute(), run_id)
        write_reports(folder, result, bundled().claims, say)
        progress.closing(closing_lines(result, str(folder), say, self.detail))
        if self.json:
            sys.stdout.write(RESULT.encode(result).decode())
        return Exit.INTERRUPTED if interrupted else result.status

    async def _followed(
        self, scenario: Scenario, source: LogFiles | Counters, tell: ProgressCallback, begin_ns: int, clock: Clock
    ) -> bool:
        """Reads on, with a line a minute, until a rollback limit fires or the end has come; whether by Ctrl-C."""
        from harness.cli.observe.page import line_of
        from harness.cli.observe.telemetry import EVERY_S
        from harness.rules.judged import combine
        from harness.rules.observed import judge_observed

        told_ns = -_LINE_EVERY_NS
        try:
            while True:
                try:
                    await source.read(begin_ns, clock.wall_ns())
                    seen = _seen(source, begin_ns, clock.wall_ns())
                except RehearsalError as error:  # it may come yet
                    tell(of_error(error))
                else:
                    judgements = judge_observed(scenario, seen)
                    if clock.now_ns() - told_ns >= _LINE_EVERY_NS:
                        told_ns = clock.now_ns()
                        tell(line_of(seen, judgements))
                    if combine(judgements) is Decision.ROLL_BACK:
                        return False
                if clock.wall_ns() >= (_ns(self.end) or sys.maxsize):
                    return False
                await clock.sleep(EVERY_S)
        except asyncio.CancelledError:  # what was seen until then is judged
            return True

    def _source(self, clock: MachineClock) -> LogFiles | Counters:
        """What reads it. Raises ``BadInput``."""
        from harness.cli.observe.mapping import mapping_of
        from harness.cli.observe.telemetry import Counters, LogFiles

        mapping = mapping_of(self.mapping, self.from_)
        if self.from_ in (LOG, CLOUD_LOGGING):
            return LogFiles(map(Path, self.places), mapping)
        return Counters(self.places, mapping, clock)

    def _before(self, week: str) -> Result | None:
        """The rehearsal that is named, or the newest of that week below the reports; ``None`` where there is none."""
        from harness.cli.stored.folder import locate, read_result
        from harness.report.latest import results

        if self.beside is not None:
            return read_result(locate(self.beside, self.reports))
        found = [read_result(path.parent) for path in results(self.reports)]
        of_week = (each for each in found if (each.rehearsal, each.plan) == ("rollout_week", week) and each.decision)
        return max(of_week, key=lambda each: each.facts.started_utc, default=None)


def _seen(source: LogFiles | Counters, begin_ns: int | None, end_ns: int | None) -> Observed:
    """The stretch that is judged. Raises ``BadInput`` where nothing was read of it."""

    first_ns, last_ns = source.span()
    window = Window(start_ns=begin_ns or first_ns, end_ns=end_ns or last_ns)
    if window.end_ns <= window.start_ns:
        raise BadInput("nothing was read of that stretch", remedy="another --begin or --end")
    return source.seen(window)


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1e6) * 1000

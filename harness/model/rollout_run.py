"""``rollout.json``: the published document of a rollout, the parent of its weeks' runs.

Its JSON Schema is ``harness/report/rollout.schema.json``. Each week's own ``run.json`` lies in the folder named here.
"""

from __future__ import annotations

import msgspec

from harness.model.message import Told
from harness.model.run import SwitchOver, WindowSummary
from harness.model.stack import Rung
from harness.model.verdict import CheckResult, CriterionResult, Decision, ErratumSeen

ROLLOUT_SCHEMA_VERSION = 1


class WeekRun(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a week. ``folder`` is relative to the rollout's own; ``None`` when no run came about."""

    week: int
    attempt: int  # 1, or more after ``--resume``
    scenario: str
    title: str
    run_id: str | None
    folder: str | None
    started_utc: str
    seconds: float  # from the beginning of the run to its report
    decision: Decision | None  # None when the run broke or was interrupted
    exit_status: int
    criteria: tuple[CriterionResult, ...] = ()
    windows: tuple[WindowSummary, ...] = ()
    switch_over: SwitchOver | None = None
    leaks: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    claims: tuple[str, ...] = ()  # ids of all claims that the scenario names
    errata: tuple[str, ...] = ()  # the ids of ``errata_seen``
    errata_seen: tuple[ErratumSeen, ...] = ()  # () in runs that were stored without it

    @property
    def advanced(self) -> bool:
        """Whether the next week may be entered: the decision is advance, and nothing broke or leaked."""
        return self.decision is Decision.ADVANCE and self.exit_status == 0


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout, written before the first week and after each: what is on disk is always what a resume needs.

    ``decision`` is ``advance`` when every week asked for advanced, else the stopping week's; ``None`` while under way,
    interrupted or broken. ``exit_status`` is the most severe of the latest attempt at each week; ``None`` while under
    way, and for ever after a ``kill -9``. ``weeks_asked`` are the weeks of ``--weeks``; ``weeks`` every attempt, in
    order.
    """

    schema_version: int
    rollout_id: str
    rung: Rung
    target: str
    target_bundled: bool
    seed: int
    replay: str
    options: tuple[str, ...]  # the command line's words, for the resume
    started_utc: str
    weeks_asked: tuple[int, ...]
    weeks: tuple[WeekRun, ...] = ()
    decision: Decision | None = None
    exit_status: int | None = None
    stopped: str = ""  # where it stands or stopped, and why
    stopped_told: Told = ()  # the same as messages, for the reports' languages
    next_week: int | None = None  # the first week asked for that has not advanced
    errors: tuple[str, ...] = ()  # of the rollout itself; a week's are with the week

    def latest(self) -> dict[int, WeekRun]:
        """The latest attempt at each week that was begun."""
        return {week.week: week for week in self.weeks}

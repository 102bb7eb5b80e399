"""A rollout's ``junit.xml``: green if and only if its decision is ``advance`` and it ended in 0. In English."""

from __future__ import annotations

from junitparser import Error, Failure, Skipped

from harness.model.rollout_run import Rollout, WeekRun
from harness.model.verdict import Decision
from harness.report.junit_parts import case, suite_document
from harness.report.junit_parts import xml_text as text
from harness.report.words import first_line


def junit(rollout: Rollout) -> bytes:
    """``junit.xml``: one case a week of the latest attempts, and one for the rollout itself."""
    name = f"rollout on {rollout.rung}"
    facts = {
        "replay": rollout.replay,
        "seed": str(rollout.seed),
        "first_line": first_line(rollout.seed, rollout.rung, rollout.replay),
    }
    latest = rollout.latest()
    good = rollout.decision is Decision.ADVANCE and rollout.exit_status == 0
    whole = None if good else Failure(text(rollout.stopped), "stopped")
    weeks = [case(name, f"week{number}", _outcome(latest.get(number))) for number in rollout.weeks_asked]
    cases = [*weeks, case(name, "rollout", whole)]
    return suite_document(name, cases, started_utc=rollout.started_utc, properties=facts)


def _outcome(week: WeekRun | None) -> Failure | Error | Skipped | None:
    if week is None:
        return Skipped("not entered: the week before did not advance", "not_entered")
    if week.advanced:
        return None
    if week.decision is None or week.leaks:
        return Error(text("; ".join((*week.errors, *week.leaks)) or "the run did not finish"), "broken")
    return Failure(text(f"exit status {week.exit_status}"), str(week.decision))

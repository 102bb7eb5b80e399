"""Going on with a rollout that was cut short: by one process alone, and with every attempt at a week that it had.

A week that was killed, or whose rollout was before it heard of the week, is in the rollout's folder alone. It counts as
an attempt, or a target would have one more try than is told; and where its evidence rolls back, so was the rollout.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.base.errors import BadInput, EvidenceNotWritten, Exit
from harness.evidence.gathered import stored
from harness.judge.combine import combine
from harness.model.message import message
from harness.model.result import Result
from harness.model.verdict import Decision
from harness.rehearsal.conclude import details_of, judged
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.rollout.week import REHEARSAL as WEEK
from harness.rehearsals.rollout.weeks import Attempt, PlannedWeek, RolloutDetails, RolloutPlan, attempt_of
from harness.report.published import RESULT, RESULT_JSON


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a rollout's folder, so that two processes never continue the same rollout. Raises ``BadInput``."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        told = message("the reports folder cannot be read: {error}", error=str(error.strerror))
        remedy = "make it readable, or name another one with --reports"
        raise EvidenceNotWritten(told, where=str(folder), remedy=remedy) from error
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


def _attempt(result: Result, week: PlannedWeek, number: int, folder: Path) -> Attempt:
    if result.exit_status is None:
        result = _judged(result, week, folder)
    return attempt_of(result, week=week.week, attempt=number, seconds=0.0)


def _judged(result: Result, week: PlannedWeek, folder: Path) -> Result:
    """A week that was killed, by what it left: it broke, or was rolled back."""
    errors = [message("the run was killed before it could report, or is still under way: its own facts are missing")]
    status, decision = Exit.RUN_BROKEN, None
    try:
        seen = Seen(facts=result.facts, details=details_of(WEEK, result), evidence=stored(folder), ended=False)
        found = judged(WEEK, week.scenario, seen)
    except Exception as error:  # what it left may be of any kind
        found = ()
        errors.append(message("what it left cannot be judged: {error}", error=repr(error)))
    if combine(found) is Decision.ROLL_BACK:
        status, decision = Exit.ROLLED_BACK, Decision.ROLL_BACK
    facts = msgspec.structs.replace(result.facts, errors_told=tuple(errors))
    return msgspec.structs.replace(result, facts=facts, judgements=found, decision=decision, exit_status=int(status))

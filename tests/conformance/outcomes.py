"""How a check ended, by what is judged of it: what the tests of the checks ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from harness.checks.contract.facts import deviations
from harness.checks.contract.run import CheckRun
from harness.model.judgement import Expected, Judgement, Kind, Verdict
from harness.rehearsals.conformance.rehearsal import REHEARSAL
from harness.rules import engine


class Outcome(StrEnum):
    """Of one check."""

    PASSED = "passed"
    DEVIATION = "deviation"
    ADVICE = "advice"
    NOT_EXERCISED = "not_exercised"
    MEASUREMENT_ERROR = "measurement_error"


_OF = {
    Verdict.PASS: Outcome.PASSED,
    Verdict.FAIL: Outcome.DEVIATION,
    Verdict.NOT_EXERCISED: Outcome.NOT_EXERCISED,
    Verdict.INCONCLUSIVE: Outcome.MEASUREMENT_ERROR,
}


def of_judgement(judged: Judgement) -> Outcome:
    """By its judgement."""
    return Outcome.ADVICE if judged.kind is Kind.OBSERVATION else _OF[judged.verdict]


def judgement(run: CheckRun) -> Judgement:
    """On one check, by the rules."""
    (found,) = engine.judged([Expected("", run.id)], REHEARSAL.rules, [deviations(run)], None, ())
    return found


def outcome(run: CheckRun) -> Outcome:
    """By the judgement on it."""
    return of_judgement(judgement(run))


def ended(found: Mapping[str, CheckRun], which: Outcome) -> set[str]:
    """The ids of those that ended so."""
    return {run.id for run in found.values() if outcome(run) is which}


def holding(runs: Iterable[CheckRun]) -> set[str]:
    """The ids of those that keep the target from conforming."""
    return {run.id for run in runs if judgement(run).holds}

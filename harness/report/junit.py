"""``junit.xml``: what a CI that reads JUnit shows. It is green if and only if ``run.json`` says ``advance``.

* one test case a criterion: ``fail`` (a rollback limit that fired included) is a failure; ``inconclusive`` is an
  error, because the measurement could not tell and the week holds; ``not exercised`` is skipped, with its reason;
* one test case a check of the flag, in the same way;
* the test case ``decision`` carries what skipped cases cannot: a CI shows skipped as green, and a week with a
  criterion that was not exercised holds;
* it is for machines, and in English whatever the language of the pages;
* the test cases ``run`` and ``leaks`` fail when a part broke or something was left on the machine.
"""

from __future__ import annotations

from pathlib import Path

from junitparser import Error, Failure, TestCase

from harness.model.run import Run
from harness.model.verdict import CheckResult, CriterionResult, Decision
from harness.report.files import write_atomically
from harness.report.junit_parts import case, result_of, suite_document
from harness.report.junit_parts import xml_text as text
from harness.report.language import ENGLISH
from harness.report.words import (
    check_figures,
    decision_reason,
    first_line,
    measured,
    target_words,
    threshold_words,
    verdict_word,
)

JUNIT_XML = "junit.xml"


def _criterion_case(suite: str, criterion: CriterionResult) -> TestCase:
    told = text(f"{verdict_word(criterion, ENGLISH)}: {criterion.reason}")
    output = (
        f"{criterion.kind} {criterion.metric} {threshold_words(criterion, ENGLISH)}\n"
        f"value {measured(criterion, criterion.value, ENGLISH)}, "
        f"bound {measured(criterion, criterion.bound, ENGLISH)}, "
        f"{criterion.samples} samples\nclaim {criterion.claim}\n{criterion.reason}"
    )
    return case(suite, criterion.id, result_of(criterion.verdict, told), output)


def _check_case(suite: str, check: CheckResult) -> TestCase:
    told = text(f"{check.verdict.replace('_', ' ')}: {check.reason}")
    result = result_of(check.verdict, told)
    return case(suite, check.id, result, f"{check_figures(check, ENGLISH)}, claim {check.claim}\n{check.reason}")


def _decision_case(suite: str, run: Run) -> TestCase:
    told = text(decision_reason(run, ENGLISH))
    result: Failure | Error | None
    if run.decision is Decision.ADVANCE:
        result = None
    elif run.decision is None:
        result = Error(told, "no_decision")
    else:
        result = Failure(told, str(run.decision))
    return case(suite, "decision", result, told)


def junit(run: Run) -> bytes:
    """The document, one suite named for the scenario, the target and the rung."""
    name = f"{run.scenario} on {run.rung}"
    facts = {
        "replay": run.replay,
        "seed": str(run.seed),
        "rung": str(run.rung),
        "target": target_words(run.target, ENGLISH, bundled=run.target_bundled),
        "run_id": run.run_id,
        "decision": str(run.decision or "none"),
        "first_line": first_line(run.seed, run.rung, run.replay),
    }
    broken = Error(text("; ".join(run.errors)), "broken") if run.errors else None
    left = Failure(text("; ".join(run.leaks)), "leak") if run.leaks else None
    cases = [
        _decision_case(name, run),
        *(_criterion_case(name, criterion) for criterion in run.criteria),
        *(_check_case(name, check) for check in run.checks),
        case(name, "run", broken),
        case(name, "leaks", left),
    ]
    return suite_document(name, cases, started_utc=run.started_utc, properties=facts)


def write_junit(folder: Path, run: Run) -> Path:
    """Writes ``junit.xml`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / JUNIT_XML, junit(run))

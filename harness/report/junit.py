"""``junit.xml``: what a CI that reads JUnit shows. It is green if and only if ``run.json`` says ``advance``.

* one test case a criterion: ``fail`` (a rollback limit that fired included) is a failure; ``inconclusive`` is an
  error, because the measurement could not tell and the week holds; ``not exercised`` is skipped, with its reason;
* one test case a check of the flag, in the same way;
* the test case ``decision`` carries what skipped cases cannot: a CI shows skipped as green, and a week with a
  criterion that was not exercised holds;
* the test cases ``run`` and ``leaks`` fail when a part broke or something was left on the machine.
"""

from __future__ import annotations

import re
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.model.run import Run
from harness.model.verdict import CheckResult, CriterionResult, Decision, Verdict
from harness.report.files import write_atomically
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

#: What XML 1.0 cannot hold at all, escaped or not.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(text: str) -> str:
    return _NOT_XML.sub("�", text)


def _case(suite: str, name: str, result: Failure | Error | Skipped | None, output: str = "") -> TestCase:
    case = TestCase(_text(name), classname=_text(suite), time=0.0)
    if result is not None:
        case.result = [result]
    if output:
        case.system_out = _text(output)
    return case


def _criterion_case(suite: str, criterion: CriterionResult) -> TestCase:
    told = _text(f"{verdict_word(criterion)}: {criterion.reason}")
    result = {
        Verdict.PASS: None,
        Verdict.FAIL: Failure(told, "fail"),
        Verdict.INCONCLUSIVE: Error(told, "inconclusive"),
        Verdict.NOT_EXERCISED: Skipped(told, "not_exercised"),
    }[criterion.verdict]
    output = (
        f"{criterion.kind} {criterion.metric} {threshold_words(criterion)}\n"
        f"value {measured(criterion, criterion.value)}, bound {measured(criterion, criterion.bound)}, "
        f"{criterion.samples} samples\nclaim {criterion.claim}\n{criterion.reason}"
    )
    return _case(suite, criterion.id, result, output)


def _check_case(suite: str, check: CheckResult) -> TestCase:
    told = _text(f"{check.verdict.replace('_', ' ')}: {check.reason}")
    result = {
        Verdict.PASS: None,
        Verdict.FAIL: Failure(told, "fail"),
        Verdict.INCONCLUSIVE: Error(told, "inconclusive"),
        Verdict.NOT_EXERCISED: Skipped(told, "not_exercised"),
    }[check.verdict]
    return _case(suite, check.id, result, f"{check_figures(check)}, claim {check.claim}\n{check.reason}")


def _decision_case(suite: str, run: Run) -> TestCase:
    told = _text(decision_reason(run))
    result: Failure | Error | None
    if run.decision is Decision.ADVANCE:
        result = None
    elif run.decision is None:
        result = Error(told, "no_decision")
    else:
        result = Failure(told, str(run.decision))
    return _case(suite, "decision", result, told)


def junit(run: Run) -> bytes:
    """The document, one suite named for the scenario, the target and the rung."""
    name = f"{run.scenario} on {run.rung}"
    suite = TestSuite(_text(name))
    suite.timestamp = run.started_utc
    # Properties first: that is the order of the schema that Jenkins and others validate against.
    facts = {
        "replay": run.replay,
        "seed": str(run.seed),
        "rung": str(run.rung),
        "target": target_words(run),
        "run_id": run.run_id,
        "decision": str(run.decision or "none"),
        "first_line": first_line(run),
    }
    for key, value in facts.items():
        suite.add_property(key, _text(value))
    broken = Error(_text("; ".join(run.errors)), "broken") if run.errors else None
    left = Failure(_text("; ".join(run.leaks)), "leak") if run.leaks else None
    cases = [
        _decision_case(name, run),
        *(_criterion_case(name, criterion) for criterion in run.criteria),
        *(_check_case(name, check) for check in run.checks),
        _case(name, "run", broken),
        _case(name, "leaks", left),
    ]
    for case in cases:
        suite.add_testcase(case)
    document = JUnitXml()
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # half typed upstream
    content: bytes = document.tostring()  # type: ignore[no-untyped-call]  # half typed upstream
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + content + b"\n"


def write_junit(folder: Path, run: Run) -> Path:
    """Writes ``junit.xml`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / JUNIT_XML, junit(run))

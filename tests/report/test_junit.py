"""junit.xml is green exactly when the week advances."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.model.run import Run
from harness.model.verdict import CriterionKind, CriterionResult, Decision, Verdict
from harness.report.junit import junit, write_junit
from tests.report.runs import NASTY, decided, result

PASS, FAIL, OPEN, NOT = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED


def parse(run: Run) -> ElementTree.Element:
    return ElementTree.fromstring(junit(run))


def red(run: Run) -> int:
    suite = parse(run).find("testsuite")
    assert suite is not None
    return int(suite.attrib["failures"]) + int(suite.attrib["errors"])


@pytest.mark.parametrize(
    ("decision", "criteria"),
    [
        (Decision.HOLD, [result(FAIL)]),
        (Decision.HOLD, [result(OPEN)]),
        (Decision.HOLD, [result(PASS), result(NOT)]),
        (Decision.HOLD, []),
        (Decision.ROLL_BACK, [result(FAIL, CriterionKind.ROLLBACK)]),
        (None, []),
    ],
)
def test_whatever_does_not_advance_is_red(decision: Decision | None, criteria: list[CriterionResult]) -> None:
    assert red(decided(decision, *criteria)) >= 1


def test_an_advance_is_green() -> None:
    run = decided(Decision.ADVANCE, result(PASS), result(PASS, CriterionKind.ROLLBACK))
    assert red(run) == 0


def test_a_leak_or_a_part_that_broke_is_red_whatever_was_decided() -> None:
    assert red(decided(Decision.ADVANCE, result(PASS), leaks=("process 4711",))) == 1
    assert red(decided(Decision.ADVANCE, result(PASS), errors=("PostgreSQL ended",))) == 1


@pytest.mark.parametrize(("verdict", "tag"), [(PASS, None), (FAIL, "failure"), (OPEN, "error"), (NOT, "skipped")])
def test_each_verdict_has_its_element_with_the_reason(verdict: Verdict, tag: str | None) -> None:
    root = parse(decided(Decision.HOLD, result(verdict)))
    [case] = [case for case in root.iter("testcase") if case.attrib["name"] == f"success.{verdict}"]
    found = [child for child in case if child.tag in {"failure", "error", "skipped"}]
    assert [child.tag for child in found] == ([tag] if tag else [])
    assert all("the reason given" in child.attrib["message"] for child in found)


def test_it_says_how_to_replay() -> None:
    properties = {p.attrib["name"]: p.attrib["value"] for p in parse(decided(None)).iter("property")}
    assert properties["seed"] == "7"
    assert properties["rung"] == "local"
    assert properties["replay"] == "python -m harness run rollout_week3 --seed 7"


def test_what_xml_cannot_hold_does_not_break_it(tmp_path: Path) -> None:
    run = decided(Decision.HOLD, result(OPEN, reason=NASTY), title=NASTY, errors=(NASTY,), leaks=(NASTY,))
    root = ElementTree.parse(write_junit(tmp_path, run)).getroot()
    assert any("<script>" in case.attrib.get("message", "") for case in root.iter("error"))

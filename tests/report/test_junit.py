"""junit.xml is green exactly when the exit status is 0."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.base.errors import Exit
from harness.model.judgement import Decision, Judgement, Kind, Verdict, observation
from harness.model.message import message, raw_text
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report.write_all import junit, write_junit
from harness.rules.judged import combine, exit_status
from tests.report import results
from tests.report.results import NASTY, command, judgement, result, rollback_limit

PASS, FAIL, OPEN, NOT = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED


def suite(run: Result) -> ElementTree.Element:
    found = ElementTree.fromstring(junit(run)).find("testsuite")
    assert found is not None
    return found


def red(run: Result) -> int:
    return int(suite(run).attrib["failures"]) + int(suite(run).attrib["errors"])


def ended(*judgements: Judgement, errors: tuple[str, ...] = (), leaks: tuple[str, ...] = ()) -> Result:
    """A run of these judgements, decided by the rule of all runs."""
    decision = combine(judgements)
    broke = [Exit.RUN_BROKEN] if errors else []
    if broke and decision is not Decision.ROLL_BACK:
        status = exit_status(None, broke, leaks=bool(leaks))
        return command(None, *judgements, errors=errors, leaks=leaks, exit_status=int(status))
    status = exit_status(decision, broke, leaks=bool(leaks))
    return command(decision, *judgements, errors=errors, leaks=leaks, exit_status=int(status))


LACKING = judgement(NOT, gates=False)
ADVICE = judgement(FAIL, gates=False, id="advice")
SEEN = observation("seen", (message("x"),), verdict=FAIL)


@pytest.mark.parametrize(
    "run",
    [
        ended(judgement(PASS)),
        ended(judgement(PASS), LACKING),
        ended(judgement(PASS), ADVICE, SEEN),
        ended(judgement(Verdict.ERRATUM_SHOWN)),
        ended(judgement(PASS), rollback_limit(PASS)),
        ended(judgement(FAIL)),
        ended(judgement(OPEN)),
        ended(judgement(PASS), judgement(NOT)),
        ended(LACKING),
        ended(ADVICE),
        ended(),
        ended(judgement(PASS), judgement(FAIL, kind=Kind.CHECK)),
        ended(rollback_limit(FAIL)),
        ended(judgement(PASS), leaks=("process 4711",)),
        ended(judgement(PASS), errors=("PostgreSQL ended",)),
        ended(rollback_limit(FAIL), errors=("PostgreSQL ended",)),
    ],
)
def test_it_is_green_exactly_when_the_exit_status_is_0(run: Result) -> None:
    assert (red(run) == 0) is (run.exit_status == 0)


@pytest.mark.parametrize(("verdict", "tag"), [(PASS, None), (FAIL, "failure"), (OPEN, "error"), (NOT, "skipped")])
def test_each_verdict_has_its_element_with_the_reason(verdict: Verdict, tag: str | None) -> None:
    root = suite(result(Decision.HOLD, judgement(verdict, part="first")))
    [case] = [case for case in root.iter("testcase") if case.attrib["name"] == f"success.{verdict}"]
    assert case.attrib["classname"] == "rollout_week3 on local.first"
    found = [child for child in case if child.tag in {"failure", "error", "skipped"}]
    assert [child.tag for child in found] == ([tag] if tag else [])
    assert all("the reason given" in child.attrib["message"] for child in found)


def test_an_erratum_shown_passes_and_says_so() -> None:
    [case] = [case for case in suite(result(Decision.ADVANCE, judgement(Verdict.ERRATUM_SHOWN))).iter("testcase")
              if case.attrib["name"] == "success.erratum_shown"]  # fmt: skip
    output = case.findtext("system-out") or ""
    assert "erratum shown: rollout.week4" in output
    assert "value 90 %, bound 80 %, limit 99.5 %, 1200 samples" in output


def test_it_says_how_to_replay_in_the_order_of_the_schema() -> None:
    root = suite(results.everything())
    assert [child.tag for child in root][:2] == ["properties", "testcase"]
    assert {child.tag for child in root} == {"properties", "testcase"}
    found = {each.attrib["name"]: each.attrib["value"] for each in root.iter("property")}
    assert found["seed"] == "7"
    assert found["rung"] == "local"
    assert found["decision"] == "hold"
    assert found["replay"] == "python -m harness run rollout_week3 --seed 7"
    cases = [*root.iter("testcase")]
    assert int(root.attrib["tests"]) == len(cases)
    assert [case.attrib["name"] for case in cases][-3:] == ["run", "leaks", "exercised"]
    assert cases[0].attrib["name"] == "decision"
    assert int(root.attrib["skipped"]) == sum(case.find("skipped") is not None for case in cases) == 2
    names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
    assert len(names) == len(set(names))


def test_what_xml_cannot_hold_does_not_break_it(tmp_path: Path) -> None:
    told = (raw_text(NASTY),)
    run = result(
        None, judgement(OPEN, told=told, part=NASTY), title=told[0], errors=(NASTY,), leaks=(NASTY,), plan=NASTY
    )
    root = ElementTree.parse(write_junit(tmp_path, run)).getroot()
    assert any("<script>" in case.attrib.get("message", "") for case in root.iter("error"))


def test_a_simulated_run_says_so_where_its_decision_is_shown() -> None:
    def shown(run: Result) -> str:
        return ElementTree.tostring(suite(run), encoding="unicode")

    said = "no evidence for a sign-off"
    simulated = suite(result(Decision.ADVANCE, judgement(PASS), rung=EnvironmentKind.SIM))
    (decision,) = [each for each in simulated.iter("testcase") if each.attrib["name"] == "decision"]
    assert said in (decision.findtext("system-out") or "")
    properties = {each.attrib["name"]: each.attrib["value"] for each in simulated.iter("property")}
    assert said in properties["environment"]
    assert said not in shown(result(Decision.ADVANCE, judgement(PASS), rung=EnvironmentKind.LOCAL))


def test_only_what_took_time_has_one_and_the_run_has_its_length() -> None:
    timed = result(
        Decision.ADVANCE,
        judgement(PASS, id="quick"),
        judgement(PASS, id="slow", seconds=1.5),
        timings={"checked": 20.0, "tear_down": 2.5},
    )
    cases = {each.attrib["name"]: each.attrib.get("time") for each in suite(timed).iter("testcase")}
    assert (cases["quick"], cases["slow"], cases["run"], cases["leaks"]) == (None, "1.5", "22.5", None)

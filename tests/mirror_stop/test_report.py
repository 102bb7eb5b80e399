"""``junit.xml`` and ``summary.md`` of the stop of the mirror: red where a claim failed, and each claim once."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import msgspec

from harness.model.verdict import Verdict
from harness.rehearsals.mirror_stop.report import junit, summary, text
from harness.rehearsals.mirror_stop.result import MirrorStopResult
from harness.report.language import language
from tests.report.others import mirror_stop


def red(result: MirrorStopResult) -> set[str]:
    suite = ET.fromstring(junit(result))[0]
    found = suite.findall("testcase")
    assert len(found) == len(result.judgements) + 3  # the run, what was left, whether anything was exercised
    return {
        str(each.get("name")) for each in found if each.find("failure") is not None or each.find("error") is not None
    }


def test_junit_is_red_where_a_claim_is_not_passed_and_nowhere_else() -> None:
    result = mirror_stop()
    first, *others = result.judgements
    result = msgspec.structs.replace(result, judgements=(msgspec.structs.replace(first, verdict=Verdict.FAIL), *others))
    assert Verdict.ERRATUM_SHOWN in {each.verdict for each in others}
    wrong = {each.id for each in result.judgements if each.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)}
    assert wrong and len(wrong) < len(result.judgements)
    assert red(result) == wrong
    broken = msgspec.structs.replace(
        result, judgements=(), errors=("postgres died",), leaks=("a port\x00",), exit_status=31
    )
    assert red(broken) == {"run", "leaks"}


def test_the_summary_has_each_claim_and_each_step_in_both_languages() -> None:
    result = mirror_stop()
    for say in (language("en"), language("ja")):
        told = summary(result, say)
        for each in result.judgements:
            assert say.told(each.told, each.reason) in told.replace("\\", "")
        for step in result.steps:
            assert f"| {step.share_percent} % |" in told
    assert "What each step leaves" not in summary(result, language("ja"))


def test_what_broke_and_was_left_is_told_on_the_terminal_and_in_the_summary() -> None:
    result = msgspec.structs.replace(mirror_stop(), errors=("postgres died",), leaks=("port 1",))
    for told in (text(result, "reports/x"), summary(result)):
        assert "postgres died" in told and "port 1" in told

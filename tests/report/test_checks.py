"""A check of the flag that does not pass is read in every report."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from harness.document import conclusion
from harness.model.evidence import Row
from harness.model.run import Run
from harness.model.units import Unit
from harness.model.verdict import CheckResult, Decision, Verdict
from harness.report.html import render
from harness.report.junit import junit
from harness.report.language import ENGLISH, language
from harness.report.summary import summary
from harness.report.words import decision_reason
from tests.report.runs import decided, result

SHARE = CheckResult(
    id="flag.share",
    claim="rollout.schedule.week3",
    verdict=Verdict.FAIL,
    value=0.498,
    planned=0.5,
    unit=Unit.RATIO,
    samples=500,
    reason="flag on for 249 of 500 users",
)
RUN = decided(Decision.HOLD, result(Verdict.PASS), checks=(SHARE,))


def test_the_decision_names_it() -> None:
    told = decision_reason(RUN, ENGLISH)
    assert told == "1 of 1 success criteria passed. users with the flag on, as planned: fail."


def test_html_markdown_and_terminal_show_seen_planned_and_why(tmp_path: Path) -> None:
    for text in (render(tmp_path, RUN, {}), summary(RUN)):
        assert "49.8 % (planned 50 %)".replace(" (", " (") in text.replace("\\(", "(")
        assert "flag on for 249 of 500 users" in text
    assert "users with the flag on, as planned (flag.share): flag on for 249 of 500 users" in conclusion(RUN, "x")


def test_junit_is_red() -> None:
    case = ElementTree.fromstring(junit(RUN)).find(".//testcase[@name='flag.share']")
    assert case is not None
    assert case.find("failure") is not None


def test_the_japanese_terminal_and_summary_name_checks_windows_and_audiences_by_words(
    healthy: tuple[Run, list[Row]],
) -> None:
    assert "計画どおりフラグ有効のユーザー (flag.share)" in conclusion(RUN, "x", language("ja"))
    told = summary(healthy[0], language("ja"))
    assert "| 測定期間 | API |" in told and "| window |" not in told
    assert "一般ユーザー 500人中250人" in told and "general" not in told

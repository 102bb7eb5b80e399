"""What a deviation breaks and whose sentence it is; what a target lacks altogether is waited for once."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from harness.model.verdict import Combined
from harness.rehearsals.conformance.check import Check
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.flow import combined_of
from harness.rehearsals.conformance.grade import FINDINGS, GRADES, Finding, Grade, SourceKind
from harness.rehearsals.conformance.page import html
from harness.rehearsals.conformance.report import junit_document, summary, text, write_report
from harness.rehearsals.conformance.result import CheckResult, Outcome
from harness.report.language import language
from tests.conformance.in_process import Target, checked
from tests.report.others import conformance
from tests.test_citations import ROOT, missing

INDEX = json.loads((ROOT / "scenarios" / "document_index.json").read_text())
HEADINGS = {entry["place"] for entry in INDEX if entry["kind"] == "heading"}
LONGEST_S = 90.0


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_every_check_names_a_source_that_is_there(check: Check) -> None:
    if check.source.kind is SourceKind.DOCUMENT:
        assert check.source.place in HEADINGS
    else:
        page, _, anchor = check.source.place.partition("#")
        assert anchor and missing(ROOT / page, f"#{anchor}") == ""


def result(outcome: Outcome, **changes: object) -> CheckResult:
    return CheckResult(id="a.b", sentence="s", outcome=outcome, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("results", "whole", "combined"),
    [
        ([Outcome.PASSED, Outcome.ADVICE], True, Combined.ALL_PASSED),
        ([Outcome.PASSED, Outcome.ADVICE], False, Combined.NOT_ALL_PASSED),
        ([Outcome.PASSED, Outcome.DEVIATION], True, Combined.NOT_ALL_PASSED),
        ([Outcome.PASSED, Outcome.NOT_EXERCISED], True, Combined.NOT_ALL_PASSED),
        ([Outcome.PASSED, Outcome.MEASUREMENT_ERROR], True, Combined.NOT_ALL_PASSED),
    ],
)
def test_advice_alone_holds_nothing_up(results: list[Outcome], whole: bool, combined: Combined) -> None:
    assert combined_of([result(outcome) for outcome in results], whole=whole) is combined


def test_what_a_target_may_do_without_holds_nothing_up() -> None:
    lacking = result(Outcome.NOT_EXERCISED, allowed=True)
    assert combined_of([result(Outcome.PASSED), lacking], whole=True) is Combined.ALL_PASSED
    assert combined_of([lacking], whole=True) is Combined.NOTHING_EXERCISED


def test_grade_finding_and_source_are_in_every_report(tmp_path: Path) -> None:
    report = conformance()
    first, third = report.checks[0], report.checks[2]
    write_report(tmp_path, report)
    held = json.loads((tmp_path / "conformance.json").read_text())["checks"]
    assert held[0]["grade"] == "breaks_the_contract" and held[0]["finding"] == "wrong_status"
    assert held[0]["source"] == {"kind": "contract", "place": "docs/contract/walk-api.md#health"}
    assert held[2]["outcome"] == "advice" and held[2]["grade"] == "advice"
    for told in (text(report, "f"), summary(report)):
        assert f"breaks the contract (wrong status); {first.source}" in told.replace("\\", "")
        assert f"advice (wrong body); {third.source}" in told.replace("\\", "")
    cases = {case.attrib["name"]: case for case in ET.fromstring(junit_document(report)).iter("testcase")}
    (failure,) = cases[first.id].iter("failure")
    assert failure.attrib["type"] == "breaks_the_contract" and str(first.source) in failure.attrib["message"]
    assert [child.tag for child in cases[third.id]] == ["system-out"], "advice is green"
    assert "advice (wrong body)" in "".join(cases[third.id].itertext())


@pytest.mark.parametrize("code", ["en", "ja"])
def test_the_page_says_them_in_its_language(code: str, tmp_path: Path) -> None:
    say, report = language(code), conformance()
    page = html(tmp_path, report, say)
    for words in (GRADES[Grade.CONTRACT], GRADES[Grade.ADVICE], FINDINGS[Finding.STATUS], FINDINGS[Finding.BODY]):
        assert say(words) in page
        assert code == "en" or say(words) != words
    assert "docs/contract/walk-api.md#health" in page and "データ同期戦略" in page


def no_mirror(target: Target) -> None:
    target.settings = msgspec.structs.replace(target.settings, mirror_share_percent=0)


def photos_are_the_apps(target: Target) -> None:
    async def remove_walk(user_id: str, walk_id: str) -> None:
        del user_id, walk_id

    target.parts.remove_walk = remove_walk  # type: ignore[method-assign]


def silent(target: Target) -> None:
    target.log_line = lambda _line: b""


def test_a_target_without_a_dual_write_is_told_so_once_and_in_time(tmp_path: Path) -> None:
    """Near four minutes of waiting before: each check waited for what never comes."""
    found = checked(
        [check for check in ALL if not check.id.startswith("stop.")], [no_mirror, photos_are_the_apps, silent], tmp_path
    )
    assert sum(each.duration_s for each in found.values()) < LONGEST_S
    mirrors = {id_: each for id_, each in found.items() if id_.startswith("dual_write.")}
    reasons = {each.reason for id_, each in mirrors.items() if id_ != "dual_write.written"}
    (reason,) = reasons
    assert reason.startswith("the target writes nothing to Firestore: no document of 4 walks came within 10 s")
    assert found["dual_write.written"].outcome is Outcome.DEVIATION and found["dual_write.written"].got == reason
    assert {each.outcome for id_, each in mirrors.items() if id_ != "dual_write.written"} == {Outcome.NOT_EXERCISED}
    assert sum(each.duration_s for each in mirrors.values()) < 20
    photos = [each for id_, each in found.items() if id_.startswith("photos.")]
    assert all(each.outcome is Outcome.NOT_EXERCISED and each.allowed and not each.holds for each in photos)
    assert len({each.reason for each in photos}) == 1
    assert not found["log.json"].allowed and found["log.json"].holds


def test_a_single_document_that_is_missing_is_not_taken_for_no_dual_write(tmp_path: Path) -> None:
    def no_creations(target: Target) -> None:
        write = target.firestore.write

        async def written(walk: object, seen: object) -> None:
            if walk.updated_at != walk.created_at:  # type: ignore[attr-defined]
                await write(walk, seen)  # type: ignore[arg-type]

        target.firestore.write = written  # type: ignore[method-assign]

    found = checked(
        [check for check in ALL if check.id in ("dual_write.written", "dual_write.updated")], [no_creations], tmp_path
    )
    assert found["dual_write.written"].outcome is Outcome.DEVIATION

"""What a deviation breaks and whose sentence it is; what a target lacks altogether is waited for once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from api.model import WalkDetail
from harness.checks.contract.check import Check, chosen
from harness.checks.contract.run import (
    FINDINGS,
    GRADES,
    CheckRun,
    Deviation,
    DeviationKind,
    Grade,
    SourceKind,
    document,
    walk_api,
)
from harness.model.judgement import Decision, Kind, Verdict
from harness.model.message import english, raw_text
from harness.model.section import Lines, Pairs
from harness.rehearsals.conformance.checks import ALL, NOT_COVERED
from harness.rehearsals.conformance.fuzz import SENTENCES
from harness.rehearsals.conformance.rehearsal import REHEARSAL, sections
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan, Extra, Fuzz, TargetFacts
from harness.report.language import language
from harness.rules.judged import combine
from harness.run.result import judged as concluded
from harness.stack.firebase.documents import Fields, Value
from tests.conformance.expected import OF_OUR_OWN
from tests.conformance.front import Answer, Call
from tests.conformance.in_process import Target, checked
from tests.conformance.outcomes import Outcome, judgement, outcome
from tests.conformance.plants import PLANTS
from tests.rehearsal.made import seen
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


def check(deviation: Deviation | None = None, **changes: object) -> CheckRun:
    source = walk_api("health")
    return CheckRun(id="a.b", sentence="s", source=source, deviation=deviation, **changes)  # type: ignore[arg-type]


def deviating(grade: Grade) -> CheckRun:
    found = Deviation(expected="status 200", got="status 500", grade=grade, finding=DeviationKind.STATUS)
    return check(found, curl="curl x", request_file="requests/a.b.http", decided=("x = 1 (f:7), not 2",))


PASSED = msgspec.structs.replace(check(), id="a.passed")
PLAN = ConformancePlan()


def decided(*runs: CheckRun) -> Decision:
    """What they come to."""
    return combine([*REHEARSAL.by_rules(PLAN, seen(ConformanceDetails(checks=[*runs])))])


@pytest.mark.parametrize("grade", [Grade.CONTRACT, Grade.OPENAPI])
def test_a_deviation_fails_and_holds(grade: Grade) -> None:
    found = judgement(deviating(grade))
    assert (found.verdict, found.holds, found.kind) == (Verdict.FAIL, True, Kind.CRITERION)
    assert decided(PASSED, deviating(grade)) is Decision.HOLD


def test_advice_alone_holds_nothing_up() -> None:
    found = judgement(deviating(Grade.ADVICE))
    assert (found.verdict, found.holds, found.kind) == (Verdict.PASS, False, Kind.OBSERVATION)
    assert decided(PASSED, deviating(Grade.ADVICE)) is Decision.ADVANCE


def test_one_check_that_was_not_made_leaves_it_open() -> None:
    made = [CheckRun(id=each.id, sentence="s", source=walk_api("health")) for each in ALL]
    assert combine(concluded(REHEARSAL, PLAN, seen(ConformanceDetails(checks=made)))) is Decision.ADVANCE
    (missing,) = (each for each in concluded(REHEARSAL, PLAN, seen(ConformanceDetails(checks=made[1:]))) if each.holds)
    assert (missing.id, missing.verdict) == (ALL[0].id, Verdict.INCONCLUSIVE)
    fuzzed = msgspec.structs.replace(PLAN, fuzz_s=30)
    drawn = [each for each in concluded(REHEARSAL, fuzzed, seen(ConformanceDetails(checks=made))) if each.holds]
    assert [(each.id, each.verdict) for each in drawn] == [(id_, Verdict.INCONCLUSIVE) for id_ in SENTENCES]


def test_what_could_not_be_tried_or_measured_holds_and_says_why() -> None:
    for run, verdict in (
        (check(lacking=raw_text("it needs a walk")), Verdict.NOT_EXERCISED),
        (check(broken="it needs a walk"), Verdict.INCONCLUSIVE),
    ):
        found = judgement(run)
        assert (found.verdict, found.holds) == (verdict, True)
        assert "it needs a walk" in found.reason
        assert decided(PASSED, run) is Decision.HOLD


def test_what_a_target_may_do_without_holds_nothing_up() -> None:
    lacking = check(lacking=raw_text("it has none"), allowed=True)
    assert decided(PASSED, lacking) is Decision.ADVANCE
    assert decided(lacking) is Decision.HOLD  # nothing was exercised


def test_grade_finding_source_and_request_stand_beside_a_deviation() -> None:
    found = judgement(deviating(Grade.CONTRACT))
    assert found.reason == "expected status 200; got status 500"
    assert english(found.asked) == "s" and found.reproduce == "curl x"
    assert [str(note) for note in found.notes] == [
        "breaks the contract (wrong status)",
        "source: docs/contract/walk-api.md#health",
        "decided by the OpenAPI file: x = 1 (f:7), not 2",
        "the request as it was sent: requests/a.b.http",
    ]
    by_document = judgement(msgspec.structs.replace(PASSED, source=document("データ同期戦略")))
    assert [str(note) for note in by_document.notes] == ["source: design document, データ同期戦略"]


def test_the_page_has_the_target_the_requests_and_what_was_not_covered() -> None:
    details = ConformanceDetails(
        target=TargetFacts(command=("x", "y"), folder="/f", environment=(), migrations=()),
        checks=[PASSED, deviating(Grade.CONTRACT)],
        extras=[Extra(name="X-Pod-Name", offered=False, without="w"), Extra(name="m", offered=True, without="v")],
        fuzz=Fuzz(cases=3, statuses={"200": 3}, seconds=1.5, exit=0),
    )
    facts, uncovered, lacking = sections(details)
    assert isinstance(facts, Pairs) and [str(what) for _, what in facts.pairs] == [
        "x y (/f)",
        "3 requests in 1.5 s (200: 3)",
    ]
    assert isinstance(uncovered, Lines) and len(uncovered.lines) == len(NOT_COVERED)
    assert isinstance(lacking, Lines)
    assert [str(line) for line in lacking.lines] == ["X-Pod-Name (beyond the contract): w"]


@pytest.mark.parametrize("told", [*GRADES.values(), *FINDINGS.values(), *NOT_COVERED, *(each.sentence for each in ALL)])
def test_what_a_check_says_is_known_in_japanese(told: str) -> None:
    assert language("ja")(told) != told


def no_mirror(target: Target) -> None:
    target.settings = msgspec.structs.replace(target.settings, mirror_share_percent=0)


def photos_are_the_apps(target: Target) -> None:
    async def remove_walk(user_id: str, walk_id: str) -> None:
        del user_id, walk_id

    target.parts.remove_walk = remove_walk  # type: ignore[method-assign]


def silent(target: Target) -> None:
    target.log_line = lambda _line: b""


def whole_seconds(target: Target) -> None:
    """The target's own stamps, in the answers, as ``app.times`` advises, and in the documents."""
    real = target.firestore.content

    def content(walk: WalkDetail) -> Fields:
        stamps = {"created_at": walk.created_at, "updated_at": walk.updated_at}
        return real(walk) | {name: Value("timestamp", at.replace(microsecond=0)) for name, at in stamps.items()}

    def change(_call: Call, answer: Answer) -> None:
        answer.body = re.sub(rb'(_at": ?"[^".]+)\.\d+', rb"\1", answer.body)

    target.firestore.content = content  # type: ignore[method-assign]
    target.front.after.append(change)


@pytest.mark.parametrize("ids", [["*"], ["dual_write.updated"]], ids=["all", "one"])
def test_a_target_whose_stamps_are_whole_seconds_conforms(tmp_path: Path, ids: list[str]) -> None:
    """Two writes of one second are told apart by nothing but what they hold; alone, the check's begin with a second."""
    found = checked([each for each in chosen(ALL, ids) if not each.id.startswith("stop.")], [whole_seconds], tmp_path)
    assert {id_ for id_, each in found.items() if outcome(each) is not Outcome.PASSED} <= OF_OUR_OWN, found


def test_a_target_that_removes_photos_at_a_put_alone_is_found(tmp_path: Path) -> None:
    """Though it leaves those of deleted walks to the app, as it may."""
    plants = [photos_are_the_apps, *(each.plant for each in PLANTS if each.name == "photo_removed_by_put")]
    found = checked(chosen(ALL, ["photos.*"]), plants, tmp_path)
    assert len(plants) == 2
    assert {id_: outcome(each) for id_, each in found.items()} == {
        "photos.removed": Outcome.DEVIATION,
        "photos.others_stay": Outcome.NOT_EXERCISED,
        "photos.foreign": Outcome.NOT_EXERCISED,
    }


def test_a_target_without_a_dual_write_is_told_so_once_and_in_time(tmp_path: Path) -> None:
    """Near four minutes of waiting before: each check waited for what never comes."""
    found = checked(
        [check for check in ALL if not check.id.startswith("stop.")], [no_mirror, photos_are_the_apps, silent], tmp_path
    )
    assert sum(each.seconds for each in found.values()) < LONGEST_S
    mirrors = {id_: each for id_, each in found.items() if id_.startswith("dual_write.")}
    reasons = {str(each.lacking) for id_, each in mirrors.items() if id_ != "dual_write.written"}
    (reason,) = reasons
    assert reason.startswith("the target writes nothing to Firestore: no document of 4 walks came within 10 s")
    written = found["dual_write.written"].deviation
    assert written is not None and str(written.got) == reason
    assert {outcome(each) for id_, each in mirrors.items() if id_ != "dual_write.written"} == {Outcome.NOT_EXERCISED}
    assert sum(each.seconds for each in mirrors.values()) < 20
    photos = [each for id_, each in found.items() if id_.startswith("photos.")]
    assert all(outcome(each) is Outcome.NOT_EXERCISED and not judgement(each).holds for each in photos)
    assert len({str(each.lacking) for each in photos}) == 1
    assert not found["log.json"].allowed and judgement(found["log.json"]).holds


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
    assert outcome(found["dual_write.written"]) is Outcome.DEVIATION

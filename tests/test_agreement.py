"""How the stores' checks are judged: what passes, what fails, and what a foreign target need not do."""

from __future__ import annotations

from harness.agreement import CLAIM_DUAL_WRITE, CLAIM_PHOTOS, dual_write_result, photos_result
from harness.checks.dual_write import compare
from harness.checks.photos import photos
from harness.judge.decision import decide
from harness.model.verdict import Decision, Verdict
from scenarios.claims import REGISTER
from tests.checks.test_dual_write import WALK, documents, walk
from tests.checks.test_photos import NAMED, OBJECTS, ONE, TWO
from tests.report.runs import result

OTHER = WALK.replace("0b", "0c")
GOOD = compare([walk()], documents(walk()))
HALF = compare([walk(), walk(OTHER)], documents(walk()))
NONE = compare([walk(), walk(OTHER)], {})


def test_documents_that_agree_pass_and_any_finding_fails_with_an_example() -> None:
    assert dual_write_result(GOOD, bundled=True).verdict is Verdict.PASS
    failed = dual_write_result(HALF, bundled=True)
    assert (failed.verdict, failed.value, failed.samples) == (Verdict.FAIL, 1.0, 2)
    assert OTHER in failed.reason


def test_only_a_foreign_target_may_mirror_nothing() -> None:
    assert dual_write_result(NONE, bundled=False).verdict is Verdict.NOT_EXERCISED
    assert dual_write_result(NONE, bundled=True).verdict is Verdict.FAIL
    assert dual_write_result(HALF, bundled=False).verdict is Verdict.FAIL
    assert dual_write_result(compare([], {}), bundled=True).verdict is Verdict.INCONCLUSIVE


def test_photos() -> None:
    good, lost = photos(OBJECTS, NAMED, set()), photos(OBJECTS[:1], NAMED, set())
    left = photos(OBJECTS, {ONE: NAMED[ONE]}, {("u2", TWO)})
    assert photos_result(good, bundled=True).verdict is Verdict.PASS
    assert photos_result(lost, bundled=False).verdict is Verdict.FAIL
    assert photos_result(left, bundled=True).verdict is Verdict.FAIL
    assert photos_result(left, bundled=False).verdict is Verdict.NOT_EXERCISED
    assert photos_result(photos([], {}, set()), bundled=True).verdict is Verdict.INCONCLUSIVE


def test_a_lost_mirror_write_is_told_and_does_not_hold_the_week() -> None:
    failed = dual_write_result(HALF, bundled=True)
    assert decide([result(Verdict.PASS)], [failed]) is Decision.ADVANCE


def test_the_claims_are_in_the_register() -> None:
    assert CLAIM_DUAL_WRITE in REGISTER and CLAIM_PHOTOS in REGISTER

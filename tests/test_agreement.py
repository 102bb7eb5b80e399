"""How the stores' checks are judged: what passes, what fails, and what a foreign target need not do."""

from __future__ import annotations

from harness.checks.agreement import CLAIM_DUAL_WRITE, CLAIM_PHOTOS, CLAIMS_FORMAT, photos_result, reconciled_result
from harness.checks.dual_write import DocumentFlaw, StoreComparison, StoreDifference, compare
from harness.checks.invariants import CLAIM
from harness.checks.photos import photos
from harness.checks.reconciled import STOPS_AT_ONCE, Outage, reconciled
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.message import message
from harness.rules.judged import combine
from tests.checks.stored import WALK, documents, walk
from tests.checks.test_photos import NAMED, OBJECTS, ONE, TWO
from tests.register import REGISTER
from tests.report.results import judgement as result

OTHER = WALK.replace("0b", "0c")
GOOD = compare([walk()], documents(walk()))
HALF = compare([walk(), walk(OTHER)], documents(walk()))
UNREAD = (message("walks.title cannot be read"),)
NONE = compare([walk(), walk(OTHER)], {})


def dual_write_result(compared: StoreComparison) -> Judgement:
    return reconciled_result(reconciled(compared, {}, ()), compared)


def test_what_an_outage_explains_is_told_and_passes() -> None:
    outage = Outage(from_ns=10**9, to_ns=2 * 10**9, what="part hang firestore")
    told = reconciled_result(reconciled(HALF, {OTHER: 10**9}, [outage]), HALF)
    assert told.verdict is Verdict.PASS
    assert "1 explained by an injected outage (part hang firestore)" in told.reason


def test_what_the_manifests_lose_as_written_is_their_erratum_and_hides_no_other_loss() -> None:
    ended = Outage(from_ns=10**9, to_ns=2 * 10**9, what="a pod ended", erratum=STOPS_AT_ONCE)
    told = reconciled_result(reconciled(HALF, {OTHER: 10**9}, [ended]), HALF)
    assert (told.verdict, told.erratum) == (Verdict.PASS, "manifest.sidecar_stops_at_once")
    assert "1 lost as pods ended" in told.reason and "injected" not in told.reason
    one = compare([walk(), walk(OTHER), walk(WALK.replace("0b", "0d"))], documents(walk()))
    both = reconciled_result(reconciled(one, {OTHER: 10**9}, [ended]), one)
    assert (both.verdict, both.value) == (Verdict.FAIL, 1.0)
    assert STOPS_AT_ONCE in {erratum.id for claim in REGISTER.values() for erratum in claim.errata}


def test_a_document_that_the_app_wrote_itself_says_of_no_target_that_it_mirrors() -> None:
    """The target deleted the walk in PostgreSQL, and never wrote anything to Firestore."""
    left = compare([walk(OTHER)], documents(walk()), {WALK: "u"})
    assert [each.flaw for each in left.findings] == [DocumentFlaw.EXTRA, DocumentFlaw.MISSING] and not left.documents
    found = reconciled(left, {}, ())
    alone = reconciled_result(found, left, by_app={WALK})
    assert alone.verdict is Verdict.NOT_EXERCISED and alone.reason.startswith("the target mirrors nothing")
    for kept in (reconciled_result(found, left, by_app={OTHER}), reconciled_result(found, left)):
        assert kept.verdict is Verdict.FAIL and "was deleted, and its document is there" in kept.reason
    mirrors = compare([walk()], documents(walk(), walk(OTHER)), {OTHER: "u"})
    both = reconciled_result(reconciled(mirrors, {}, ()), mirrors, by_app={OTHER})
    assert both.verdict is Verdict.FAIL and mirrors.documents


def test_documents_that_agree_pass_and_any_finding_fails_with_an_example() -> None:
    assert dual_write_result(GOOD).verdict is Verdict.PASS
    failed = dual_write_result(HALF)
    assert (failed.verdict, failed.value, failed.samples) == (Verdict.FAIL, 1.0, 2)
    assert OTHER in failed.reason


def test_no_target_may_mirror_nothing() -> None:
    for compared, verdict in (
        (NONE, Verdict.NOT_EXERCISED),
        (HALF, Verdict.FAIL),
        (compare([], {}), Verdict.INCONCLUSIVE),
        (compare([walk()], {}, {OTHER: "u"}), Verdict.NOT_EXERCISED),
    ):
        found = dual_write_result(compared)
        assert (found.verdict, found.holds) == (verdict, True)


def test_without_a_document_to_compare_nothing_is_known_of_documents_and_only_those_there_are_counted() -> None:
    """Deleted walks, and walks whose documents an outage lost, have none: that is no agreement."""
    outage = Outage(from_ns=10**9, to_ns=2 * 10**9, what="part hang firestore")
    written_ns = dict.fromkeys((WALK, OTHER), 10**9)
    for compared in (compare([], {}, {WALK: "u", OTHER: "u"}), NONE):
        told = reconciled_result(reconciled(compared, written_ns, [outage]), compared)
        assert (told.verdict, told.samples) == (Verdict.INCONCLUSIVE, 0) and told.gates
        assert "no walk had a document to compare" in told.reason and "2 walks compared" in told.reason
    some = dual_write_result(compare([walk()], documents(walk()), {OTHER: "u"}))
    assert (some.verdict, some.samples) == (Verdict.PASS, 1)


def test_a_target_that_mirrors_nothing_hides_no_document_of_another_walk_and_none_that_is_there_twice() -> None:
    """One walk without a document is not the whole story when there are documents without a walk."""
    extra = compare([walk()], {}).findings, StoreDifference(flaw=DocumentFlaw.EXTRA, walk_id=OTHER, user="")
    for compared, names in (
        (StoreComparison(compared=1, documents=0, findings=(*extra[0], extra[1])), []),
        (StoreComparison(compared=0, documents=0, findings=(extra[1],)), []),
        (compare([walk()], {}), [OTHER, OTHER.upper()]),
    ):
        found = reconciled(compared, {}, (), names=names)
        told = reconciled_result(found, compared)
        assert told.verdict is Verdict.FAIL and OTHER in told.reason.lower()


def test_what_was_not_read_of_walks_passes_no_comparison_and_hides_no_difference() -> None:
    for compared, verdict in ((GOOD, Verdict.NOT_EXERCISED), (HALF, Verdict.FAIL)):
        told = reconciled_result(reconciled(compared, {}, ()), compared, unread=UNREAD)
        assert told.verdict is verdict and "walks.title cannot be read" in told.reason


def test_photos() -> None:
    good, lost = photos(OBJECTS, NAMED, set()), photos(OBJECTS[:1], NAMED, set())
    left = photos(OBJECTS, {ONE: NAMED[ONE]}, {("u2", TWO)})
    assert photos_result(good).verdict is Verdict.PASS
    assert photos_result(lost).verdict is Verdict.FAIL
    assert photos_result(photos([], {}, set())).verdict is Verdict.INCONCLUSIVE
    assert photos_result(photos(OBJECTS, {}, set())).verdict is Verdict.INCONCLUSIVE
    for objects, before in (([], ""), (OBJECTS, "2 objects: 0 of deleted walks, 2 not named; ")):
        assert photos_result(photos(objects, {}, set())).reason.endswith(f"{before}no walk got a thumbnail")
    assert photos_result(left).verdict is Verdict.FAIL
    assert OBJECTS[1] in photos_result(left).reason
    # What of the database was not read hides no photo that is there, and lets none pass unseen.
    assert photos_result(left, unread=UNREAD).verdict is Verdict.FAIL
    assert photos_result(good, unread=UNREAD).verdict is Verdict.NOT_EXERCISED


def test_an_unexplained_difference_holds_the_week_and_a_lost_photo_does_not() -> None:
    failed = dual_write_result(HALF)
    assert combine([result(Verdict.PASS), failed]) is Decision.HOLD
    lost = photos_result(photos(OBJECTS[:1], NAMED, set()))
    assert combine([result(Verdict.PASS), lost]) is Decision.ADVANCE


def test_the_claims_are_in_the_register() -> None:
    assert CLAIM_DUAL_WRITE in REGISTER and CLAIM_PHOTOS in REGISTER


def test_the_format_s_claims_hang_on_documents_that_differ_and_not_on_those_that_are_missing() -> None:
    good, half = dual_write_result(GOOD), dual_write_result(HALF)
    assert {*CLAIMS_FORMAT} < {*good.claims} and good.verdict is Verdict.PASS
    assert half.verdict is Verdict.FAIL and half.claims == (CLAIM_DUAL_WRITE,)
    differs = compare([walk()], documents(walk(title="another")))
    assert {each.flaw for each in differs.findings} == {DocumentFlaw.DIFFERENT}
    odd = dual_write_result(differs)
    assert odd.verdict is Verdict.FAIL and {*CLAIMS_FORMAT} < {*odd.claims}
    assert {*CLAIMS_FORMAT} <= set(REGISTER)


def test_the_isolation_of_walks_says_nothing_of_the_format() -> None:
    assert CLAIM["walks.isolation"] not in CLAIMS_FORMAT and CLAIM["walks.isolation"] in REGISTER

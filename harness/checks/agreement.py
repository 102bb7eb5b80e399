"""How the stores' checks are judged: documents against walks, photos against walks."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from harness.base.units import Unit
from harness.checks.dual_write import DocumentFlaw, StoreComparison
from harness.checks.photos import Photos
from harness.checks.reconciled import Reconciled
from harness.model.judgement import Judgement, Verdict
from harness.model.message import Told, message
from harness.rules.judged import informational, result, with_examples

DUAL_WRITE, PHOTOS = "dual_write.documents", "storage.photos"
CLAIM_DUAL_WRITE, CLAIM_PHOTOS = "dual_write.diagram", "architecture.storage"
#: What the documents' format is the verdict on besides: both halves of one sentence.
CLAIMS_FORMAT = ("api.mirror_format", "api.identical")
_EXAMPLES = 3


def reconciled_result(
    found: Reconciled, compared: StoreComparison, *, unread: Told = (), by_app: Collection[str] = ()
) -> Judgement:
    """What an injected outage explains is told and fails nothing: the document calls a lost mirror write non-critical.

    A target of whose walks none has a document mirrors nothing: that is not exercised, and gates, unless there
    are documents of other walks, or two of one; those ``by_app``, ids of walks that the app wrote to Firestore itself,
    are not the target's. ``unread``: what of PostgreSQL could not be compared. What manifests
    measured as they are lost is their erratum, shown. Where no document was there to compare, nothing passes. Of a
    mirror whose documents still came late nobody knows whether the rest would: no contract limits its lag.
    """
    verdict = Verdict.PASS if found.good else Verdict.FAIL
    told = with_examples(
        found.told, [*(each.told for each in found.unexplained[:_EXAMPLES]), *found.doubled[:_EXAMPLES]]
    )
    others = found.doubled or any(
        each.flaw is not DocumentFlaw.MISSING and not (each.flaw is DocumentFlaw.EXTRA and each.walk_id in by_app)
        for each in found.unexplained
    )
    if not found.compared and found.good:
        verdict, told = Verdict.INCONCLUSIVE, (message("no walk was written through the API alone"),)
    elif not found.good and not others and compared.count(DocumentFlaw.MISSING) and not compared.documents:
        verdict, told = Verdict.NOT_EXERCISED, (message("the target mirrors nothing"), *found.told)
    elif not compared.documents and found.good:
        verdict, told = Verdict.INCONCLUSIVE, (message("no walk had a document to compare"), *found.told)
    elif compared.lag_s and not found.wrong:
        lag = message(
            "documents came until {seconds} s after the load, which no contract limits", seconds=f"{compared.lag_s:.1f}"
        )
        verdict, told = Verdict.INCONCLUSIVE, (lag, *told)
    elif unread and found.good:
        verdict = Verdict.NOT_EXERCISED
    told = (*told, *unread)
    flaws = len(found.unexplained) + len(found.doubled)
    samples = found.compared if verdict is Verdict.FAIL else compared.documents
    judged = result(DUAL_WRITE, CLAIM_DUAL_WRITE, verdict, flaws, samples, told, unit=Unit.WALKS)
    if found.as_written:
        erratum = found.as_written[0][1]
        judged = msgspec.structs.replace(judged, erratum=erratum, seen=found.lost_as_written)
    # A document that is missing, left or old says nothing of the format: then the claim about it stays unjudged.
    format_fails = any(each.flaw is DocumentFlaw.DIFFERENT for each in found.unexplained)
    also = () if verdict is Verdict.FAIL and not format_fails else CLAIMS_FORMAT
    return msgspec.structs.replace(judged, also=also)


def photos_result(seen: Photos, unread: Told = ()) -> Judgement:
    """What is left of deleted walks is told of any target: whoever is to remove it did not, within the time.

    Holds no week: the document names no promise about photos.
    """
    verdict = Verdict.PASS if seen.good else Verdict.FAIL
    told = (*seen.told, *unread)
    if seen.good and unread:
        verdict = Verdict.NOT_EXERCISED
    elif seen.good and not seen.with_thumbnail:
        verdict = Verdict.INCONCLUSIVE
        told = (*(seen.told if seen.objects else ()), message("no walk got a thumbnail"))
    flaws = len(seen.lost) + len(seen.foreign) + len(seen.left)
    return informational(result(PHOTOS, CLAIM_PHOTOS, verdict, flaws, seen.with_thumbnail, told, unit=Unit.WALKS))


def unseen(verdict: Verdict, told: Told) -> tuple[Judgement, ...]:
    """Both, when a store could not be read."""
    return (
        result(DUAL_WRITE, CLAIM_DUAL_WRITE, verdict, None, 0, told, unit=Unit.WALKS),
        informational(result(PHOTOS, CLAIM_PHOTOS, verdict, None, 0, told, unit=Unit.WALKS)),
    )

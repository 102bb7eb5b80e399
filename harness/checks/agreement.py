"""How the stores' checks are judged: documents against walks, photos against walks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from harness.base.units import Unit
from harness.checks.dual_write import Comparison, Flaw
from harness.checks.photos import Photos
from harness.checks.reconciled import Reconciled
from harness.checks.walk_results import BODIES
from harness.judge.judged import result, told_only, with_examples
from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.judgement import Judgement, Kind
from harness.model.message import Told, marked, message
from harness.model.shown import parse
from harness.model.verdict import Verdict

DUAL_WRITE, PHOTOS = "dual_write.documents", "storage.photos"
CLAIM_DUAL_WRITE, CLAIM_PHOTOS = "dual_write.diagram", "architecture.storage"
#: What the documents' format is the verdict on besides.
CLAIM_FORMAT = "api.mirror_format"
IDENTICAL = "api.identical"
#: What stored runs say of it, though of no answer it was seen: kept for their pages in other languages.
SAID_BEFORE = marked(
    "{walks} documents as the app reads them, with location keys in camelCase, beside {answers} answers as the "
    "contract has them, with the same keys in snake case: they are equal only after the adapter"
)
_EXAMPLES = 3


def reconciled_result(
    found: Reconciled, compared: Comparison, *, unread: Told = (), by_app: Collection[str] = ()
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
        each.flaw is not Flaw.MISSING and not (each.flaw is Flaw.EXTRA and each.walk_id in by_app)
        for each in found.unexplained
    )
    if not found.compared and found.good:
        verdict, told = Verdict.INCONCLUSIVE, (message("no walk was written through the API alone"),)
    elif not found.good and not others and compared.count(Flaw.MISSING) and not compared.documents:
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
    format_fails = any(each.flaw is Flaw.DIFFERENT for each in found.unexplained)
    also = () if verdict is Verdict.FAIL and not format_fails else (CLAIM_FORMAT,)
    return msgspec.structs.replace(judged, also=also)


def not_identical(found: Iterable[Judgement], requests: Iterable[RequestRow]) -> Iterator[Judgement]:
    """The erratum that an answer and a document of the same walk differ, where a run saw both as they have to be: the
    locations of a good answer have a ``sequence_number``, those of a good document no key but its camelCase ones. Of
    what else differs nothing is looked at here. ``requests`` are the evidence's, each once.
    """
    kept = {each.id: each.samples for each in found if each.verdict is Verdict.PASS and each.samples}
    numbered = sum(map(_numbered, requests)) if DUAL_WRITE in kept and BODIES in kept else 0
    if numbered:
        told = message(
            "{walks} documents as the app reads them, whose locations have keys in camelCase and no number, beside "
            "{answers} answers with locations numbered by sequence_number: the two are not identical",
            walks=f"{kept[DUAL_WRITE]:,}",
            answers=f"{numbered:,}",
        )
        yield Judgement(
            id=IDENTICAL, kind=Kind.CHECK, claim=IDENTICAL, verdict=Verdict.ERRATUM_SHOWN, told=(told,), gates=False,
            samples=numbered, erratum="api.not_identical",
        )  # fmt: skip


def _numbered(row: RequestRow) -> bool:
    """Whether it is a good answer of the API to a GET of one walk, which has locations, with their numbers."""
    if row.side is not Side.API or row.operation is not Operation.GET_WALK:
        return False
    shown = parse(row.shown) if row.outcome is Outcome.OK else None
    return shown is not None and any((walk.locations or 0) > 0 for walk in shown.walks)


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
    return told_only(result(PHOTOS, CLAIM_PHOTOS, verdict, flaws, seen.with_thumbnail, told, unit=Unit.WALKS))


def unseen(verdict: Verdict, told: Told) -> tuple[Judgement, ...]:
    """Both, when a store could not be read."""
    return (
        result(DUAL_WRITE, CLAIM_DUAL_WRITE, verdict, None, 0, told, unit=Unit.WALKS),
        told_only(result(PHOTOS, CLAIM_PHOTOS, verdict, None, 0, told, unit=Unit.WALKS)),
    )

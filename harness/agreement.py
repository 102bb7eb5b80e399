"""How the stores' checks are judged: documents against walks, photos against walks."""

from __future__ import annotations

import msgspec

from harness.checks.dual_write import Comparison, Flaw
from harness.checks.photos import Photos
from harness.checks.reconciled import Reconciled
from harness.model.units import Unit
from harness.model.verdict import CheckResult, Verdict

DUAL_WRITE, PHOTOS = "dual_write.documents", "storage.photos"
CLAIM_DUAL_WRITE, CLAIM_PHOTOS = "dual_write.diagram", "architecture.storage"
_EXAMPLES = 3


def reconciled_result(found: Reconciled, compared: Comparison, *, bundled: bool) -> CheckResult:
    """What an injected outage explains is told and fails nothing: the document calls a lost mirror write non-critical.

    A target, other than ours, of whose walks none has a document mirrors nothing: that is not exercised.
    """
    verdict = Verdict.PASS if found.good else Verdict.FAIL
    reason = "; ".join([found.sentence, *map(str, found.unexplained[:_EXAMPLES]), *found.doubled[:_EXAMPLES]])
    if not found.compared:
        verdict, reason = Verdict.INCONCLUSIVE, "no walk was written through the API alone"
    elif not bundled and compared.count(Flaw.MISSING) == compared.compared:
        verdict, reason = Verdict.NOT_EXERCISED, f"the target mirrors nothing: {found.sentence}"
    flaws = len(found.unexplained) + len(found.doubled)
    return result(DUAL_WRITE, CLAIM_DUAL_WRITE, verdict, flaws, found.compared, reason, unit=Unit.WALKS)


def photos_result(seen: Photos, *, bundled: bool) -> CheckResult:
    """A target, other than ours, may leave photos to somebody else: what it leaves is then not exercised.

    Holds no week: the document names no promise about photos.
    """
    verdict = Verdict.PASS if seen.good else Verdict.FAIL
    reason = seen.sentence
    if not seen.with_thumbnail and not seen.objects:
        verdict, reason = Verdict.INCONCLUSIVE, "no walk got a thumbnail"
    elif seen.left and not bundled and not (seen.lost or seen.foreign):
        verdict, reason = Verdict.NOT_EXERCISED, f"the target may not handle Storage: {reason}"
    flaws = len(seen.lost) + len(seen.foreign) + len(seen.left)
    told = result(PHOTOS, CLAIM_PHOTOS, verdict, flaws, seen.with_thumbnail, reason, unit=Unit.WALKS)
    return told_only(told)


def unseen(verdict: Verdict, reason: str) -> tuple[CheckResult, ...]:
    """Both, when a store could not be read."""
    return (
        result(DUAL_WRITE, CLAIM_DUAL_WRITE, verdict, None, 0, reason, unit=Unit.WALKS),
        told_only(result(PHOTOS, CLAIM_PHOTOS, verdict, None, 0, reason, unit=Unit.WALKS)),
    )


def told_only(check: CheckResult) -> CheckResult:
    """The same, holding no week."""
    return msgspec.structs.replace(check, holds=False)


def result(  # noqa: PLR0917 - the fields of the result
    check_id: str, claim: str, verdict: Verdict, flaws: int | None, samples: int, reason: str, unit: Unit = Unit.FLAWS
) -> CheckResult:
    """``flaws`` found of ``samples`` looked at, none planned. What was not exercised holds no week."""
    return CheckResult(
        id=check_id,
        claim=claim,
        verdict=verdict,
        value=None if flaws is None else float(flaws),
        planned=0.0,
        unit=unit,
        samples=samples,
        reason=reason,
        holds=verdict is not Verdict.NOT_EXERCISED,
    )

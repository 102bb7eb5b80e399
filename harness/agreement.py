"""The stores' own checks of a run: documents against walks, photos against walks. Read once the load has ended.

Neither holds a week: the document calls a lost mirror write non-critical (データ同期戦略), and names no promise about
photos. What fails is told with its claim, and is what a roll back would lose.
"""

from __future__ import annotations

from harness import stores
from harness.checks.dual_write import Comparison, Flaw
from harness.checks.photos import Photos
from harness.checks.writes import Writes
from harness.clock import Clock
from harness.firebase.documents import Documents
from harness.model.errors import PartDied
from harness.model.stack import Endpoints, Target
from harness.model.units import Unit
from harness.model.verdict import CheckResult, Verdict

DUAL_WRITE, PHOTOS = "dual_write.documents", "storage.photos"
CLAIM_DUAL_WRITE, CLAIM_PHOTOS = "dual_write.diagram", "architecture.storage"
_EXAMPLES = 3


async def store_checks(endpoints: Endpoints, writes: Writes, clock: Clock, target: Target) -> tuple[CheckResult, ...]:
    """Both checks; bounded (``harness.stores``). A store that does not answer leaves them inconclusive."""
    documents = Documents(endpoints.firestore, endpoints.project_id)
    try:
        try:
            compared = await stores.dual_write(endpoints, documents, writes, clock)
            seen = await stores.stored_photos(endpoints, documents, writes, clock)
        except stores.NotAsNamed as error:
            return _unseen(Verdict.NOT_EXERCISED, str(error))
        except PartDied as error:
            return _unseen(Verdict.INCONCLUSIVE, error.what)
        return (
            dual_write_result(compared, bundled=target.bundled),
            photos_result(seen, bundled=target.bundled),
        )
    finally:
        await documents.close()


def dual_write_result(compared: Comparison, *, bundled: bool) -> CheckResult:
    """A target, other than ours, of whose walks none has a document mirrors nothing: that is not exercised."""
    verdict = Verdict.FAIL if compared.findings else Verdict.PASS
    reason = "; ".join([compared.sentence, *(str(each) for each in compared.findings[:_EXAMPLES])])
    if not compared.compared:
        verdict, reason = Verdict.INCONCLUSIVE, "no walk was written through the API alone"
    elif not bundled and compared.count(Flaw.MISSING) == compared.compared:
        verdict, reason = Verdict.NOT_EXERCISED, f"the target mirrors nothing: {compared.sentence}"
    return _result(DUAL_WRITE, CLAIM_DUAL_WRITE, verdict, len(compared.findings), compared.compared, reason)


def photos_result(seen: Photos, *, bundled: bool) -> CheckResult:
    """A target, other than ours, may leave photos to somebody else: what it leaves is then not exercised."""
    verdict = Verdict.PASS if seen.good else Verdict.FAIL
    reason = seen.sentence
    if not seen.with_thumbnail and not seen.objects:
        verdict, reason = Verdict.INCONCLUSIVE, "no walk got a thumbnail"
    elif seen.left and not bundled and not (seen.lost or seen.foreign):
        verdict, reason = Verdict.NOT_EXERCISED, f"the target may not handle Storage: {reason}"
    flaws = len(seen.lost) + len(seen.foreign) + len(seen.left)
    return _result(PHOTOS, CLAIM_PHOTOS, verdict, flaws, seen.with_thumbnail, reason)


def _unseen(verdict: Verdict, reason: str) -> tuple[CheckResult, ...]:
    return tuple(
        _result(check_id, claim, verdict, None, 0, reason)
        for check_id, claim in ((DUAL_WRITE, CLAIM_DUAL_WRITE), (PHOTOS, CLAIM_PHOTOS))
    )


def _result(  # noqa: PLR0917 - the fields of the result
    check_id: str, claim: str, verdict: Verdict, flaws: int | None, samples: int, reason: str
) -> CheckResult:
    return CheckResult(
        id=check_id,
        claim=claim,
        verdict=verdict,
        value=None if flaws is None else float(flaws),
        planned=0.0,
        unit=Unit.WALKS,
        samples=samples,
        reason=reason,
        holds=False,
    )

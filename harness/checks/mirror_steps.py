"""A step of a stepwise stop of the mirror: what it leaves in both stores, as figures and as a table. Pure."""

from __future__ import annotations

from datetime import datetime

from harness.checks.dual_write import DocumentFlaw, StoreComparison, StoredWalk, by_user, compare
from harness.model.message import Told
from harness.model.mirror import MirrorStep, UserLoss
from harness.stack.firebase.documents import Fields

CLAIM_FALLBACK = "dual_write.diagram"  # PostgreSQL (Primary), Firestore (Fallback)
CLAIM_STOP = "dual_write.stop"
_EXAMPLES = 5


def figures(
    walks: list[StoredWalk], found: dict[str, Fields], deleted: dict[str, str], share_percent: int, since: datetime
) -> MirrorStep:
    """What a step left, from the walks of PostgreSQL, their documents, and the walks that users deleted. ``since``: its
    begin."""
    compared = compare(walks, found, deleted, moving=True)
    unwritten = {each.walk_id for each in compared.findings if each.flaw in (DocumentFlaw.MISSING, DocumentFlaw.STALE)}
    written = [walk.id for walk in walks if walk.updated_at is not None and walk.updated_at >= since]
    losses = by_user(compared.findings)
    return MirrorStep(
        share_percent=share_percent,
        walks=len(walks),
        written=len(written),
        mirrored=sum(walk_id not in unwritten for walk_id in written),
        missing=compared.count(DocumentFlaw.MISSING),
        stale=compared.count(DocumentFlaw.STALE),
        come_back=compared.count(DocumentFlaw.EXTRA),
        different=compared.count(DocumentFlaw.DIFFERENT),
        lost_locations=sum(locations for _, locations in losses.values()),
        losses=tuple(UserLoss(user=user, walks=count, locations=lost) for user, (count, lost) in losses.items()),
        examples=_examples(compared),
    )


def _examples(compared: StoreComparison) -> Told:
    return tuple(finding.told for finding in compared.findings[:_EXAMPLES])

"""What a step left behind: the walks of PostgreSQL against their documents, while the load goes on."""

from __future__ import annotations

from datetime import datetime

from harness.base.clock import Clock
from harness.checks.dual_write import Comparison, Flaw, StoredWalk, by_user, compare, document_id
from harness.checks.stores import read_walks
from harness.model.stack import Endpoints
from harness.rehearsals.mirror_stop.killed_pod import USER_PREFIX
from harness.rehearsals.mirror_stop.types import Step, UserLoss
from harness.stack.firebase.documents import Documents, Fields

_EXAMPLES = 5


async def observe(
    endpoints: Endpoints,
    documents: Documents,
    clock: Clock,
    deleted: dict[str, str],
    *,
    share_percent: int,
    since: datetime,
    settle_s: float,
) -> Step:
    """The step's figures: PostgreSQL as it is now, Firestore ``settle_s`` later. ``since``: the step's begin."""
    walks = [walk for walk in await read_walks(endpoints) if not walk.user.startswith(USER_PREFIX)]
    await clock.sleep(settle_s)
    found = await documents.get_many([document_id(each) for each in [*(walk.id for walk in walks), *deleted]])
    still = {walk.id for walk in await read_walks(endpoints)}
    return figures([walk for walk in walks if walk.id in still], found, deleted, share_percent, since)


def figures(
    walks: list[StoredWalk], found: dict[str, Fields], deleted: dict[str, str], share_percent: int, since: datetime
) -> Step:
    """Pure: the same, from what was read."""
    compared = compare(walks, found, deleted, moving=True)
    unwritten = {each.walk_id for each in compared.findings if each.flaw in (Flaw.MISSING, Flaw.STALE)}
    written = [walk.id for walk in walks if walk.updated_at is not None and walk.updated_at >= since]
    losses = by_user(compared.findings)
    return Step(
        share_percent=share_percent,
        walks=len(walks),
        written=len(written),
        mirrored=sum(walk_id not in unwritten for walk_id in written),
        missing=compared.count(Flaw.MISSING),
        stale=compared.count(Flaw.STALE),
        come_back=compared.count(Flaw.EXTRA),
        different=compared.count(Flaw.DIFFERENT),
        lost_locations=sum(locations for _, locations in losses.values()),
        losses=tuple(UserLoss(user=user, walks=count, locations=lost) for user, (count, lost) in losses.items()),
        examples=_examples(compared),
    )


def _examples(compared: Comparison) -> tuple[str, ...]:
    return tuple(str(finding) for finding in compared.findings[:_EXAMPLES])

"""What a step of a stop of the mirror left: the walks of PostgreSQL against their documents, while the load goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from harness.base.clock import Clock, utc
from harness.checks.dual_write import document_id
from harness.checks.mirror_steps import figures
from harness.checks.stores import DocumentsRead, read_walks
from harness.evidence.store import Collector
from harness.model.evidence import Side
from harness.model.mirror import MirrorStep
from harness.model.stack import Endpoints


async def left(
    endpoints: Endpoints,
    documents: DocumentsRead,
    evidence: Collector,
    clock: Clock,
    *,
    share_percent: int,
    since_ns: int,
    settle_s: float,
    counts: Callable[[str, str], bool],
) -> MirrorStep:
    """The figures of the share that stands since ``since_ns``: PostgreSQL as it is now, Firestore ``settle_s`` later,
    which is what a mirrored write may take. ``counts`` says of a walk's id and its user whether it is looked at: one
    that somebody else writes too, past the mirror, is not. Raises ``PartDied``.
    """
    evidence.gather()
    gone = evidence.writes.deleted[Side.API]
    deleted = {walk_id: user for walk_id, user in gone.items() if counts(walk_id, user)}
    walks = [each for each in await read_walks(endpoints) if counts(each.id, each.user)]
    await clock.sleep(settle_s)
    found = await documents.get_many([document_id(each) for each in (*(walk.id for walk in walks), *deleted)])
    still = {walk.id for walk in await read_walks(endpoints)}
    since = datetime.fromisoformat(utc(clock.anchor, since_ns))
    return figures([walk for walk in walks if walk.id in still], found, deleted, share_percent, since)

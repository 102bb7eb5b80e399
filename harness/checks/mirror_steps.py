"""A step of a stepwise stop of the mirror: what it leaves in both stores, as figures and as a table. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from harness.checks.dual_write import Comparison, Flaw, StoredWalk, by_user, compare
from harness.model.message import Message, Told, message
from harness.model.mirror import MirrorStep, UserLoss
from harness.model.section import Lines, Section, table_of
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
    unwritten = {each.walk_id for each in compared.findings if each.flaw in (Flaw.MISSING, Flaw.STALE)}
    written = [walk.id for walk in walks if walk.updated_at is not None and walk.updated_at >= since]
    losses = by_user(compared.findings)
    return MirrorStep(
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


def _examples(compared: Comparison) -> Told:
    return tuple(finding.told for finding in compared.findings[:_EXAMPLES])


def sections(steps: Sequence[MirrorStep]) -> Iterator[Section]:
    """What each step leaves, and what each user would lose after it."""
    if steps:
        yield table_of(
            message("What each step leaves"),
            steps,
            (message("mirrored share"), lambda step: f"{step.share_percent} %"),
            (message("walks"), lambda step: f"{step.walks:,}"),
            (message("written in the step"), lambda step: f"{step.written:,}"),
            (message("reached Firestore"), lambda step: f"{step.mirrored:,}"),
            (message("missing"), lambda step: f"{step.missing:,}"),
            (message("of an earlier state"), lambda step: f"{step.stale:,}"),
            (message("deleted, and back"), lambda step: f"{step.come_back:,}"),
            (message("different"), lambda step: f"{step.different:,}"),
            (message("locations lost"), lambda step: f"{step.lost_locations:,}"),
            numbers=tuple(range(1, 9)),
        )
    for step in steps:
        if step.losses:
            yield Lines(
                title=message("A flag-off after {share} % would lose", share=str(step.share_percent)),
                lines=tuple(map(_of_user, step.losses)),
            )


def _of_user(loss: UserLoss) -> Message:
    return message(
        "{user}: {walks} walks ({locations} locations)",
        user=loss.user,
        walks=str(loss.walks),
        locations=str(loss.locations),
    )

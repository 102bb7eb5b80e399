"""The acts of a stepwise stop of the mirror, and what a page shows of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from harness.base.clock import utc
from harness.checks.dual_write import document_id
from harness.checks.mirror_steps import figures, rolled_back
from harness.checks.stores import read_walks
from harness.model.evidence import Side
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.mirror import SHARE_VARIABLE, MirrorStep, UserLoss
from harness.model.section import Lines, Section, table_of
from harness.rehearsal.running import Running
from harness.stack.firebase.documents import Documents
from harness.stack.manifests.change import with_env


def at_share(manifests: Manifests, share_percent: int) -> Manifests:
    """The manifests with that share mirrored, by the bundled API's own setting."""
    return with_env(manifests, **{SHARE_VARIABLE: str(share_percent)})


class MirrorSteps:
    """The steps of a run under load, in order. ``settle_s`` is what a mirrored write may take. ``counts`` says of a
    walk's id and its user whether the walk is looked at: one that somebody else writes too, past the mirror, is not.
    """

    def __init__(
        self, on: Running[Any], documents: Documents, *, settle_s: float, counts: Callable[[str, str], bool]
    ) -> None:
        self._on = on
        self._documents = documents
        self._settle_s = settle_s
        self._counts = counts

    async def to(self, share_percent: int, manifests: Manifests, step_s: float) -> MirrorStep:
        """``manifests`` applied, which have that share; ``step_s`` of load; what it left. Raises ``PartDied``."""
        on = self._on
        on.phase(f"share {share_percent}", message("the mirror at {share} %", share=str(share_percent)))
        await on.stack.apply(manifests)
        since_ns = on.clock.now_ns()
        await on.clock.sleep(step_s)
        return await self.left(share_percent, since_ns)

    async def left(self, share_percent: int, since_ns: int) -> MirrorStep:
        """What the share has left that stands since ``since_ns``: PostgreSQL as it is now, Firestore ``settle_s``
        later, while the load goes on. Raises ``PartDied``."""
        on = self._on
        on.evidence.gather()
        endpoints, gone = on.stack.endpoints(), on.evidence.writes.deleted[Side.API]
        deleted = {walk_id: user for walk_id, user in gone.items() if self._counts(walk_id, user)}
        walks = [each for each in await read_walks(endpoints) if self._counts(each.id, each.user)]
        await on.clock.sleep(self._settle_s)
        asked = [document_id(each) for each in (*(walk.id for walk in walks), *deleted)]
        found = await self._documents.get_many(asked)
        still = {walk.id for walk in await read_walks(endpoints)}
        since = datetime.fromisoformat(utc(on.clock.anchor, since_ns))
        step = figures([walk for walk in walks if walk.id in still], found, deleted, share_percent, since)
        on.mark(f"share_{share_percent}")
        on.say(rolled_back(step).reason)
        return step


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
                lines=tuple(map(_loss, step.losses)),
            )


def _loss(loss: UserLoss) -> Message:
    return message(
        "{user}: {walks} walks ({locations} locations)",
        user=loss.user,
        walks=str(loss.walks),
        locations=str(loss.locations),
    )

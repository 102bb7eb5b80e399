"""What a stepwise stop of the mirror leaves to be judged."""

from __future__ import annotations

import msgspec


class UserLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What one user would lose by a flag-off: walks missing or of an earlier state, and the locations they lack."""

    user: str
    walks: int
    locations: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One share, after its time under load. ``written`` walks changed in it, of which ``mirrored`` reached Firestore.

    The rest counts all walks of the run: ``missing`` and ``stale`` documents, deleted walks that would ``come_back``,
    and documents that are of the last write and ``different`` from it.
    """

    share_percent: int
    walks: int
    written: int
    mirrored: int
    missing: int
    stale: int
    come_back: int
    different: int
    lost_locations: int
    losses: tuple[UserLoss, ...]
    examples: tuple[str, ...]


class KilledPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod killed while its mirror queue was full. ``lost`` of the walks it acknowledged are not in Firestore.

    ``queued`` is the length it logged last; up to ``under_way`` of those were on the wire already and may have arrived.
    """

    pod: str
    acknowledged: int
    in_postgresql: int
    queued: int
    under_way: int
    lost: int
    lost_by_others: int

    @property
    def counted(self) -> bool:
        """Whether loss and log agree: every acknowledged walk is in PostgreSQL, and what was queued is what is lost."""
        agree = self.queued - self.under_way <= self.lost <= self.queued
        return self.queued > self.under_way and agree and self.in_postgresql == self.acknowledged


class MirrorStopDetails(msgspec.Struct, kw_only=True):
    """The facts of a run."""

    killed_pod: KilledPod | None = None
    steps: list[Step] = []

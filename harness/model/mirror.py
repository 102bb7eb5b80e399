"""What a step of a stepwise stop of the mirror leaves behind (データ同期戦略: Firestore書き込みを段階的に停止)."""

from __future__ import annotations

import msgspec

from harness.model.message import Message

#: The setting of the bundled API that the steps change. A target that has no such setting cannot be stopped stepwise.
SHARE_VARIABLE = "MIRROR_SHARE_PERCENT"


class UserLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What one user would lose by a flag-off: walks missing or of an earlier state, and the locations they lack."""

    user: str
    walks: int
    locations: int


class MirrorStep(msgspec.Struct, frozen=True, kw_only=True):
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
    examples: tuple[str | Message, ...]

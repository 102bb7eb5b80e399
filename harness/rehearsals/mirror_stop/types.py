"""The stepwise stop of the mirror (データ同期戦略: Firestore書き込みを段階的に停止): the plan, and what is left."""

from __future__ import annotations

import msgspec

from harness.model.message import marked
from harness.model.scenario import AudiencePlan, PopulationPlan

CLAIM_FALLBACK = "dual_write.diagram"  # PostgreSQL (Primary), Firestore (Fallback)
CLAIM_STOP = "dual_write.stop"
CLAIM_LOGGED = "dual_write.failures_logged"
ERRATUM_STOP = "dual_write.stop_ends_rollback"
ERRATUM_QUEUE = "dual_write.fallback_with_holes"
CLAIMS = (CLAIM_LOGGED, CLAIM_STOP, CLAIM_FALLBACK)

#: The setting of the bundled API that the steps change. A target that has no such setting cannot be stopped stepwise.
SHARE_VARIABLE = "MIRROR_SHARE_PERCENT"
LANES_VARIABLE = "MIRROR_LANES"


class BurstPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Walks written at once while Firestore is paused, before a pod is killed.

    All of them well within the 4 s after which the API gives a mirror write up.
    """

    users: int = 4
    walks: int = 60


class MirrorStopPlan(msgspec.Struct, frozen=True, kw_only=True):
    """After week 4: everybody on the API; first a pod killed with a full queue, then a step for each share.

    ``lanes`` is how many mirror writes a pod has under way at once; ``settle_s`` is what a mirrored write may take.
    """

    name: str = "mirror_stop"
    title: str = marked("The stepwise stop of the mirror, and what a roll back then loses")
    claims: tuple[str, ...] = CLAIMS
    shares_percent: tuple[int, ...] = (100, 50, 0)
    step_s: float = 30.0
    settle_s: float = 6.0
    lanes: int = 4
    burst: BurstPlan = BurstPlan()
    population: PopulationPlan = PopulationPlan(
        audiences=(AudiencePlan(name="general", users=60, flag_on=60),), pace_s=3.0
    )


PLAN = MirrorStopPlan()


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

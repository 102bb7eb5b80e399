"""The stepwise stop of the mirror (データ同期戦略: Firestore書き込みを段階的に停止), as data."""

from __future__ import annotations

import msgspec

from harness.model.scenario import AudiencePlan, PopulationPlan

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
    shares_percent: tuple[int, ...] = (100, 50, 0)
    step_s: float = 30.0
    settle_s: float = 6.0
    lanes: int = 4
    burst: BurstPlan = BurstPlan()
    population: PopulationPlan = PopulationPlan(
        audiences=(AudiencePlan(name="general", users=60, flag_on=60),), pace_s=3.0
    )


PLAN = MirrorStopPlan()

CLAIM_FALLBACK = "dual_write.diagram"  # PostgreSQL (Primary), Firestore (Fallback)
CLAIM_STOP = "dual_write.stop"
CLAIM_LOGGED = "dual_write.failures_logged"
ERRATUM_STOP = "dual_write.stop_ends_rollback"
ERRATUM_QUEUE = "dual_write.fallback_with_holes"

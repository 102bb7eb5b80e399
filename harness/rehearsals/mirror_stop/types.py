"""The stepwise stop of the mirror (データ同期戦略: Firestore書き込みを段階的に停止): the plan, and what is left."""

from __future__ import annotations

import msgspec

from harness.model.message import gettext_noop
from harness.model.mirror import MirrorStep
from harness.model.scenario import AudiencePlan, PopulationPlan

CLAIM_LOGGED = "dual_write.failures_logged"
CLAIMS = (CLAIM_LOGGED, "dual_write.stop", "dual_write.diagram")

#: A setting of the bundled API.
LANES_VARIABLE = "MIRROR_LANES"


class BurstPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Walks written at once while Firestore is paused, before a pod is killed."""

    users: int = 4
    walks: int = 60


class MirrorStopPlan(msgspec.Struct, frozen=True, kw_only=True):
    """After week 4: everybody on the API; first a pod killed with a full queue, then a step for each share.

    ``lanes`` is how many mirror writes a pod has under way at once; ``settle_s`` is what a mirrored write may take.
    """

    name: str = "mirror_stop"
    title: str = gettext_noop("The stepwise stop of the mirror, and what a roll back then loses")
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


class KilledPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod killed while its mirror queue was full. ``lost`` of the walks it acknowledged are not in Firestore.

    ``queued`` is the length it logged last; up to ``under_way`` of those were on the wire already and may have arrived.
    Firestore was away for ``paused_s``, where that was kept.
    """

    pod: str
    acknowledged: int
    in_postgresql: int
    queued: int
    under_way: int
    lost: int
    lost_by_others: int
    paused_s: float = 0.0


class MirrorStopDetails(msgspec.Struct, kw_only=True):
    """The facts of a run."""

    killed_pod: KilledPod | None = None
    steps: list[MirrorStep] = []

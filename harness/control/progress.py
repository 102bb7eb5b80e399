"""``progressDeadlineSeconds``: the Deployment's condition Progressing (pkg/controller/deployment/progress.go)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.control.rollout import available
from harness.model.cluster import PodView
from harness.model.manifests import Deployment

_NS = 1_000_000_000

CREATED = "NewReplicaSetCreated"
UPDATED = "ReplicaSetUpdated"
COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"


class Counts(msgspec.Struct, frozen=True):
    """``status.replicas`` and its parts; terminating pods are in none."""

    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0


class ProgressCondition(msgspec.Struct, frozen=True):
    """The condition: its reason (``""`` before the first), when progress was last seen, and the counts then."""

    reason: str = ""
    updated_ns: int = 0
    counts: Counts = Counts()

    @property
    def stuck(self) -> bool:
        """The deadline has passed; Kubernetes says so and goes on trying."""
        return self.reason == TIMED_OUT


def count(pods: Iterable[PodView], deployment: Deployment, now_ns: int) -> Counts:
    """The counts of ``pods`` now."""
    live = [pod for pod in pods if not pod.terminating]
    return Counts(
        len(live),
        sum(pod.revision == deployment.template.digest for pod in live),
        sum(pod.ready for pod in live),
        sum(available(pod, deployment.min_ready_s, now_ns) for pod in live),
    )


def begin(progress: ProgressCondition, now_ns: int) -> ProgressCondition:
    """When the set of a new template is created (``NewReplicaSetReason``)."""
    return ProgressCondition(CREATED, now_ns, progress.counts)


def follow(
    progress: ProgressCondition, counts: Counts, replicas: int, deadline_s: float | None, now_ns: int
) -> ProgressCondition:
    """``syncRolloutStatus``: the condition after a look at ``counts``. ``deadline_s`` ``None`` asks for no condition.

    Progress is a new or an old pod more or less, one more ready, or one more available. A completed replacement stays
    complete until a new one begins, whatever its pods do.
    """
    if deadline_s is None:
        return ProgressCondition(counts=counts)
    if progress.reason == COMPLETE and counts.replicas == counts.updated:
        return msgspec.structs.replace(progress, counts=counts)
    if counts.updated == counts.replicas == counts.available == replicas:
        return ProgressCondition(COMPLETE, now_ns, counts)
    if _moved(progress.counts, counts):
        return ProgressCondition(UPDATED, now_ns, counts)
    late = progress.reason not in ("", COMPLETE) and progress.updated_ns + round(deadline_s * _NS) < now_ns
    if late and progress.reason != TIMED_OUT:
        return ProgressCondition(TIMED_OUT, now_ns, counts)
    return msgspec.structs.replace(progress, counts=counts)


def told(name: str, progress: ProgressCondition, counts: Counts, replicas: int) -> tuple[bool | None, str]:
    """What ``kubectl rollout status`` says (``DeploymentStatusViewer.Status``), and whether it ends: well, badly, or
    not yet (``None``). A condition of an earlier replacement is believed too.
    """
    if progress.stuck:
        return False, f'error: deployment "{name}" exceeded its progress deadline'
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if counts.updated < replicas:
        return None, waiting + f"{counts.updated} out of {replicas} new replicas have been updated..."
    if counts.replicas > counts.updated:
        return None, waiting + f"{counts.replicas - counts.updated} old replicas are pending termination..."
    if counts.available < counts.updated:
        return None, waiting + f"{counts.available} of {counts.updated} updated replicas are available..."
    return True, f'deployment "{name}" successfully rolled out'


def _moved(before: Counts, after: Counts) -> bool:
    return (
        after.updated > before.updated
        or after.replicas - after.updated < before.replicas - before.updated
        or after.ready > before.ready
        or after.available > before.available
    )

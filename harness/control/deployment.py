"""Deployment and ReplicaSet controllers together: from pods to what to do with them, one step at a time.

What a ReplicaSet does with its pods: how many to make, which to give up (pkg/controller/replicaset).

The order is ``ActivePodsWithRanks`` of pkg/controller/controller_utils.go. The UID, which is random, is the pod's name
here, so that the order repeats. ``running`` stands for the phase: Pending and Unknown are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cmp_to_key

import msgspec

from harness.control.rollout import available, complete, settle
from harness.model.cluster import PodView, ReplicaSet
from harness.model.manifests import Deployment


def manage(replica_set: ReplicaSet, pods: Iterable[PodView], now_ns: int) -> tuple[int, tuple[str, ...]]:
    """(pods to make, names to delete) of ``replica_set``; ``pods`` are all of its Deployment.

    Kubernetes: ``manageReplicas``. A terminating pod no longer counts, so its successor starts beside it.
    """
    related = list(pods)
    own = [pod for pod in related if pod.revision == replica_set.revision]
    active = sum(not pod.terminating for pod in own)
    if active <= replica_set.replicas:
        return replica_set.replicas - active, ()
    return 0, victims(own, active - replica_set.replicas, now_ns, related=related)


def victims(
    pods: Iterable[PodView], count: int, now_ns: int, *, related: Iterable[PodView] | None = None
) -> tuple[str, ...]:
    """Names of the ``count`` pods that a scale-down deletes, the first to go first; terminating pods are no choice.

    Kubernetes: unassigned before assigned, pending before running, not ready before ready, lower deletion cost first,
    then the ones that share their node with more pods of the Deployment (``related``), the ones ready for less time,
    with more restarts, and newer; times are compared by powers of two (``LogarithmicScaleDown``).
    """
    # Kubernetes' comparison is no total order (equal times fall to a later rule, near ones to the UID): sorting by
    # name first makes the answer independent of the order in which the pods came.
    active = sorted((pod for pod in pods if not pod.terminating), key=lambda pod: pod.name)
    beside = Counter(pod.node for pod in (active if related is None else related) if not pod.terminating)
    active.sort(key=cmp_to_key(lambda one, other: _compare(one, other, beside, now_ns)))
    return tuple(pod.name for pod in active[: max(0, count)])


def _compare(one: PodView, other: PodView, beside: Counter[str], now_ns: int) -> int:
    """Negative when ``one`` goes before ``other``."""
    for left, right in (
        (one.scheduled, other.scheduled),
        (one.running, other.running),
        (one.ready, other.ready),
        (one.deletion_cost, other.deletion_cost),
        (-beside[one.node], -beside[other.node]),
    ):
        if left != right:
            return -1 if left < right else 1
    if one.ready and one.ready_since_ns != other.ready_since_ns:
        return _younger_first(one, one.ready_since_ns, other, other.ready_since_ns, now_ns)
    restarts = (other.restarts - one.restarts) or (other.sidecar_restarts - one.sidecar_restarts)
    if restarts or one.created_ns == other.created_ns:
        return restarts
    return _younger_first(one, one.created_ns, other, other.created_ns, now_ns)


def _younger_first(one: PodView, one_ns: int | None, other: PodView, other_ns: int | None, now_ns: int) -> int:
    """``afterOrZero`` for an unknown time, ``logarithmicRankDiff`` for known ones."""
    if one_ns is None or other_ns is None:
        return -1 if one_ns is None else 1
    difference = rank(now_ns - one_ns) - rank(now_ns - other_ns)
    if difference:
        return difference
    return -1 if one.name < other.name else 1


def rank(age_ns: int) -> int:
    """The whole part of log2 of an age; -1 when it has none (``logarithmicRankDiff``)."""
    return age_ns.bit_length() - 1 if age_ns > 0 else -1


class RolloutStep(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now: keep ``sets``, make as many pods of each revision, terminate the pods named in ``delete``.

    ``complete`` says that the Deployment is as asked for (``DeploymentComplete``).
    """

    sets: tuple[ReplicaSet, ...]
    create: dict[str, int]
    delete: tuple[str, ...]
    complete: bool


def step(sets: Sequence[ReplicaSet], pods: Iterable[PodView], deployment: Deployment, now_ns: int) -> RolloutStep:
    """The next step towards ``deployment``; call again when a pod changed, or time passed with minReadySeconds.

    ``sets`` are the last step's, none at first. A pod that is lost in the middle of a replacement is made anew by its
    own set, of whatever revision.
    """
    seen = list(pods)
    ready: dict[str, int] = {}
    for pod in seen:
        ready[pod.revision] = ready.get(pod.revision, 0) + available(pod, deployment.min_ready_s, now_ns)
    sized = settle(sets, ready, deployment, now_ns)
    create: dict[str, int] = {}
    delete: list[str] = []
    for each in sized:
        more, gone = manage(each, seen, now_ns)
        delete += gone
        if more:
            create[each.revision] = more
    done = not create and not delete and complete(sized, seen, deployment, now_ns)
    return RolloutStep(sets=sized, create=create, delete=tuple(delete), complete=done)

"""The Deployment controller (pkg/controller/deployment, strategy RollingUpdate): the sizes of its ReplicaSets.

``sync`` is one reconciliation, ``settle`` as many as it takes while no pod changes. Left out: ``paused``, Recreate, the
history limit. As in Kubernetes, terminating pods count nowhere: more than replicas + maxSurge processes may be alive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from harness.control.amount import resolve
from harness.control.proportion import scaled
from harness.model.cluster import PodView, ReplicaSet
from harness.model.manifests import Deployment

_NS = 1_000_000_000

Sets = tuple[ReplicaSet, ...]


def limits(deployment: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods.

    Kubernetes: ``ResolveFenceposts``: a percentage of surge is rounded up, of unavailable down; when both come to 0
    one pod may be unavailable, else nothing could ever move; ``MaxUnavailable`` is never more than ``replicas``.
    """
    surge = resolve(deployment.strategy.max_surge, deployment.replicas, round_up=True)
    unavailable = resolve(deployment.strategy.max_unavailable, deployment.replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, deployment.replicas)


def available(pod: PodView, min_ready_s: float, now_ns: int) -> bool:
    """Ready for at least ``minReadySeconds`` (``podutil.IsPodAvailable``); a terminating pod never is."""
    if not pod.ready or pod.terminating:
        return False
    if min_ready_s <= 0:
        return True
    return pod.ready_since_ns is not None and now_ns - pod.ready_since_ns >= math.ceil(min_ready_s * _NS)


def settle(sets: Sequence[ReplicaSet], ready: Mapping[str, int], deployment: Deployment, now_ns: int) -> Sets:
    """``sync`` until it changes nothing more: where the sizes rest until a pod changes.

    ``ready`` is each revision's number of available pods. A set sized down counts no more available pods than that.
    """
    before: Sets = tuple(sets)
    while (after := sync(before, ready, deployment, now_ns)) != before:
        before = after
    return before


def sync(sets: Sequence[ReplicaSet], ready: Mapping[str, int], deployment: Deployment, now_ns: int) -> Sets:
    """One reconciliation (``syncDeployment``): proportional scaling, or one move of the replacement.

    ``now_ns`` is the creation time of the newest template's set when there is none yet.
    """
    surge, unavailable = limits(deployment)
    replicas, most, newest = deployment.replicas, deployment.replicas + surge, deployment.template.digest
    counts = {each.revision: min(ready.get(each.revision, 0), each.replicas) for each in sets}
    if any(each.replicas > 0 and each.desired != replicas for each in sets):
        return scaled(tuple(sets), counts, newest, replicas, most)
    known = {each.revision: each for each in sets}
    if newest not in known:
        known[newest] = ReplicaSet(revision=newest, created_ns=now_ns, replicas=0, desired=replicas, most=most)
        known[newest] = _sized(known[newest], _new_size(known, newest, replicas, most), replicas, most)
    elif (size := _new_size(known, newest, replicas, most)) != known[newest].replicas:
        return tuple((known | {newest: _sized(known[newest], size, replicas, most)}).values())
    sizes = _old_sizes(known, counts, newest, replicas - unavailable)
    moved = {
        name: _sized(each, sizes[name], replicas, most) if name in sizes and sizes[name] != each.replicas else each
        for name, each in known.items()
    }
    return tuple(moved.values())


def complete(sets: Sequence[ReplicaSet], pods: Sequence[PodView], deployment: Deployment, now_ns: int) -> bool:
    """``DeploymentComplete``: all pods are of the newest template, as many as asked for, and available.

    Terminating pods may still be running then.
    """
    live = [pod for pod in pods if not pod.terminating]
    if any(each.replicas for each in sets if each.revision != deployment.template.digest):
        return False
    good = all(
        pod.revision == deployment.template.digest and available(pod, deployment.min_ready_s, now_ns) for pod in live
    )
    return good and len(live) == deployment.replicas


def _sized(replica_set: ReplicaSet, size: int, replicas: int, most: int) -> ReplicaSet:
    return msgspec.structs.replace(replica_set, replicas=size, desired=replicas, most=most)


def _new_size(known: Mapping[str, ReplicaSet], newest: str, replicas: int, most: int) -> int:
    """``reconcileNewReplicaSet``: down to ``replicas``, or up as far as the surge leaves room."""
    own = known[newest].replicas
    if own >= replicas:
        return replicas
    room = most - sum(each.replicas for each in known.values())
    return own + min(room, replicas - own) if room > 0 else own


def _old_sizes(
    known: Mapping[str, ReplicaSet], counts: Mapping[str, int], newest: str, min_available: int
) -> dict[str, int]:
    """``reconcileOldReplicaSets``: unavailable pods first (``cleanupUnhealthyReplicas``), then available ones."""
    old = sorted((each for each in known.values() if each.revision != newest and each.replicas > 0), key=_age)
    sizes = {each.revision: each.replicas for each in old}
    new_unavailable = known[newest].replicas - counts.get(newest, 0)
    budget = sum(each.replicas for each in known.values()) - min_available - new_unavailable
    if budget <= 0:
        return sizes
    for name, size in sizes.items():
        unavailable = min(budget, size - counts[name])
        sizes[name] = size - unavailable
        budget -= unavailable
    spare = sum(counts.values()) - min_available
    for name, size in sizes.items():
        gone = max(0, min(spare, size))
        sizes[name] = size - gone
        spare -= gone
    return sizes


def _age(replica_set: ReplicaSet) -> tuple[int, str]:
    """``ReplicaSetsByCreationTimestamp``: the oldest first."""
    return replica_set.created_ns, replica_set.revision

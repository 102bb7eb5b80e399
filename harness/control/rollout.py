"""The Deployment controller's rolling replacement (pkg/controller/deployment/rolling.go), one step at a time.

Left out: proportional scaling of several ReplicaSets when ``replicas`` changes in the middle of a replacement (a new
pod of the newest template is made instead), ``progressDeadlineSeconds``, ``paused``. As in Kubernetes, a terminating
pod no longer counts: while pods end, more than replicas + maxSurge processes may be alive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from harness.control.replicaset import victims
from harness.model.cluster import PodView
from harness.model.manifests import Deployment

_NS = 1_000_000_000


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now: make ``create`` pods of the newest template and terminate the pods named in ``delete``.

    ``complete`` is Kubernetes' ``DeploymentComplete``: all pods are of the newest template, as many as asked for, and
    available. Terminating pods may still be running then.
    """

    create: int
    delete: tuple[str, ...]
    complete: bool


def resolve(value: int | str, replicas: int, *, round_up: bool) -> int:
    """``maxSurge`` (rounded up) or ``maxUnavailable`` (rounded down) in pods.

    Kubernetes: ``intstr.GetScaledValueFromIntOrPercent``. Raises ``ValueError`` for text that is no percentage.
    """
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"{value} is negative; write a number of pods or a percentage such as '25%'")
        return value
    digits = value.removesuffix("%")
    if digits == value or not digits.isdecimal():
        raise ValueError(f"{value!r} is neither a number of pods nor a percentage such as '25%'")
    share = int(digits) * replicas  # integers: 10% of 30 is 3, not 3.0000000000000004 rounded up
    return -(-share // 100) if round_up else share // 100


def limits(deployment: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods.

    Kubernetes: ``ResolveFenceposts``: when both come to 0 one pod may be unavailable, else nothing could ever move;
    ``MaxUnavailable`` is never more than ``replicas``.
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


def step(pods: Iterable[PodView], deployment: Deployment, now_ns: int) -> Step:
    """The next step towards ``deployment``; call again whenever a pod changed, or time passed with minReadySeconds.

    Kubernetes: ``rolloutRolling``: the new ReplicaSet is scaled (``reconcileNewReplicaSet``), then the old ones
    (``reconcileOldReplicaSets``). Both are decided here in one step; creating pods changes no number that the second
    looks at, because a pod just made is an unavailable new one.
    """
    live = [pod for pod in pods if not pod.terminating]
    new = [pod for pod in live if pod.revision == deployment.template.digest]
    old = [pod for pod in live if pod.revision != deployment.template.digest]
    ready = {pod.name for pod in live if available(pod, deployment.min_ready_s, now_ns)}
    surge, unavailable = limits(deployment)
    replicas = deployment.replicas
    if len(new) > replicas:
        gone = victims(new, len(new) - replicas, now_ns)
        return Step(create=0, delete=gone, complete=False)
    create = max(0, min(replicas + surge - len(live), replicas - len(new)))
    delete = _old_to_delete(old, new, ready, replicas - unavailable, now_ns)
    complete = not old and len(new) == replicas and all(pod.name in ready for pod in new)
    return Step(create=create, delete=delete, complete=complete)


def _old_to_delete(
    old: list[PodView], new: list[PodView], ready: set[str], min_available: int, now_ns: int
) -> tuple[str, ...]:
    """``reconcileOldReplicaSets``: unavailable old pods first (``cleanupUnhealthyReplicas``), then available ones."""
    new_unavailable = sum(pod.name not in ready for pod in new)
    budget = len(old) + len(new) - min_available - new_unavailable
    if not old or budget <= 0:
        return ()
    gone: list[str] = []
    for pods in _by_age(old):
        unhealthy = [pod for pod in pods if pod.name not in ready]
        gone += victims(unhealthy, min(len(unhealthy), budget - len(gone)), now_ns)
    spare = len(ready) - min_available
    for pods in _by_age(old):
        healthy = [pod for pod in pods if pod.name in ready]
        chosen = victims(healthy, min(len(healthy), spare), now_ns)
        spare -= len(chosen)
        gone += chosen
    return tuple(gone)


def _by_age(pods: list[PodView]) -> list[list[PodView]]:
    """Pods by revision, the oldest first (``ReplicaSetsByCreationTimestamp``, told by their oldest pod)."""
    revisions: dict[str, list[PodView]] = {}
    for pod in sorted(pods, key=lambda pod: (pod.created_ns, pod.name)):
        revisions.setdefault(pod.revision, []).append(pod)
    return list(revisions.values())

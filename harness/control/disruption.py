"""PodDisruptionBudgets: the controller's count and the API server's answer to an eviction, Kubernetes 1.34.

Sources: pkg/controller/disruption/disruption.go, pkg/registry/core/pod/storage/eviction.go. Only evictions ask a
budget; rolling updates, scaling down and plain deletion do not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from harness.control.amount import resolve
from harness.model.autoscaling import PodPhase
from harness.model.manifests import Budget, BudgetStatus, Eviction, UnhealthyPodEviction

DELETION_TIMEOUT_NS = 120 * 10**9  # ``DeletionTimeout``: an evicted pod that is still not terminating counts again
MAX_DISRUPTED = 2000  # ``MaxDisruptedPodSize``

_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


class GuardedPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod that a budget selects. ``ready`` is its Ready condition, which does not ask whether it terminates."""

    name: str
    ready: bool
    phase: PodPhase = PodPhase.RUNNING
    terminating: bool = False


def status(
    budget: Budget, pods: Collection[GuardedPod], scale: int, disrupted: Mapping[str, int], now_ns: int
) -> BudgetStatus:
    """``trySync``: what the disruption controller writes. ``pods`` are all selected, terminating ones included.

    ``scale`` is the sum of ``spec.replicas`` over the pods' controllers (their Deployments, for a Deployment's pods).
    ``disrupted`` is the status' own list from before, with what evictions added.
    """
    expected, desired = _expected(budget, len(pods), scale if pods else 0)
    awaited = {
        pod.name: disrupted[pod.name]
        for pod in pods
        if not pod.terminating and pod.name in disrupted and disrupted[pod.name] + DELETION_TIMEOUT_NS >= now_ns
    }
    leaving = {name for name, since_ns in awaited.items() if since_ns + DELETION_TIMEOUT_NS > now_ns}
    healthy = sum(pod.ready and not pod.terminating and pod.name not in leaving for pod in pods)
    allowed = healthy - desired
    return BudgetStatus(
        current_healthy=healthy,
        desired_healthy=desired,
        expected_pods=expected,
        disruptions_allowed=0 if expected <= 0 else max(0, allowed),
        disrupted=awaited,
    )


def evict(pod: GuardedPod, budgets: Sequence[tuple[Budget, BudgetStatus]], now_ns: int) -> Eviction:
    """``EvictionREST.Create``: whether ``pod`` may go. ``budgets`` are those that select it.

    A pod that has not started, has ended or is terminating goes unasked. A running one that is not ready goes without
    cost while its budget is met, or always with ``AlwaysAllow``. Any other is paid for by ``disruptions_allowed``.
    """
    ended = pod.phase in (PodPhase.PENDING, PodPhase.SUCCEEDED, PodPhase.FAILED)
    if ended or pod.terminating or not budgets:
        return Eviction(code=201)
    if len(budgets) > 1:
        return Eviction(code=500, message=_SEVERAL)
    budget, known = budgets[0]
    if not pod.ready and _free(budget, known):
        return Eviction(code=201)
    return _paid(pod, budget, known, now_ns)


def _expected(budget: Budget, pods: int, scale: int) -> tuple[int, int]:
    """(``expectedPods``, ``desiredHealthy``). A number in ``minAvailable`` counts the pods there are, not the scale."""
    if budget.max_unavailable is not None:
        return scale, max(0, scale - resolve(budget.max_unavailable, scale, round_up=True))
    if isinstance(budget.min_available, int):
        return pods, budget.min_available
    if budget.min_available is not None:
        return scale, resolve(budget.min_available, scale, round_up=True)
    return 0, 0


def _free(budget: Budget, known: BudgetStatus) -> bool:
    if budget.unhealthy is UnhealthyPodEviction.ALWAYS_ALLOW:
        return True
    return known.current_healthy >= known.desired_healthy > 0


def _paid(pod: GuardedPod, budget: Budget, known: BudgetStatus, now_ns: int) -> Eviction:
    """``checkAndDecrement``."""
    if not known.observed:
        why = f"The disruption budget {budget.name} is still being processed by the server."
        return Eviction(code=429, message=f"{_VIOLATES} {why}")
    if len(known.disrupted) > MAX_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        return Eviction(code=403, message=why)
    if known.disruptions_allowed <= 0:
        needs = f"needs {known.desired_healthy} healthy pods and has {known.current_healthy} currently"
        return Eviction(code=429, message=f"{_VIOLATES} The disruption budget {budget.name} {needs}")
    after = msgspec.structs.replace(
        known, disruptions_allowed=known.disruptions_allowed - 1, disrupted=known.disrupted | {pod.name: now_ns}
    )
    return Eviction(code=201, status=after)

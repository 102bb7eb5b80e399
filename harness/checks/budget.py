"""Was a pod evicted that the PodDisruptionBudget protects? From the events alone, counted anew. Pure.

Kubernetes (pkg/registry/core/pod/storage/eviction.go): an eviction of a ready pod is granted while the healthy pods are
more than the budget asks for; that of a pod which runs and is not ready also while they are as many, or always where
the budget says ``AlwaysAllow``. A pod that has not started is not asked about, and pods that were deleted, scaled down
or rolled over do not ask.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.control.amount import resolve
from harness.model.disruption import Budget, UnhealthyPodEviction
from harness.model.evidence import EventRow
from harness.model.message import Told, message
from harness.model.stack import PodState

GRANTED = 201
_STARTED = frozenset({PodState.RUNNING, PodState.READY, PodState.BACK_OFF})


class BudgetKept(msgspec.Struct, frozen=True, kw_only=True):
    """``granted`` and ``refused`` evictions; those granted beyond the budget."""

    granted: int
    refused: int
    beyond: tuple[str, ...]

    @property
    def told(self) -> Told:
        """All counts, for people."""
        return (
            message(
                "{granted} evictions granted, {refused} refused: {beyond} beyond the budget",
                granted=str(self.granted),
                refused=str(self.refused),
                beyond=str(len(self.beyond)),
            ),
        )


def desired(budget: Budget, scale: int) -> int:
    """The healthy pods that the budget asks for, of ``scale`` that the workload asks for."""
    if budget.min_available is not None:
        return resolve(budget.min_available, scale, round_up=True)
    if budget.max_unavailable is not None:
        return max(0, scale - resolve(budget.max_unavailable, scale, round_up=True))
    return 0


class _Before(msgspec.Struct, frozen=True):
    """Of a pod that had started, just before it left: was it ``ready``, and how many were, itself among them."""

    ready: bool
    healthy: int


def budget_kept(events: Sequence[EventRow], budget: Budget | None, scale: int) -> BudgetKept:
    """``events`` in the order in which they were told; ``scale`` is the Deployment's replicas. No budget allows all.

    In a cluster the watch may tell that the pod terminates before the answer to its eviction is there: then the pods
    that were ready when it left count.
    """
    started: set[str] = set()
    ready: set[str] = set()
    left: dict[str, _Before] = {}
    granted = refused = 0
    beyond: list[str] = []
    for event in events:
        pod = event.subject
        if event.kind == "pod":
            state = event.data.get("state")
            if state == PodState.TERMINATING and pod in started:
                left.setdefault(pod, _Before(pod in ready, len(ready)))
            if state in _STARTED:
                started.add(pod)
            (ready.add if state == PodState.READY else ready.discard)(pod)
        elif event.kind == "eviction" and event.data.get("code") == GRANTED:
            granted += 1
            before = left.pop(pod, _Before(pod in ready, len(ready)))
            if budget is not None and pod in started and (why := _beyond(before, budget, desired(budget, scale))):
                beyond.append(f"{pod}: {why}")
            ready.discard(pod)
        elif event.kind == "eviction":
            refused += 1
    return BudgetKept(granted=granted, refused=refused, beyond=tuple(beyond))


def _beyond(before: _Before, budget: Budget, must: int) -> str:
    """Why the budget, which asks for ``must`` healthy pods, forbids the eviction; "" when it does not."""
    if before.healthy > must:
        return ""
    if before.ready:
        return f"{before.healthy} pods were ready, {must} must stay"
    if budget.unhealthy is UnhealthyPodEviction.ALWAYS_ALLOW or before.healthy == must > 0:
        return ""
    return f"it ran and was not ready, {before.healthy} pods were ready, {must} must be"

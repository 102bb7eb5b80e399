"""Was a pod evicted that the PodDisruptionBudget protects? From the events alone, counted anew. Pure.

Kubernetes: an eviction of a ready pod is granted while the healthy pods are more than the budget asks for. Pods that
were deleted, scaled down or rolled over do not ask it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.control.amount import resolve
from harness.model.disruption import Budget
from harness.model.evidence import EventRow
from harness.model.message import Told, message
from harness.model.stack import PodState

GRANTED = 201


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


def budget_kept(events: Sequence[EventRow], budget: Budget | None, scale: int) -> BudgetKept:
    """``events`` in the order in which they were told; ``scale`` is the Deployment's replicas. No budget allows all.

    In a cluster the watch may tell that the pod terminates before the answer to its eviction is there: then the pods
    that were ready when it left count.
    """
    ready: set[str] = set()
    left: dict[str, int] = {}  # the ready pods when a ready one began to terminate, itself among them
    granted = refused = 0
    beyond: list[str] = []
    for event in events:
        if event.kind == "pod":
            if event.data.get("state") == PodState.TERMINATING and event.subject in ready:
                left[event.subject] = len(ready)
            (ready.add if event.data.get("state") == PodState.READY else ready.discard)(event.subject)
        elif event.kind == "eviction" and event.data.get("code") == GRANTED:
            granted += 1
            there = len(ready) if event.subject in ready else left.pop(event.subject, 0)
            if budget is not None and 0 < there <= desired(budget, scale):
                beyond.append(f"{event.subject}: {there} pods were ready, {desired(budget, scale)} must stay")
            ready.discard(event.subject)
        elif event.kind == "eviction":
            refused += 1
    return BudgetKept(granted=granted, refused=refused, beyond=tuple(beyond))

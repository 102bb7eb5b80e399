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
    """``events`` in the order in which they were told; ``scale`` is the Deployment's replicas. No budget allows all."""
    ready: set[str] = set()
    granted = refused = 0
    beyond: list[str] = []
    for event in events:
        if event.kind == "pod":
            (ready.add if event.data.get("state") == PodState.READY else ready.discard)(event.subject)
        elif event.kind == "eviction" and event.data.get("code") == GRANTED:
            granted += 1
            if budget is not None and event.subject in ready and len(ready) - 1 < desired(budget, scale):
                beyond.append(f"{event.subject}: {len(ready)} pods were ready, {desired(budget, scale)} must stay")
            ready.discard(event.subject)
        elif event.kind == "eviction":
            refused += 1
    return BudgetKept(granted=granted, refused=refused, beyond=tuple(beyond))

"""The words of voluntary disruption: a PodDisruptionBudget, its status, the answer to an eviction."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.message import message

#: Of manifests without a budget, or with one that asks for no pod.
UNGUARDED = message("no PodDisruptionBudget of the manifests keeps a pod ready")


class UnhealthyPodEviction(StrEnum):
    """``unhealthyPodEvictionPolicy``: whether a running pod that is not ready may always be evicted."""

    IF_HEALTHY_BUDGET = "IfHealthyBudget"
    ALWAYS_ALLOW = "AlwaysAllow"


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A PodDisruptionBudget: exactly one of the two, a number of pods or a percentage as text (``"25%"``)."""

    name: str
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    unhealthy: UnhealthyPodEviction = UnhealthyPodEviction.IF_HEALTHY_BUDGET


class BudgetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``status`` of a PodDisruptionBudget. ``disrupted`` holds evicted pods not yet seen terminating, and since when.

    ``observed`` is false while the controller has not seen the budget as it is.
    """

    current_healthy: int
    desired_healthy: int
    expected_pods: int
    disruptions_allowed: int
    disrupted: dict[str, int] = {}
    observed: bool = True


class Eviction(msgspec.Struct, frozen=True, kw_only=True):
    """The API server's answer: ``code`` 201, 429 (the budget forbids it), 403 or 500; ``message`` is Kubernetes' own.

    ``status`` is the budget's after an eviction that it paid for; ``None`` when it is as before.
    """

    code: int
    message: str = ""
    status: BudgetStatus | None = None

    @property
    def granted(self) -> bool:
        """Whether the pod is deleted."""
        return self.code == 201


class DrainEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A drain that ended: the pods it evicted, how often the budget refused meanwhile, seconds until all were gone."""

    evicted: tuple[str, ...]
    refusals: int
    took_s: float

"""What the trials need of the manifests. Pure."""

from __future__ import annotations

from harness.base.errors import NotCapable
from harness.model.manifests import Manifests
from harness.model.stack import FaultKind, Rung
from harness.rehearsals.alert_drill.types import AlertDrillPlan


def refuse_without_sidecar(plan: AlertDrillPlan, rung: Rung, manifests: Manifests) -> None:
    """On a cluster the database is slowed by the pods' proxies to it. Raises ``NotCapable`` where they have none, and a
    trial is to."""
    slow = [each.name for each in plan.trials if each.fault.kind is FaultKind.DATABASE_SLOW]
    if slow and rung is not Rung.LOCAL and not manifests.sidecar:
        raise NotCapable(
            f"the trial {slow[0]} slows the database by the pods' proxy to it, and the manifests have none",
            where=manifests.folder,
            remedy="drill it with --on local, or with manifests that have a proxy, as Cloud SQL Proxy is one",
        )

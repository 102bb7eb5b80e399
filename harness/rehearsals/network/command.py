"""``python -m harness network``."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from harness.rehearsals.network.types import NetworkPlan
from harness.run.arguments import OwnPlan, Staged
from harness.run.command import option
from harness.run.options import Options


@dataclass(frozen=True, kw_only=True)
class NetworkCommand(OwnPlan, Staged):
    """NetworkPolicies: who reaches whom, and who does not (kind).

    With --ingress a real Ingress controller, too.
    """

    name = "network"
    example = "--on kind --ingress"

    ingress: bool = option(
        "bring a real Ingress controller (Contour, built once a machine) and ask through it by HTTPS, too",
        default=False,
    )

    def planned(self) -> NetworkPlan:
        plan = self.read(NetworkPlan)
        return msgspec.structs.replace(plan, with_ingress=self.ingress or plan.with_ingress)

    def resolved(self) -> Options:
        """With manifests that have what is to be tried."""
        from harness.rehearsals.network.rehearsal import check_manifests

        plan = self.planned()
        component = "-ingress" if plan.with_ingress else "-networkpolicy"
        options = self.placed(self.seed, self.lang, self.manifests, component)
        check_manifests(plan, options)
        return options

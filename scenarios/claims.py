"""The register of claims: every promise of the design document, by id.

The modules ``claims_*`` follow the document's chapters. A test holds them to the document where it is at hand, and
everywhere to its committed index (``document_index.json``): no table row, code block, list or checklist item is left
without a claim.
"""

from __future__ import annotations

from typing import Annotated

from harness.base.message import marked
from harness.base.units import OneOf
from harness.model.claim import Claim, Erratum
from scenarios import (
    claims_checklist,
    claims_cost,
    claims_decision,
    claims_iac,
    claims_manifests,
    claims_migration,
    claims_monitoring,
    claims_operations,
    claims_rollout,
    claims_scaling,
    claims_security,
    claims_strategy,
)

#: The document's chapters in its order, each with its claims.
CHAPTERS: dict[str, tuple[Claim, ...]] = {
    "Decision and reasons": claims_decision.CLAIMS,
    "Strategy and architecture": claims_strategy.CLAIMS,
    "Kubernetes manifests": claims_manifests.CLAIMS,
    "Scaling, database connection, CI/CD": claims_scaling.CLAIMS,
    "Monitoring and logging": claims_monitoring.CLAIMS,
    "Security, backup and disaster recovery": claims_security.CLAIMS,
    "Costs": claims_cost.CLAIMS,
    "Infrastructure as code (Terraform)": claims_iac.CLAIMS,
    "Running side by side, migration": claims_migration.CLAIMS,
    "Stepwise rollout": claims_rollout.CLAIMS,
    "Operations, learning path, related documents": claims_operations.CLAIMS,
    "Checklist before Phase 2": claims_checklist.CLAIMS,
}

#: All claims in the document's order. A doubled id would vanish here; a test counts them.
REGISTER: dict[str, Claim] = {claim.id: claim for chapter in CHAPTERS.values() for claim in chapter}

#: All errata by id, with the claim that carries each.
ERRATA: dict[str, tuple[Claim, Erratum]] = {
    erratum.id: (claim, erratum) for claim in REGISTER.values() for erratum in claim.errata
}

#: How a plan names them: read by ``harness.base.planfile``, which refuses an id that is not in the register.
ClaimId = Annotated[str, OneOf(what="claim", known=(*REGISTER,), where="scenarios/claims.py")]
ErratumId = Annotated[str, OneOf(what="erratum", known=(*ERRATA,), where="scenarios/claims.py")]
ClaimOrErratumId = Annotated[
    str, OneOf(what=marked("claim or erratum"), known=(*REGISTER, *ERRATA), where="scenarios/claims.py")
]

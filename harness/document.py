"""What the report of a command on a stack says of the manifests."""

from __future__ import annotations

from typing import Any

from harness.manifests.kustomize.patches import NO_REASON
from harness.model.manifests import Manifests


def manifest_facts(manifests: Manifests) -> dict[str, Any]:
    """What every report says of the manifests: the environment, and what the layers below a rung's own change.

    A person's own patches, which say no reason, are no changes of the rehearsal's.
    """
    below = [patch for patch in manifests.patches if not patch.forced and patch.reason != NO_REASON]
    return {
        "environment": _environment(manifests),
        "manifest_changes": tuple(f"{patch.name}: {patch.reason}" for patch in below),
        "manifest_warnings": manifests.warnings,
        "repository_errata": manifests.errata,
    }


def _environment(manifests: Manifests) -> str:
    """What the target is told to be."""
    first = manifests.deployment.template.containers[0]
    return next((each.value for each in first.env if each.name == "ENVIRONMENT"), "")


#: The kinds of the seven files that Phase 2 requires (Kubernetes構成, manifest.phase2_required).
_PHASE_2 = (
    "Deployment", "Service", "ServiceAccount", "ConfigMap", "Secret", "HorizontalPodAutoscaler", "PodDisruptionBudget",
)  # fmt: skip


def missing_manifests(manifests: Manifests) -> tuple[str, ...]:
    """The kinds of the seven that the folder of ``manifests`` does not have, whatever stands in for them."""
    kinds = {key.partition("/")[0] for key in manifests.written}
    return tuple(kind for kind in _PHASE_2 if kind not in kinds)

"""Where the files of the checkout lie that are no code: scenarios, manifests, compose file, cluster configuration.

The one place that knows; whatever is found by it works from any folder.
"""

from __future__ import annotations

from pathlib import Path

#: The checkout.
ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "scenarios"
PLANS = SCENARIOS / "plans"
#: The register: the document's claims, a file a chapter. The rules lie beside it.
CLAIMS = SCENARIOS / "claims"
CHECKS = SCENARIOS / "checks"
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = KUBERNETES / "overlays"
#: What the document prints besides its manifests: Terraform, workflow, commands.
DOCUMENT = ROOT / "deploy" / "document"
MONITORING = ROOT / "deploy" / "monitoring"
KIND_CONFIG = ROOT / "kind-config.yaml"
COMPOSE = ROOT / "compose.yaml"
REPORTS = ROOT / "reports"

"""Where the files lie that are no code: scenarios, manifests, compose file, cluster configuration.

The one place that knows; whatever is found by it works from any folder. Installed by the wheel, the same files lie in
the package ``tekutoko_rehearsal``, but for tests and ``noxfile.py``.
"""

from __future__ import annotations

from pathlib import Path

#: The checkout, or the folder of the installed package.
ROOT = Path(__file__).resolve().parents[2]
INSTALLED = not (ROOT / "noxfile.py").exists()
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
#: Of an installed package it is a folder of whoever types the command.
REPORTS = Path("reports") if INSTALLED else ROOT / "reports"

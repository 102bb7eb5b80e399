"""All rehearsals by name; each is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from harness.rehearsal.rehearsal import Rehearsal

#: Name -> the module that holds it as ``REHEARSAL``.
MODULES = {
    "rollout_week": "harness.rehearsals.rollout.week",
    "rollout": "harness.rehearsals.rollout.sequence",
    "load_stages": "harness.rehearsals.load_stages.rehearsal",
    "scaling": "harness.rehearsals.scaling.rehearsal",
    "secret_rotation": "harness.rehearsals.secret_rotation.rehearsal",
    "network": "harness.rehearsals.network.rehearsal",
    "deploy_rehearsal": "harness.rehearsals.deploy.rehearsal",
    "chaos": "harness.rehearsals.chaos.rehearsal",
    "chaos_nightly": "harness.rehearsals.chaos.night",
    "dr_restore": "harness.rehearsals.dr_restore.rehearsal",
    "mirror_stop": "harness.rehearsals.mirror_stop.rehearsal",
    "flag_proof": "harness.rehearsals.flag_proof.rehearsal",
    "conformance": "harness.rehearsals.conformance.rehearsal",
}


def rehearsal(name: str) -> Rehearsal[Any, Any]:
    """The rehearsal of that name. Raises ``KeyError`` for a name that is none."""
    found: Rehearsal[Any, Any] = import_module(MODULES[name]).REHEARSAL
    return found

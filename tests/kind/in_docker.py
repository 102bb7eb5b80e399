"""What is in Docker of one run: looked up by whose it is, for others use the engine too."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterable

from harness.stack.kind import record
from tests.main_job import Job

_LOOKS_EVERY_S = 5.0


def _listed(*words: str) -> list[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.splitlines()


def kubectl(made: record.Cluster, *words: str, stdin: str = "") -> str:
    """What the cluster's own kubectl prints, on its control plane."""
    command = ["docker", "exec", "-i", made.control_plane, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"]
    return subprocess.run([*command, *words], input=stdin, capture_output=True, text=True, check=True).stdout


def _is_of(run_id: str, name: str) -> bool:
    """A part of the run is named by it, and a cluster of its own by its label."""
    return run_id in name or record.name_of(record.run_label(run_id)) in name


def volumes_of(run_id: str) -> set[str]:
    """Those that its containers have now. An anonymous one has nothing of the run on it once they are gone."""
    rows = [row.partition(" ") for row in _listed("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.Mounts}}")]
    mounts = [mount for name, _, its in rows if _is_of(run_id, name) for mount in its.split(",")]
    return {mount for mount in mounts if mount and "/" not in mount}  # what has a path is a folder of this machine


def left_in_docker(run_id: str, volumes: Iterable[str] = ()) -> set[str]:
    """Its containers, networks and volumes, and those of ``volumes`` that are still there."""
    kept = set(volumes)
    found = {f"container {name}" for name in _listed("ps", "--all", "--format", "{{.Names}}") if _is_of(run_id, name)}
    found |= {f"network {name}" for name in _listed("network", "ls", "--format", "{{.Name}}") if _is_of(run_id, name)}
    there = _listed("volume", "ls", "--format", "{{.Name}}")
    return found | {f"volume {name}" for name in there if name in kept or _is_of(run_id, name)}


def finished(job: Job, limit_s: float) -> tuple[int, set[str]]:
    """Its exit status, and the volumes that its containers were seen to have; ``AssertionError`` as ``Job.finish``."""
    until, volumes = time.monotonic() + limit_s, set[str]()
    while job.process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError, ValueError):  # it has no folder yet
            volumes |= volumes_of(job.folder.name)
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.process.wait(_LOOKS_EVERY_S)
    return job.finish(max(1.0, until - time.monotonic())), volumes

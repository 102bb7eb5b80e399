"""A week on the rung ``kube``: a kind cluster of this machine stands in for somebody's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from night.errors import Trouble
from night.preconditions import ROOT

LABEL = "night"


def week(words: list[str]) -> int:
    """The status of ``run`` with ``words``; the cluster is gone afterwards. Raises ``Trouble`` without one."""
    try:
        _harness("cluster", "up", "--label", LABEL)
        kubeconfig = _kubeconfig()
        name = kubeconfig.parent.name
        _harness("images", "--load", name)
        at = ["--on", "kube", "--context", f"kind-{name}", "--kubeconfig", str(kubeconfig), "--yes-use-this-cluster"]
        return subprocess.run([sys.executable, "-m", "harness", "run", *words, *at], cwd=ROOT, check=False).returncode
    finally:
        _harness("cluster", "down", "--label", LABEL)


def _harness(*words: str) -> None:
    command = [sys.executable, "-m", "harness", *words]
    if (status := subprocess.run(command, cwd=ROOT, check=False).returncode) != 0:
        raise Trouble(f"status {status}: {' '.join(command[1:])}", remedy="its own lines above say why", status=status)


def _kubeconfig() -> Path:
    """Of the cluster of our label; its folder is named as the cluster is (harness/stack/kind/record.py)."""
    sys.path.insert(0, str(ROOT))
    from harness.base.home import home

    found = sorted((home() / "kind" / "clusters").glob(f"*-{LABEL}/kubeconfig"))
    if len(found) != 1:
        raise Trouble(f"{len(found)} clusters are labelled {LABEL}", where=str(home() / "kind" / "clusters"))
    return found[0]

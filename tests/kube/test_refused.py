"""What needs the cluster's nodes is refused on somebody's own before anything is made: nothing of it can be run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.base import planfile
from harness.base.clock import MachineClock
from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.model.stack import Capability, EnvironmentKind, OwnCluster, Target
from harness.rehearsals.network.rehearsal import REHEARSAL as NETWORK
from harness.rehearsals.network.types import NetworkPlan
from harness.rehearsals.secret_rotation.rehearsal import REHEARSAL as ROTATION
from harness.rehearsals.secret_rotation.types import RotationPlan
from harness.stack.environments.choice import cluster_images
from harness.stack.kind.stack import KindStack
from harness.stack.kube.stack import KubeStack
from harness.stack.protocol import WithIngress, WithOutside, WithSecretStore
from tests.stack.rungs import manifests


@pytest.mark.process
def test_network_and_secret_rotation_run_on_kind_and_are_refused_on_kube(tmp_path: Path) -> None:
    target = Target(name="none", command=(), image="none:1")
    kube = KubeStack(
        run_id="refused", manifests=manifests(EnvironmentKind.KUBE), target=target, folder=tmp_path, clock=MachineClock(),
        cluster=OwnCluster(context="mine", kubeconfig="none", server="none"), progress=lambda _: None,
        images=cluster_images(target, "", MachineClock()),
    )  # fmt: skip
    kind = KindStack(
        run_id="run", manifests=manifests(EnvironmentKind.KIND), target=target, folder=tmp_path, clock=MachineClock(),
        progress=lambda _: None,
    )  # fmt: skip
    network, rotation = planfile.bundled("network", NetworkPlan), planfile.bundled("secret_rotation", RotationPlan)
    assert NETWORK.unable(network, kube.capabilities) == (Capability.NODES,)
    assert ROTATION.unable(rotation, kube.capabilities) == (Capability.NODES,)
    assert not NETWORK.unable(network, kind.capabilities) and not ROTATION.unable(rotation, kind.capabilities)
    for each in (WithOutside, WithIngress, WithSecretStore):
        assert isinstance(kind, each) and not isinstance(kube, each)


@pytest.mark.process
@pytest.mark.parametrize("command", ["network", "secret_rotation"])
def test_a_person_is_told_what_the_cluster_lacks(command: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "contexts: [{name: mine, context: {cluster: c}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
    )
    at = ("--on", "kube", "--context", "mine", "--kubeconfig", str(tmp_path / "config"), "--yes-use-this-cluster")
    ran = subprocess.run(
        [sys.executable, "-m", "harness", command, *at, "--reports", str(tmp_path / "reports")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == Exit.USAGE, ran.stdout + ran.stderr
    assert "the environment lacks nodes of its own" in ran.stderr and "nothing was run" in ran.stderr

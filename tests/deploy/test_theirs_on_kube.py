"""Folders as other teams have them on somebody's own cluster: one namespace takes them, and nothing reaches beyond it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.base.clock import MachineClock
from harness.model.stack import EnvironmentKind, OwnCluster
from harness.stack.environments.choice import cluster_images
from harness.stack.kind.images import build, recipes
from harness.stack.kind.images import load as loading
from harness.stack.kind.record import Cluster
from harness.stack.kube.stack import KubeStack
from harness.stack.target.targets import bundled
from tests.deploy.starting import hindered, small, told
from tests.deploy.test_theirs_forced import loaded, target_of
from tests.deploy.theirs import STARTING, Theirs
from tests.kind.in_docker import kubectl
from tests.stack.rungs import run_id

pytestmark = [pytest.mark.slow, pytest.mark.nightly, pytest.mark.kind, pytest.mark.timeout(900, func_only=True)]
#: A priority class, which reaches beyond a namespace; a NetworkPolicy, which stands before the gateway.
ON_KUBE = ("sealed_secrets", "autoscaled")


def around(made: Cluster) -> dict[str, set[str]]:
    """What a run may not touch: the cluster's namespaces and classes, and the kinds it knows."""
    kinds = ("namespaces", "priorityclasses", "customresourcedefinitions", "clusterroles", "clusterrolebindings")

    def names(kind: str) -> set[str]:
        items = json.loads(kubectl(made, "get", kind, "-o", "json"))["items"]
        return {each["metadata"]["name"] for each in items}

    return {kind: names(kind) for kind in kinds}


async def test_folders_start_in_a_namespace_and_leave_the_cluster_as_it_was(
    kind_cluster: Cluster, tmp_path: Path
) -> None:
    clock = MachineClock()
    progress = told("images", clock)
    ours = [await build.ensure(each, clock, progress) for each in recipes.ours(clock)]
    await loading.load(kind_cluster.nodes[1:], ours, tmp_path, progress)
    own = OwnCluster(
        context=kind_cluster.context,
        kubeconfig=str(kind_cluster.kubeconfig),
        server=f"127.0.0.1:{kind_cluster.api_port}",
    )

    def stack(theirs: Theirs) -> KubeStack:
        target = target_of(theirs, bundled())
        return KubeStack(
            run_id=run_id(), manifests=small(loaded(theirs, EnvironmentKind.KUBE)), target=target, cluster=own,
            images=cluster_images(target, "", clock), folder=tmp_path / theirs.name, clock=clock,
            progress=told(theirs.name, clock),
        )  # fmt: skip

    before = around(kind_cluster)
    wanted = [each for each in STARTING if each.name in ON_KUBE]
    # One after the other: nodes take each image from its archive when a pod first needs it, and ten parts at once starve.
    assert [await hindered(each.name, stack(each)) for each in wanted] == [""] * len(ON_KUBE)
    assert around(kind_cluster) == before

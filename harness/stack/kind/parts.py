"""What a cluster has besides Kubernetes: metrics-server; and kube-router, which kind installs of our own node image."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.model.message import message
from harness.stack.kind.network import kubectl
from harness.stack.kind.record import Cluster

METRICS_SERVER = Path(__file__).parent / "addons" / "metrics-server.yaml"
ROLLOUT_LIMIT_S = 120.0
METRICS_LIMIT_S = 150.0
_POLL_S = 1.0
_NODE_METRICS = "/apis/metrics.k8s.io/v1beta1/nodes"


async def apply(cluster: Cluster) -> None:
    """Installs metrics-server. Raises ``StackNotStarted``."""
    text = METRICS_SERVER.read_text()
    await kubectl(cluster.control_plane, "apply", "--filename=-", what="installing metrics-server", stdin=text)


async def rolled_out(cluster: Cluster) -> None:
    """Waits until the parts' pods are ready. Raises ``StackNotStarted`` after 120 s."""
    parts = ["deployment/metrics-server", *(["daemonset/kube-router"] if cluster.own_images else [])]
    await asyncio.gather(*(_rolled_out(cluster, part) for part in parts))


async def _rolled_out(cluster: Cluster, part: str) -> None:
    arguments = ("--namespace=kube-system", "rollout", "status", part, f"--timeout={ROLLOUT_LIMIT_S:.0f}s")
    limit_s = ROLLOUT_LIMIT_S + 10
    await kubectl(cluster.control_plane, *arguments, what=f"waiting for {part}", limit_s=limit_s)


async def metrics_flow(cluster: Cluster, clock: Clock, limit_s: float = METRICS_LIMIT_S) -> None:
    """Waits until metrics-server has figures of every node, as an HPA needs them. Raises ``StackNotStarted``."""
    again = polling(clock, limit_s=limit_s, every_s=_POLL_S)
    while (count := await _nodes_with_metrics(cluster)) < len(cluster.nodes):
        if not await again():
            raise StackNotStarted(
                message(
                    "metrics of {count} of {nodes} nodes after {limit_s} s",
                    count=str(count),
                    nodes=str(len(cluster.nodes)),
                    limit_s=f"{limit_s:g}",
                ),
                where="kubectl top nodes",
                remedy="read: kubectl -n kube-system logs deployment/metrics-server",
            )


async def _nodes_with_metrics(cluster: Cluster) -> int:
    # Asked at the path itself: kubectl keeps a list of the server's APIs for hours, perhaps from before this one was.
    try:
        listed = await kubectl(cluster.control_plane, "get", "--raw", _NODE_METRICS, what="asking for metrics")
    except StackNotStarted:  # metrics-server does not answer yet
        return 0
    return len(json.loads(listed)["items"])

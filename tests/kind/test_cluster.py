"""The real cluster: its nodes, metrics, ports and NetworkPolicies; what is reused, and what a killed harness leaves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.stack.kind import cluster, docker, keeper, network, parts, record
from harness.stack.kind.images import build, recipes
from harness.stack.kind.images.load import load
from harness.stack.kind.record import Cluster
from harness.stack.state.processes import identify
from tests.kind.creating import creating, half, quiet
from tests.lines import Lines

pytestmark = [pytest.mark.kind, pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]
PODS = Path(__file__).parent / "pods.yaml"
DIAL = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 5353), 2).close()
    print("reached")
except OSError:
    print("not")
"""


async def kubectl(made: Cluster, *arguments: str, stdin: str = "", limit_s: float = 90) -> str:
    return await network.kubectl(made.control_plane, *arguments, what="kubectl", stdin=stdin, limit_s=limit_s)


async def test_four_nodes_ready_and_a_worker_in_each_zone(kind_cluster: Cluster) -> None:
    nodes = await network.nodes(kind_cluster.control_plane)
    assert all(node.ready for node in nodes)
    assert sorted(node.zone for node in nodes) == ["", *(f"asia-northeast1-{letter}" for letter in "abc")]


async def test_listens_on_127_0_0_1_only(kind_cluster: Cluster) -> None:
    ports = [await docker.docker("port", node, what="reading ports") for node in kind_cluster.nodes]
    lines = "".join(ports).splitlines()
    assert len(lines) == 4  # the API server and three NodePorts
    assert all("-> 127.0.0.1:" in line for line in lines)


def test_kubeconfig_is_private_and_its_own(kind_cluster: Cluster) -> None:
    assert stat.S_IMODE(kind_cluster.kubeconfig.stat().st_mode) == 0o600
    assert kind_cluster.context in kind_cluster.kubeconfig.read_text()
    own = Path.home() / ".kube" / "config"
    assert not own.exists() or kind_cluster.context not in own.read_text()


async def test_metrics_flow(kind_cluster: Cluster) -> None:
    await parts.metrics_flow(kind_cluster, MachineClock())
    # Without kubectl's stored list of APIs, which may be older than metrics-server.
    top = await kubectl(kind_cluster, "--cache-dir=/dev/null", "top", "pods", "--namespace=kube-system", "--no-headers")
    assert any(line.startswith("kube-apiserver") and "Mi" in line for line in top.splitlines())


@pytest.fixture
def pods(kind_cluster: Cluster, tmp_path: Path) -> Cluster:
    """A DNS server behind a NodePort, and two clients that only differ in a label, on other nodes."""

    async def make() -> None:
        asking = await build.ensure(recipes.sidecar(), MachineClock(), quiet)
        await load(kind_cluster.nodes[1:], [asking], tmp_path, quiet)
        images = await kubectl(
            kind_cluster, "get", "pods", "-A", "-o", "jsonpath={range .items[*]}{.spec.containers[0].image}{'\\n'}{end}"
        )
        by_name = {image.rpartition("/")[2].partition(":")[0]: image for image in images.split()}
        text = PODS.read_text().replace("COREDNS", by_name["coredns"]).replace("ASKING", asking)
        await kubectl(kind_cluster, "apply", "--filename=-", stdin=text)
        await kubectl(kind_cluster, "-n", "policies", "wait", "pods", "--all", "--for=condition=Ready", "--timeout=60s")

    asyncio.run(make())
    return kind_cluster


async def reaches(made: Cluster, client: str, address: str) -> bool:
    asked = await kubectl(made, "-n", "policies", "exec", client, "--", "python3", "-I", "-S", "-c", DIAL, address)
    return asked.strip() == "reached"


async def test_network_policy_lets_one_in_and_keeps_the_other_out(pods: Cluster) -> None:
    address = await kubectl(pods, "-n", "policies", "get", "pod", "server", "-o", "jsonpath={.status.podIP}")
    assert [await reaches(pods, client, address) for client in ("friend", "stranger")] == [True, True]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "friends", "namespace": "policies"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "server"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}]}],
        },
    }
    await kubectl(pods, "apply", "--filename=-", stdin=json.dumps(policy))
    try:
        until = time.monotonic() + 30
        while await reaches(pods, "stranger", address):
            assert time.monotonic() < until, "the policy is not enforced after 30 s"
        assert await reaches(pods, "friend", address)
    finally:
        await kubectl(pods, "-n", "policies", "delete", "networkpolicy", "friends")


def test_node_port_is_reached_from_this_machine(pods: Cluster) -> None:
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x00\x00\x01\x00\x01"  # DNS: x. A
    with socket.create_connection(("127.0.0.1", pods.ports[30082]), timeout=5) as connection:
        connection.sendall(len(query).to_bytes(2, "big") + query)
        answer = connection.recv(512)
    assert answer[2:4] == b"\x12\x34"
    assert answer[4] & 0x80  # a response


async def test_kept_cluster_is_reused_and_another_configuration_is_not(kind_cluster: Cluster) -> None:
    kept = msgspec.structs.replace(kind_cluster, kept=True)
    record.write(kept)
    try:
        label = kind_cluster.name.removeprefix(record.mark())
        again = await cluster.ensure(label, MachineClock(), quiet, kept=True)
        assert again == kept
        other = msgspec.structs.replace(kept, config_digest="another")
        assert str(await cluster.unfit(kept, other)) == "it was made of another configuration or image"
    finally:
        record.write(kind_cluster)


async def test_cluster_of_another_live_run_is_not_taken(kind_cluster: Cluster) -> None:
    parent = identify(os.getppid())
    assert parent is not None
    record.write(msgspec.structs.replace(kind_cluster, maker=parent, kept=False))
    try:
        label = kind_cluster.name.removeprefix(record.mark())
        with pytest.raises(StackNotStarted, match=f"in use by process {parent.pid}"):
            await cluster.ensure(label, MachineClock(), quiet, kept=False)
    finally:
        record.write(kind_cluster)
    assert await cluster.answers(kind_cluster)


async def test_a_cluster_that_a_run_uses_is_not_deleted(kind_cluster: Cluster) -> None:
    use = record.share(kind_cluster.name, "test-use")
    assert use is not None
    try:
        assert record.users(kind_cluster.name) == ["test-use"]
        with pytest.raises(StackNotStarted, match="in use by test-use"):
            await cluster.delete(kind_cluster.name, quiet)
    finally:
        use.end()
    assert record.users(kind_cluster.name) == []
    with record.alone(kind_cluster.name) as free:
        assert free
        assert record.share(kind_cluster.name, "late") is None
    assert await cluster.answers(kind_cluster)


def test_stack_status_and_down_know_the_cluster_and_its_user(kind_cluster: Cluster) -> None:
    standing = keeper.status()
    assert standing is not None
    assert [part.part for part in standing.parts] == kind_cluster.nodes
    assert all(part.alive and part.memory_bytes > 2**20 for part in standing.parts)
    assert (standing.trouble, standing.used_by) == (None, "")
    use = record.share(kind_cluster.name, "test-use")
    assert use is not None
    try:
        assert "test-use uses it" in str(keeper.down(force=False)[0])
        assert record.down_asked(kind_cluster.name)
    finally:
        use.end()
        (record.folder(kind_cluster.name) / "down-after-use").unlink()
    assert asyncio.run(cluster.answers(kind_cluster))


async def test_two_removals_at_once_both_end_well(kind_cluster: Cluster) -> None:
    image = kind_cluster.images[0]
    run = ("run", "--detach", "--network", "none", "--entrypoint", "sleep", image, "60")
    container = (await docker.docker(*run, what="starting a container")).strip()[:12]
    remove = (docker.remove([container], what="removing it", limit_s=60) for _ in range(3))
    await asyncio.gather(*remove)
    assert container not in (await docker.docker("ps", "--all", "--quiet", what="listing")).split()


@pytest.fixture
def creation(tmp_path: Path, kind_cluster: Cluster) -> Iterator[subprocess.Popen[str]]:
    """The small cluster; the shared one came first, so that the images are there."""
    with creating(tmp_path) as process:
        yield process


async def test_half_created_cluster_of_a_killed_harness_is_removed(creation: subprocess.Popen[str]) -> None:
    os.kill(creation.pid, signal.SIGKILL)
    creation.communicate(timeout=10)
    assert half() in await cluster.names()
    lines = Lines()
    assert half() in await cluster.sweep(lines.tell)
    assert any(half() in line and "killed" in line for line in lines)
    assert await cluster.leaks(half()) == []
    until = time.monotonic() + 10
    while going := [
        process for process in psutil.process_iter(["cmdline"]) if half() in (process.info["cmdline"] or [])
    ]:
        assert time.monotonic() < until, f"a kind outlived its harness and goes on making the cluster: {going}"
        await asyncio.sleep(0.1)
    assert await cluster.leaks(half()) == []
    assert half() not in await cluster.sweep(quiet)


async def test_ctrl_c_while_it_is_made_leaves_nothing(creation: subprocess.Popen[str]) -> None:
    os.kill(creation.pid, signal.SIGINT)
    creation.communicate(timeout=60)
    assert creation.returncode == 130
    assert await cluster.leaks(half()) == []

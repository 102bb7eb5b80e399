"""A cluster of ours: found, made, removed. Each has its own Docker network, files and ports; see ``record``."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from harness.base.clock import NS, Clock, polling
from harness.base.errors import BadInput, StackNotStarted
from harness.base.home import home
from harness.model.message import Message, ProgressCallback, message
from harness.stack.kind import config, docker, network, parts, record
from harness.stack.kind.commands import run
from harness.stack.kind.images import choice, offline
from harness.stack.kind.images.offline import NodeImages
from harness.stack.kind.images.recipe import REPOSITORY
from harness.stack.kind.record import Cluster, locked
from harness.stack.process.waiting import together
from harness.stack.state.processes import identify, marked, signal_group, wait_gone

if TYPE_CHECKING:
    from docker import DockerClient

CREATE_LIMIT_S = 300.0
DELETE_LIMIT_S = 120.0
NODES_LIMIT_S = 120.0
_WAIT_LIMIT_S = 2 * CREATE_LIMIT_S  # another harness' creation
_POLL_S = 0.25
_KILL_S = 5.0
MARKER = "TEKUTOKO_KIND_CLUSTER"  # in the environment of the kind that makes a cluster
_CLUSTER_LABEL = "io.x-k8s.kind.cluster"
_API_PORT = 6443  # the API server's, in the control plane


async def ensure(
    label: str,
    clock: Clock,
    progress: ProgressCallback,
    *,
    kept: bool,
    source: Path = config.CONFIG,
    meanwhile: Callable[[Cluster], Coroutine[Any, Any, None]] | None = None,
) -> Cluster:
    """The cluster for ``label``, reused when a kept one fits and answers, else made (about 45 s with its images).

    Nodes are ready and metrics-server and the enforcer of NetworkPolicies run when it returns; first metrics take
    another half minute. ``kept``: it outlives this process, and other runs may reuse it. ``meanwhile`` is run on the
    nodes of a cluster that is made, while its parts start. Raises ``BadInput`` for a bad ``source``,
    ``StackNotStarted`` for all else; then, as when cancelled, nothing of the cluster is left.
    """
    name, wanted = record.name_of(label), config.read(source)
    await docker.engine()
    images = await choice.ensure_images(progress)
    kind = await choice.ensure_kind(progress)
    async with locked(home() / "kind" / "create.lock", clock, progress, limit_s=_WAIT_LIMIT_S):
        await sweep(progress)
        planned = plan(name, wanted, images, kept=kept)
        if (found := record.read(name)) is not None:
            if (why := await unfit(found, planned)) is None:
                progress(message("reusing the cluster {name}", name=name))
                return found
            # Whether another living process made it for itself
            if not found.kept and record.maker_lives(found) and found.maker != identify(os.getpid()):
                raise _used(name, f"process {found.maker.pid}", str(why))
            progress(message("the cluster {name} is not reused: {why}", name=name, why=why))
        await delete(name, progress)
        try:
            made = config.merged(wanted, planned, images)
            return await _create(kind, planned, made, clock=clock, progress=progress, meanwhile=meanwhile)
        except BaseException:
            await asyncio.shield(delete(name, progress))
            raise


async def take(label: str, clock: Clock, progress: ProgressCallback, *, source: Path = config.CONFIG) -> Cluster:
    """Take the cluster that a person made by kind of ``source`` as the kept one for ``label``, with metrics-server.

    It stays that person's: ``delete`` forgets it. Raises ``BadInput`` where none runs, or where a cluster of ours is
    kept for ``label`` already; ``StackNotStarted``.
    """
    name, wanted = record.name_of(label), config.read(source)
    by_hand = str(wanted.get("name", "kind"))
    await docker.engine()
    kind = await choice.ensure_kind(progress)
    async with locked(home() / "kind" / "create.lock", clock, progress, limit_s=_WAIT_LIMIT_S):
        if (found := record.read(name)) is not None and not found.by_hand:
            told = message("the cluster {name} is kept already", name=name)
            raise BadInput(told, where=str(record.folder(name)), remedy="take it down first, or use another --label")
        nodes = await made_by_kind(by_hand)
        seen = await docker.inspect(nodes[0], what="looking at the control plane")
        bound = {
            int(port.split("/")[0]): int(at[0]["HostPort"]) for port, at in seen["HostConfig"]["PortBindings"].items()
        }
        images = offline.node_images() if seen["Config"]["Image"].startswith(f"{REPOSITORY}/") else choice.official()
        taken = msgspec.structs.replace(
            plan(name, config.read(), images, kept=True),
            by_hand=by_hand,
            docker_network=next(iter(seen["NetworkSettings"]["Networks"])),
            api_port=bound.pop(_API_PORT),
            ports=bound,
            nodes=nodes,
        )
        record.write(taken)
        try:
            words = ("export", "kubeconfig", "--name", by_hand, "--kubeconfig", str(taken.kubeconfig))
            await run([kind, *words], what="kind export kubeconfig", limit_s=DELETE_LIMIT_S)
            return await _equip(taken, clock, progress)
        except BaseException:
            record.remove(name)
            raise


async def made_by_kind(name: str) -> list[str]:
    """Return the nodes of the kind cluster ``name``, whoever made it, the control plane first. Raises ``BadInput``."""
    found = await docker.containers("listing the cluster's nodes", {"label": f"{_CLUSTER_LABEL}={name}"})
    if not found:
        there = ", ".join(sorted(await _labels())) or message("none")
        raise BadInput(
            message("no kind cluster {name} runs here", name=repr(name)),
            remedy=message("there are: {there}", there=there),
        )
    return sorted((each.name for each in found), key=lambda node: ("control-plane" not in node, node))


async def delete(name: str, progress: ProgressCallback, *, force: bool = False) -> bool:
    """Removes the cluster's containers, volumes, network and files, without need of kind; whether there was any.

    A kind that still makes it, left by a killed harness, is ended first. Raises ``StackNotStarted`` when other runs use
    it and it is not to be by ``force``, or when Docker does not answer: then the files stay for the next call.
    """
    with record.alone(name) as free:
        if not free and not force:
            raise _used(name, ", ".join(record.users(name)) or "another run", "it cannot be deleted")
        return await _delete(name, progress)


def _used(name: str, by: str, why: str) -> StackNotStarted:
    remedy = "wait for its end, or use another name"
    return StackNotStarted(
        message("the cluster {name} is in use by {by}: {why}", name=name, by=by, why=why),
        where=str(record.folder(name)),
        remedy=remedy,
    )


async def _delete(name: str, progress: ProgressCallback) -> bool:
    makers = [process.pid for process, _ in marked(MARKER, [name])]
    for pid in makers:
        signal_group(pid, signal.SIGKILL)
    wait_gone([maker for pid in makers if (maker := identify(pid)) is not None], _KILL_S)
    if containers := await _containers(name):
        progress(message("deleting the cluster {name}", name=name))
        await docker.remove(containers, what=f"deleting the nodes of {name}", limit_s=DELETE_LIMIT_S)
    networks = await _networks(name)
    for found in networks:
        await _remove_network(found)
    existed = bool(makers or containers or networks or name in record.recorded())
    record.remove(name)
    return existed


async def sweep(progress: ProgressCallback) -> list[str]:
    """Deletes our clusters that nobody will use: half-created or not kept, their maker gone. Returns their names."""
    gone = []
    for name in await names():
        left = record.left_behind(name)
        if left is None:
            progress(message("the cluster {name} is left as it is: whether its maker lives cannot be told", name=name))
        elif left:
            with record.alone(name) as free:  # else it has users, or another process is just sweeping it
                if free:
                    progress(message("the cluster {name} was left by a run that was killed", name=name))
                    await _delete(name, progress)
                    gone.append(name)
    return gone


async def names() -> list[str]:
    """Every cluster of ours on this machine, whole or half-created: with containers, files, or both."""
    running = await _labels()
    return sorted({name for name in running if name.startswith(record.mark())} | set(record.recorded()))


async def of_others() -> list[str]:
    """The clusters on this engine whose names have the mark of another folder of state."""
    return sorted(name for name in await _labels() if record.of_others(name))


async def leaks(name: str) -> list[str]:
    """What is left of a deleted cluster: containers, network, files; [] when nothing is."""
    left = [f"container {container}" for container in await _containers(name)]
    left += [f"network {found}" for found in await _networks(name)]
    return left + [f"files {record.folder(name)}" for found in record.recorded() if found == name]


async def answers(cluster: Cluster) -> bool:
    """Whether all nodes run and are ready."""
    try:
        nodes = await network.nodes(cluster.control_plane)
    except StackNotStarted:
        return False
    return sorted(node.name for node in nodes if node.ready) == sorted(cluster.nodes)


def plan(name: str, wanted: dict[str, Any], images: NodeImages, *, kept: bool) -> Cluster:
    """The record of a cluster to be made of ``wanted``: free ports, the nodes' names, this process as its maker."""
    maker = identify(os.getpid())
    assert maker is not None
    node_ports = config.node_ports(wanted)
    others = [found for other in record.recorded() if (found := record.read(other)) is not None]
    taken = {port for other in others for port in (other.api_port, *other.ports.values())}
    api_port, *ports = config.free_ports(1 + len(node_ports), taken)
    return Cluster(
        name=name,
        maker=maker,
        kept=kept,
        complete=False,
        own_images=images.own,
        images=sorted({images.control_plane, images.worker}),
        config_digest=_digest(wanted),
        api_port=api_port,
        ports=dict(zip(node_ports, ports, strict=True)),
        nodes=config.node_names(wanted, name),
    )


def _digest(wanted: dict[str, Any]) -> str:
    text = yaml.safe_dump(wanted) + parts.METRICS_SERVER.read_text()
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def outdated(found: Cluster) -> bool:
    """Whether it is of another configuration or other images than this checkout's."""
    images = offline.node_images() if found.own_images else choice.official()
    wanted = sorted({images.control_plane, images.worker})
    return (found.images, found.config_digest) != (wanted, _digest(config.read()))


async def unfit(found: Cluster, planned: Cluster) -> Message | None:
    """Why the cluster cannot stand in for the planned one; ``None`` when it can."""
    if not found.complete:
        return message("it is half-created")
    if (found.images, found.config_digest) != (planned.images, planned.config_digest):
        return message("it was made of another configuration or image")
    if not found.kept or not planned.kept:
        return message("it is not kept for reuse")
    return None if await answers(found) else message("not all its nodes are ready")


async def _create(
    kind: str,
    planned: Cluster,
    made: dict[str, Any],
    *,
    clock: Clock,
    progress: ProgressCallback,
    meanwhile: Callable[[Cluster], Coroutine[Any, Any, None]] | None,
) -> Cluster:
    record.write(planned)
    progress(message("creating the cluster {name} of {count} nodes", name=planned.name, count=str(len(planned.nodes))))
    names = ("--name", planned.name, "--kubeconfig", str(planned.kubeconfig), "--config", "-")
    await run(
        [kind, "create", "cluster", *names],
        what="kind create cluster",
        limit_s=CREATE_LIMIT_S,
        stdin=yaml.safe_dump(made).encode(),
        environment={"KIND_EXPERIMENTAL_DOCKER_NETWORK": planned.network, MARKER: planned.name},
        on_line=lambda line: progress(message("kind: {said}", said=line.strip())) if "✓" in line else None,
        remedy="docker system df shows the space; dmesg and docker logs what a node lacked",
    )
    return await _equip(planned, clock, progress, meanwhile)


async def _equip(
    planned: Cluster,
    clock: Clock,
    progress: ProgressCallback,
    meanwhile: Callable[[Cluster], Coroutine[Any, Any, None]] | None = None,
) -> Cluster:
    """Give a cluster that kind has made its parts; its record is complete."""
    start_ns = clock.now_ns()
    if planned.own_images:
        connect = ("connect", planned.control_plane, str(len(planned.nodes)))
        await offline.ask(*connect, what="connecting the nodes' pods", progress=progress)
    await parts.apply(planned)
    await _nodes_ready(planned, clock)
    progress(
        message(
            "{count} nodes ready after {seconds} s",
            count=str(len(planned.nodes)),
            seconds=f"{(clock.now_ns() - start_ns) / NS:.1f}",
        )
    )
    await together(parts.rolled_out(planned), *([meanwhile(planned)] if meanwhile is not None else []))
    complete = msgspec.structs.replace(planned, complete=True)
    record.write(complete)
    return complete


async def _nodes_ready(cluster: Cluster, clock: Clock) -> None:
    again = polling(clock, limit_s=NODES_LIMIT_S, every_s=_POLL_S)
    while not await answers(cluster):
        if not await again():
            raise StackNotStarted(
                message(
                    "not all nodes of {name} are ready after {nodes_limit_s} s",
                    name=cluster.name,
                    nodes_limit_s=f"{NODES_LIMIT_S:g}",
                ),
                where=cluster.control_plane,
                remedy="the machine may be too busy, or short of memory; try again",
            )


async def _containers(name: str) -> list[str]:
    return [each.id for each in await docker.containers("listing the nodes", {"label": f"{_CLUSTER_LABEL}={name}"})]


async def _networks(name: str) -> list[str]:
    filters = {"name": f"^{name}$"}
    found = await docker.ask(lambda client: client.api.networks(filters=filters), what="listing networks")
    return [network["Id"] for network in found]


async def _remove_network(network_id: str) -> None:
    """Removes it; containers that joined it, such as the databases outside the cluster, leave it first.

    They, and it, may be removed by others meanwhile.
    """

    def joined(client: DockerClient) -> list[str]:
        return list(client.api.inspect_network(network_id)["Containers"])

    with docker.gone():
        for container in await docker.ask(joined, what="reading a network"):
            try:
                await docker.ask(
                    lambda client, container=container: client.api.disconnect_container_from_network(  # type: ignore[misc]
                        container, network_id, force=True
                    ),
                    what="leaving a network",
                )
            except docker.EngineRefused:
                if container in await docker.ask(joined, what="reading a network"):
                    raise
        await docker.ask(lambda client: client.api.remove_network(network_id), what="removing the cluster's network")


async def _labels() -> set[str]:
    found = await docker.containers("listing clusters", {"label": _CLUSTER_LABEL})
    return {each.labels[_CLUSTER_LABEL] for each in found}

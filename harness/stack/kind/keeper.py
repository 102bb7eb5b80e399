"""``stack keep`` on the rung kind: a cluster that stays, for runs to use side by side, each in its own namespace."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

import psutil

from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.model.message import Message, ProgressCallback, message, of_error
from harness.model.stack import EnvironmentKind
from harness.stack.kind import at_hand, cluster, config, parts, record
from harness.stack.kind.ground import kept_cluster
from harness.stack.kind.images import build, recipes
from harness.stack.kind.images.load import load
from harness.stack.state.keeping import LeftRunning, PartStatus


async def keep(label: str, clock: Clock, progress: ProgressCallback, source: Path = config.CONFIG) -> record.Cluster:
    """The kept cluster for ``label`` with its metrics, made where none fits. When cancelled, none is left half-way.

    Raises ``StackNotStarted``, ``BadInput``.
    """
    before = record.read(record.name_of(label))
    made = await cluster.ensure(label, clock, progress, kept=True, source=source)
    try:
        await parts.metrics_flow(made, clock)
    except BaseException:
        if made != before:
            await asyncio.shield(cluster.delete(made.name, progress))
        raise
    progress(message("metrics flow; {command}", command=f"export KUBECONFIG={made.kubeconfig}"))
    return made


async def take(label: str, clock: Clock, progress: ProgressCallback, source: Path = config.CONFIG) -> record.Cluster:
    """Take the cluster that a person made by kind of ``source``, with its metrics and the images of the pods.

    Raises ``StackNotStarted``, ``BadInput``.
    """
    made = await cluster.take(label, clock, progress, source=source)
    tags = [await build.ensure(recipe, clock, progress) for recipe in (recipes.api(clock), recipes.sidecar())]
    await load(made.nodes[1:] or made.nodes, tags, record.folder(made.name), progress)
    await parts.metrics_flow(made, clock)
    return made


def ended(name: str) -> Message:
    """Say what becomes of the cluster ``name`` when it is no longer kept; asked before."""
    found = record.read(name)
    if found is None or not found.by_hand:
        return message("deleted")
    return message("given back; {command} deletes it", command=f"kind delete cluster --name {found.by_hand}")


async def keep_for_runs(clock: Clock, progress: ProgressCallback) -> None:
    """Keep the cluster that runs use where it stands. Ctrl-C in the middle leaves nothing."""
    await keep(kept_cluster().removeprefix(record.mark()), clock, progress)


def status() -> LeftRunning | None:
    """Return what the record and Docker tell of the kept cluster, or ``None`` without one. Its parts are its nodes."""
    if not record.recorded():
        return None  # without making anything
    name = kept_cluster()
    if name not in record.recorded():
        return None
    found = record.read(name)
    nodes = [_part(node) for node in found.nodes] if found is not None else []
    return LeftRunning(
        kind="kept",
        rung=EnvironmentKind.KIND,
        run_id=name,
        since_utc=_since(name),
        owner_pid=0,
        used_by=", ".join(record.users(name)),
        trouble=_trouble(found, nodes),
        parts=tuple(nodes),
    )


def down(*, force: bool) -> list[Message]:
    """Delete the kept cluster, also one that is half-created or of another checkout, and say so in one line.

    While runs use it, the last of them deletes it; with ``force`` it is deleted at once.
    """
    if not record.recorded():
        return []
    name = kept_cluster()
    if name not in record.recorded():
        return []
    found = ended(name)
    try:
        asyncio.run(cluster.delete(name, lambda _line: None, force=force))
    except StackNotStarted as error:
        if users := record.users(name):
            record.ask_down(name)
            later = message(
                "the cluster {name}: {users} uses it; it is deleted when the last user has ended",
                name=name, users=", ".join(users),
            )  # fmt: skip
            return [later]
        return [message("the cluster {name} could not be deleted: {why}", name=name, why=of_error(error))]
    return [message("the cluster {name}: {ended}", name=name, ended=found)]


def _since(name: str) -> str:
    written_s = (record.folder(name) / "cluster.json").stat().st_mtime if record.read(name) is not None else 0
    return datetime.fromtimestamp(written_s, UTC).isoformat(timespec="seconds") if written_s else ""


def _trouble(found: record.Cluster | None, nodes: list[PartStatus]) -> Message | None:
    if found is None or not found.complete:
        return message("it is half-created, or its record does not read")
    if dead := [node.part for node in nodes if not node.alive]:
        return message("{nodes} does not run", nodes=", ".join(dead))
    return message("it is of another version of the checkout") if cluster.outdated(found) else None


def _part(node: str) -> PartStatus:
    said = at_hand.ask("inspect", "--format", "{{.State.Pid}}", node)
    pid = int(said) if said and said.isdigit() else 0
    return PartStatus(part=node, pid=pid, alive=pid > 0, memory_bytes=_memory_bytes(pid) if pid else 0)


def _memory_bytes(pid: int) -> int:
    """Of a node's processes, each page shared by some counted once in all; 0 where the system does not let us see."""
    total = 0
    with contextlib.suppress(psutil.Error):
        node = psutil.Process(pid)
        for process in (node, *node.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += getattr(process.memory_full_info(), "pss", 0)
    return total

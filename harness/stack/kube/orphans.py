"""Namespaces that runs of this machine have left on a cluster: swept when their owner is dead; nobody else's ever."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.model.message import Tell, message
from harness.model.stack import OwnCluster
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import ApiServer, Json
from harness.stack.kubernetes.workload import GONE_LIMIT_S, NAMESPACES

_POLL_S = 0.25
OURS = f"{labels.MANAGED}={labels.MANAGER}"


async def sweep(api: ApiServer, progress: Tell) -> list[str]:
    """Begins to delete the namespaces whose owner was a process of this machine and is dead; their names.

    One that ends already, as its run was killed while it took it down, is among them. One of another machine is told
    of and left: whether its owner lives cannot be known here. Raises ``Refused``.
    """
    removed, others = [], []
    for item in (await api.get(NAMESPACES, labelSelector=OURS))["items"]:
        name, marks = item["metadata"]["name"], item["metadata"].get("annotations", {})
        whose = labels.owned(marks)
        if whose is labels.Owned.FOREIGN:
            others.append(name)
        elif whose is labels.Owned.DEAD:
            ending = "deletionTimestamp" in item["metadata"]
            what = (
                message("waiting for the end of namespace {name}", name=name)
                if ending
                else message("removing namespace {name}", name=name)
            )
            progress(message("left by a killed run: {what}", what=what))
            if not ending:
                await api.delete_own(f"{NAMESPACES}/{name}", item["metadata"]["uid"])
            removed.append(name)
    if others:
        progress(labels.left(others))
    return removed


async def of_run(api: ApiServer, run_id: str) -> list[str]:
    """The run's namespaces that are still there, one line each. Raises ``Refused``."""
    items: list[Json] = (await api.get(NAMESPACES, labelSelector=OURS))["items"]
    mine = [item for item in items if item["metadata"].get("annotations", {}).get(labels.RUN) == run_id]
    return [f"namespace/{item['metadata']['name']} is left" for item in mine]


async def take_down(cluster: OwnCluster, scratch: Path, clock: Clock, told: Tell) -> None:
    """``sweep`` by itself; returns when what it removed is gone. Raises ``StackNotStarted``, ``Refused``."""
    with tempfile.TemporaryDirectory(dir=scratch) as keys:
        api = await ApiServer.open(Path(cluster.kubeconfig), cluster.context, Path(keys), clock)
        try:
            removed = set(await sweep(api, told))
            again = polling(clock, limit_s=GONE_LIMIT_S, every_s=_POLL_S)
            while removed & {item["metadata"]["name"] for item in (await api.get(NAMESPACES))["items"]}:
                if not await again():
                    raise StackNotStarted(
                        message(
                            "not gone after {limit_s} s: {names}",
                            limit_s=f"{GONE_LIMIT_S:g}",
                            names=", ".join(sorted(removed)),
                        )
                    )
        finally:
            await api.close()

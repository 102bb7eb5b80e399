"""What the pods' database sidecars are told: their control files, written by containerd on the pods' nodes."""

from __future__ import annotations

import asyncio
import itertools

from harness.base.errors import StackNotStarted
from harness.stack.kind import docker
from harness.stack.kubernetes.pods import Pod
from harness.stack.kubernetes.watching import Watching

#: Where the sidecar of the overlay kind reads what a fault asks for (harness/stack/sidecar.py).
CONTROL = "/tmp/sidecar.control"  # noqa: S108 - inside the sidecar's own container
LEAD = f"{CONTROL}.lead"
CTR = ("ctr", "--namespace", "k8s.io", "tasks")
TELL_LIMIT_S = 15.0
_execs = itertools.count(1)


class Sidecars:
    """Of one run's pods. ``container`` is the sidecar's name in them."""

    def __init__(self, container: str, watching: Watching) -> None:
        self.container = container
        self._watching = watching

    async def write(self, node: str, container: str, text: str, file: str = CONTROL) -> None:
        """``container`` is containerd's id. Raises ``StackNotStarted`` when it is gone."""
        command = (*CTR, "exec", "--exec-id", f"rehearsal-{next(_execs)}", container, "/bin/sh", "-c")
        script = f"printf '%s' '{text}' > {file}.new && mv {file}.new {file}"
        await docker.execute(node, *command, script, what="telling a sidecar", limit_s=TELL_LIMIT_S)

    async def lead_to(self, host: str, port: str) -> None:
        """Every running sidecar leads there from now on. One that ends meanwhile is passed over.

        Raises ``StackNotStarted`` when one that still runs could not be told.
        """
        pods = [pod for pod in self._watching.pods.known.values() if self.container in pod.containers]
        told = await asyncio.gather(*(self._lead(pod, f"{host} {port}") for pod in pods), return_exceptions=True)
        for pod, error in zip(pods, told, strict=True):
            now = self._watching.pods.known.get(pod.name)
            still = now is not None and now.containers.get(self.container) == pod.containers[self.container]
            if isinstance(error, BaseException) and (still or not isinstance(error, StackNotStarted)):
                raise error

    async def _lead(self, pod: Pod, where: str) -> None:
        await self.write(pod.node, pod.containers[self.container], where, LEAD)

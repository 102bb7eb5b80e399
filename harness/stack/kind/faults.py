"""Faults of the kind rung: in front of the Service by the gate, on a pod by killing its container's process.

The gate stands on this machine before the NodePort, where a load balancer in front of the cluster would: one of its
connections is one connection to the Service, so that kube-proxy still chooses the pod and endpoints, iptables and pods
stay untouched. A gate inside the cluster would be one more pod, one more Service and a changed selector.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harness.model.errors import BadInput, NotCapable
from harness.model.stack import GATE_FAULTS, PARTS, Fault, FaultKind
from harness.stack.feed import Feed
from harness.stack.kind import docker
from harness.stack.kind.ground import Ground
from harness.stack.kind.pods import Pods
from harness.stack.protocol import Undo

KILL_LIMIT_S = 15.0


class Faults:
    """Injects and undoes."""

    def __init__(self, ground: Ground, pods: Pods, target: str, feed: Feed) -> None:
        self._ground = ground
        self._pods = pods
        self._target = target
        self._feed = feed

    async def inject(self, fault: Fault) -> Undo:
        """Starts ``fault``. Raises ``BadInput`` when its numbers make no sense, or nothing is there to carry it."""
        if not 0 < fault.share <= 1:
            raise BadInput(f"a fault's share is {fault.share}, not above 0 and at most 1")
        if fault.kind is FaultKind.LATENCY and fault.delay_ms <= 0:
            raise BadInput("a latency fault needs a delay above 0 ms")
        if fault.kind is FaultKind.POD_CRASH:
            return await self._crash(fault)
        if fault.kind is FaultKind.PART_HANG:
            if fault.subject not in PARTS:
                raise BadInput(f"{fault.kind} of {fault.subject!r}", remedy=f"the parts are: {', '.join(PARTS)}")
            part = self._ground.services[fault.subject]
            self._tell(fault)
            await part.pause(on=True)
            return self._once(fault, lambda: part.pause(on=False))
        if fault.kind not in GATE_FAULTS:
            raise NotCapable(f"the rung kind cannot inject {fault.kind}", remedy="use --on local")
        gate = self._ground.gate
        if gate is None:
            raise BadInput(
                f"the fault {fault.kind} needs the gate in front of the service, and this stack has none",
                remedy="name the fault when the run starts (--fault); on kind the gate cannot be put in later",
            )
        self._tell(fault)
        number = await gate.inject(fault)
        return self._once(fault, lambda: gate.undo(number))

    def _once(self, fault: Fault, end: Callable[[], Awaitable[None]]) -> Undo:
        undone = False

        async def undo() -> None:
            nonlocal undone
            if not undone:
                undone = True
                await end()
                self._feed.event("fault", fault.kind, f"undone: {fault}")

        return undo

    async def _crash(self, fault: Fault) -> Undo:
        """SIGKILL of the first process of the target's container, in the ready pod that comes first by name.

        By containerd on its node: from inside, the kernel protects a container's first process from SIGKILL.
        """
        ready = [pod for pod in self._pods.ready() if self._target in pod.containers]
        if not ready:
            raise BadInput("no pod is ready, so none can be crashed")
        pod = ready[0]
        self._tell(fault)
        kill = ("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", pod.containers[self._target])
        await docker.docker("exec", pod.node, *kill, what=f"killing {pod.name}'s process", limit_s=KILL_LIMIT_S)

        async def undo() -> None:
            """The kubelet has undone it already."""

        return undo

    def _tell(self, fault: Fault) -> None:
        self._feed.event("fault", fault.kind, f"injected: {fault}", share=fault.share, delay_ms=fault.delay_ms)

"""Faults of the rung kube: in front of the Service by the fault proxy on this machine, and pods deleted by the API
server.

Signals to a pod's processes need its node, cordons and lost zones other people's nodes: neither is a run's to touch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harness.base.errors import BadInput, NotCapable
from harness.model.message import message
from harness.model.stack import PROXY_FAULTS, Fault, FaultKind
from harness.stack.fault_proxy import FaultProxy
from harness.stack.feed import Feed
from harness.stack.kubernetes.inside import Inside
from harness.stack.protocol import Undo

#: The grace period that a deletion gives, by fault; ``None`` is the pod's own.
_DELETIONS: dict[FaultKind, dict[str, int]] = {
    FaultKind.POD_KILL: {"gracePeriodSeconds": 0},
    FaultKind.POD_DELETE: {},
}


async def inject(fault: Fault, *, fault_proxy: FaultProxy | None, inside: Inside, namespace: str, feed: Feed) -> Undo:
    """Starts ``fault``; of the ready pods the first by name is taken. Raises ``BadInput``, ``NotCapable``."""
    if not 0 < fault.share <= 1:
        raise BadInput(f"a fault's share is {fault.share}, not above 0 and at most 1")
    if fault.kind is FaultKind.LATENCY and fault.delay_ms <= 0:
        raise BadInput("a latency fault needs a delay above 0 ms")
    end: Callable[[], Awaitable[None]] | None = None
    if fault.kind in PROXY_FAULTS:
        if fault_proxy is None:
            raise BadInput(
                f"the fault {fault.kind} needs the fault proxy in front of the service, and this stack has none",
                remedy="name the fault when the run starts (--fault); on kube the fault proxy cannot be put in later",
            )
        front, number = fault_proxy, await fault_proxy.inject(fault)

        async def end() -> None:
            await front.undo(number)

    elif fault.kind in _DELETIONS:
        ready = inside.watching.pods.ready()
        if not ready:
            raise BadInput("no pod is ready, so none can be deleted")
        path = f"/api/v1/namespaces/{namespace}/pods/{ready[0].name}"
        await inside.api.delete(path, **_DELETIONS[fault.kind])
    else:
        raise NotCapable(
            f"the environment kube cannot make the fault {fault.kind}: it would reach beyond the run's namespace",
            remedy="run it with --on kind or --on local",
        )
    feed.event(
        "fault", fault.kind, message("injected: {fault}", fault=fault.told), share=fault.share, delay_ms=fault.delay_ms
    )
    return _once(fault, end, feed)


def _once(fault: Fault, end: Callable[[], Awaitable[None]] | None, feed: Feed) -> Undo:
    undone = False

    async def undo() -> None:
        nonlocal undone
        if not undone:
            undone = True
            if end is not None:
                await end()
            feed.event("fault", fault.kind, message("undone: {fault}", fault=fault.told))

    return undo

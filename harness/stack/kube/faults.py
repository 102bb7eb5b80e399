"""Faults of the rung kube: in front of the Service by the fault proxy on this machine, pods deleted by the API server,
and tables of the run's own database locked by its operator.

Signals to a pod's processes need its node, cordons and lost zones other people's nodes: neither is a run's to touch.
"""

from __future__ import annotations

from harness.base.clock import Clock
from harness.base.errors import BadInput, NotCapable
from harness.model.message import message
from harness.model.stack import PROXY_FAULTS, Fault, FaultKind
from harness.stack.fault_proxy import FaultProxy
from harness.stack.feed import Feed
from harness.stack.injecting import begun, in_front, nothing, sane
from harness.stack.kube.database import KubeDatabase
from harness.stack.kubernetes.inside import Inside
from harness.stack.locking import lock_tables
from harness.stack.protocol import Undo

#: The grace period that a deletion gives, by fault; ``None`` is the pod's own.
_DELETIONS: dict[FaultKind, dict[str, int]] = {
    FaultKind.POD_KILL: {"gracePeriodSeconds": 0},
    FaultKind.POD_DELETE: {},
}


async def inject(
    fault: Fault, *, fault_proxy: FaultProxy | None, inside: Inside, database: KubeDatabase, feed: Feed, clock: Clock
) -> Undo:
    """Starts ``fault``; of the ready pods the first by name is taken. Raises ``BadInput``, ``NotCapable``."""
    sane(fault)
    if fault.kind in PROXY_FAULTS:
        begin = in_front(fault_proxy, fault).inject(fault)
    elif fault.kind in _DELETIONS:
        begin = _delete(inside, _DELETIONS[fault.kind])
    elif fault.kind is FaultKind.DATABASE_LOCKED:
        begin = lock_tables(database.access(), fault.delay_ms / 1000, clock)
    else:
        raise NotCapable(
            message(
                "the environment kube cannot make the fault {kind}: it takes a node, or a process inside a pod",
                kind=str(fault.kind),
            ),
            remedy="run it with --on kind or --on local",
        )
    return await begun(fault, begin, feed)


async def _delete(inside: Inside, query: dict[str, int]) -> Undo:
    ready = inside.watching.pods.ready()
    if not ready:
        raise BadInput("no pod is ready, so none can be deleted")
    await inside.api.delete(f"/api/v1/namespaces/{inside.namespace}/pods/{ready[0].name}", **query)
    return nothing

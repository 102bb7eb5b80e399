"""Faults on pods, sidecars, nodes and outside services of the kind rung, by the API server, containerd and Docker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from harness.base.clock import Clock, polling
from harness.base.errors import BadInput, NotCapable, StackNotStarted
from harness.model.message import message
from harness.model.stack import PARTS, Fault, FaultKind
from harness.stack.failover import fail_over
from harness.stack.feed import Feed
from harness.stack.injecting import none_ready, nothing, until_undone
from harness.stack.kind import beside, docker
from harness.stack.kind.database import KindDatabase
from harness.stack.kind.ground import Ground
from harness.stack.kind.outside import Outside
from harness.stack.kind.sidecars import CTR, Sidecars
from harness.stack.kubernetes.inside import Inside
from harness.stack.kubernetes.labels import ZONE
from harness.stack.kubernetes.pods import Pod
from harness.stack.locking import lock_tables
from harness.stack.manifests import quantity
from harness.stack.protocol import Undo
from harness.stack.waiting import undone_if_broken

KILL_LIMIT_S = 15.0
GONE_LIMIT_S, _AGAIN_S = 10.0, 1.0  # from a container's end until the API server says so
_SLOW_STOPPED_S, _SLOW_RUNNING_S, _CRASH_POLL_S = 0.4, 0.1, 1.0
_BY_SIDECAR = frozenset(
    {
        FaultKind.SIDECAR_KILL,
        FaultKind.SIDECAR_HANG,
        FaultKind.SIDECAR_DELAY,
        FaultKind.DATABASE_SLOW,
        FaultKind.DATABASE_CUT,
    }
)
_FOLLOW_S = 0.2  # between two looks for sidecars that start while the database is slow or cut


class Disturbances:
    """One stack's. Of the ready pods the first by name is taken, unless the fault names one."""

    def __init__(
        self, ground: Ground, inside: Inside, database: KindDatabase, *, sidecars: Sidecars, feed: Feed, clock: Clock
    ) -> None:
        self._ground = ground
        self._api = inside.api
        self._namespace = inside.namespace
        self._watching = inside.watching
        self._database = database
        self._sidecars = sidecars
        self._feed = feed
        self._clock = clock

    async def inject(self, fault: Fault, target: str) -> Undo:
        """``target`` is the container's name. Raises ``BadInput``, ``NotCapable``."""
        sidecar = self._sidecars.container
        if fault.kind in _BY_SIDECAR and not sidecar:
            raise NotCapable(
                message("{kind} acts on the pods' proxy to the database, and they have none", kind=fault.kind),
                remedy="choose another fault: these pods reach the database by themselves",
            )
        delay, held_s = f"delay {fault.delay_ms:g}", fault.delay_ms / 1000
        start: dict[FaultKind, Callable[[], Awaitable[Undo]]] = {
            FaultKind.POD_CRASH: lambda: self._signal(target, "SIGKILL"),
            FaultKind.POD_CRASH_LOOP: lambda: self._crash_loop(target),
            FaultKind.POD_KILL: lambda: self._delete(grace_s=0),
            FaultKind.POD_DELETE: lambda: self._delete(grace_s=None),
            FaultKind.POD_HANG: lambda: self._signal(target, "SIGSTOP", "SIGCONT"),
            FaultKind.POD_CPU: lambda: self._busy(target, fault.subject),
            FaultKind.POD_MEMORY: lambda: self._hold(target, fault.subject, fault.share),
            FaultKind.ZONE_LOSS: lambda: self._lose_zone(fault.subject),
            FaultKind.SIDECAR_KILL: lambda: self._signal(sidecar, "SIGKILL"),
            FaultKind.SIDECAR_HANG: lambda: self._signal(sidecar, "SIGSTOP", "SIGCONT"),
            FaultKind.SIDECAR_DELAY: lambda: self._control(sidecar, [self._pod(sidecar)], delay),
            FaultKind.DATABASE_SLOW: lambda: self._everywhere(sidecar, delay),
            FaultKind.DATABASE_CUT: lambda: self._everywhere(sidecar, "cut"),
            FaultKind.DATABASE_LOCKED: lambda: lock_tables(self._database.access(), held_s, self._clock),
            FaultKind.DATABASE_RESTART: self._restart_database,
            FaultKind.DATABASE_FAILOVER: self._fail_over,
            FaultKind.PART_HANG: lambda: self._pause(fault.subject),
            FaultKind.PART_SLOW: lambda: self._slow(fault.subject),
        }
        if fault.kind not in start:
            raise NotCapable(
                message("the environment kind cannot make the fault {kind}", kind=fault.kind),
                remedy="run it with --on local",
            )
        return await start[fault.kind]()

    # -- pods ----------------------------------------------------------------------------------------------------

    def _pod(self, container: str, name: str = "") -> Pod:
        ready = [pod for pod in self._watching.pods.ready() if container in pod.containers and name in ("", pod.name)]
        if not ready:
            raise none_ready(name)
        return ready[0]

    async def _busy(self, container: str, name: str) -> Undo:
        return await beside.begin(self._pod(container, name), container, "cpu", beside.BUSY)

    async def _hold(self, container: str, name: str, share: float) -> Undo:
        """``share`` of the limit that the API server knows."""
        pod = self._pod(container, name)
        spec = (await self._api.get(f"/api/v1/namespaces/{self._namespace}/pods/{pod.name}"))["spec"]
        limits = next(each for each in spec["containers"] if each["name"] == container).get("resources", {})
        limit = limits.get("limits", {}).get("memory")
        if limit is None:
            raise BadInput("the manifest sets no memory limit, so there is no share of it")
        script = beside.holding(round(float(quantity.parse(limit)) * share))
        return await beside.begin(pod, container, "memory", script)

    async def _signal(self, container: str, begin: str, end: str = "") -> Undo:
        """To the container's first process, by containerd on its node: from inside, the kernel protects it."""
        pod = self._pod(container)
        if not end:
            await self._kill(pod, container, begin)
            return nothing

        async def undo() -> None:
            await self._heard(pod, container, lambda: self._kill(pod, container, end))

        async with undone_if_broken(undo):
            await self._kill(pod, container, begin)
        return undo

    async def _heard(self, pod: Pod, container: str, tell: Callable[[], Awaitable[None]]) -> None:
        """Tells again until it is heard, or the container is gone; the API server learns late that it is. Raises
        ``StackNotStarted`` when one that still runs could not be told."""
        again = polling(self._clock, limit_s=GONE_LIMIT_S, every_s=_AGAIN_S)
        while True:
            try:
                return await tell()
            except StackNotStarted:
                if not self._runs(pod, container):
                    return None
                if not await again():
                    raise

    def _runs(self, pod: Pod, container: str) -> bool:
        """Whether it is still the pod's, as the API server has it."""
        now = self._watching.pods.known.get(pod.name)
        return now is not None and now.containers.get(container) == pod.containers[container]

    async def _crash_loop(self, container: str) -> Undo:
        name = self._pod(container).name

        async def again() -> None:
            while True:
                pod = self._watching.pods.known.get(name)
                if pod is not None and container in pod.containers:
                    with contextlib.suppress(StackNotStarted):  # gone meanwhile
                        await self._kill(pod, container, "SIGKILL")
                await self._clock.sleep(_CRASH_POLL_S)

        return until_undone(again())

    async def _kill(self, pod: Pod, container: str, signal: str) -> None:
        command = (*CTR, "kill", "--signal", signal, pod.containers[container])
        await docker.execute(pod.node, *command, what=f"{signal} to {pod.name}", limit_s=KILL_LIMIT_S)

    async def _delete(self, grace_s: int | None) -> Undo:
        ready = self._watching.pods.ready()
        if not ready:
            raise BadInput("no pod is ready, so none can be deleted")
        query = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        await self._api.delete(f"/api/v1/namespaces/{self._namespace}/pods/{ready[0].name}", **query)
        return nothing

    async def _control(self, container: str, pods: list[Pod], order: str) -> Undo:
        """Told to the sidecars there are; one that starts or ends meanwhile is passed over.

        Raises ``StackNotStarted`` when one that still runs could not be told, or all have ended: then none is told.
        """
        there = [pod for pod in pods if container in pod.containers]

        async def undo() -> None:
            await self._well(container, there)

        async with undone_if_broken(undo):
            told = [await self._told(pod, container, order) for pod in there]
            if told and not any(told):
                raise StackNotStarted(
                    message(
                        "every {container} ended before it could be told {order}",
                        container=container,
                        order=repr(order),
                    )
                )
        return undo

    async def _everywhere(self, container: str, order: str) -> Undo:
        """Told to the sidecars of all ready pods, then to each other that there is or starts until it is undone, within
        ``_FOLLOW_S`` and the part of a second that telling takes. Raises as ``_control``.
        """
        ready, known = self._watching.pods.ready(), self._watching.pods.known
        undo_first = await self._control(container, ready, order)
        seen = {pod.containers[container] for pod in ready if container in pod.containers}
        later: dict[str, Pod] = {}
        undone = asyncio.Event()

        async def follow() -> None:
            while not undone.is_set():
                for pod in [one for one in known.values() if one.containers.get(container, "") not in {"", *seen}]:
                    later[pod.containers[container]] = pod
                    with contextlib.suppress(StackNotStarted):  # tried again
                        await self._told(pod, container, order)
                        seen.add(pod.containers[container])
                await self._clock.sleep(_FOLLOW_S)

        following = asyncio.ensure_future(follow())

        async def undo() -> None:
            undone.set()
            await asyncio.wait({following})  # not cancelled: a word half told could come after what is told now
            try:
                following.result()
            finally:
                try:
                    await self._well(container, later.values())
                finally:
                    await undo_first()

        return undo

    async def _well(self, container: str, pods: Iterable[Pod]) -> None:
        """All of them; then raises what the first said that still runs and could not be told."""
        first = None
        for pod in pods:
            try:
                await self._heard(
                    pod, container, partial(self._sidecars.write, pod.node, pod.containers[container], "")
                )
            except StackNotStarted as error:
                first = first or error
        if first is not None:
            raise first

    async def _told(self, pod: Pod, container: str, order: str) -> bool:
        """False when its container has ended. Raises ``StackNotStarted``."""
        try:
            await self._sidecars.write(pod.node, pod.containers[container], order)
        except StackNotStarted:
            if self._runs(pod, container):
                raise
            return False
        return True

    # -- the database --------------------------------------------------------------------------------------------

    async def _restart_database(self) -> Undo:
        await self._database.restart()
        return nothing

    async def _fail_over(self) -> Undo:
        await fail_over(self._database, self._feed, self._clock)
        return nothing

    # -- nodes and outside services ------------------------------------------------------------------------------

    async def _lose_zone(self, zone: str) -> Undo:
        """Every node of ``zone`` is frozen at once: to the others it is silent, as behind a cut network."""
        nodes = (await self._api.get("/api/v1/nodes"))["items"]
        lost = [node["metadata"]["name"] for node in nodes if node["metadata"]["labels"].get(ZONE) == zone]
        zones = sorted({str(node["metadata"]["labels"].get(ZONE)) for node in nodes} - {"None"})
        if not lost:
            raise BadInput(
                message("no node is in zone {zone}", zone=repr(zone)),
                remedy=message("the zones are: {names}", names=", ".join(zones)),
            )

        async def undo() -> None:
            await _bring_back(lost)

        async with undone_if_broken(undo):
            for name in lost:
                await docker.pause(name, what=f"losing node {name}")
        return undo

    async def _pause(self, part: str) -> Undo:
        service = self._service(part)

        async def undo() -> None:
            await service.pause(on=False)

        async with undone_if_broken(undo):
            await service.pause(on=True)
        return undo

    async def _slow(self, part: str) -> Undo:
        service = self._service(part)
        stop = until_undone(service.stutter(_SLOW_STOPPED_S, _SLOW_RUNNING_S))

        async def undo() -> None:
            try:
                await stop()
            finally:
                await service.pause(on=False)

        return undo

    def _service(self, part: str) -> Outside:
        if part not in PARTS:
            raise BadInput(
                message("there is no part {part}", part=repr(part)),
                remedy=message("the parts are: {names}", names=", ".join(PARTS)),
            )
        return self._ground.services[part]


async def _bring_back(nodes: Sequence[str]) -> None:
    """All of them; then raises what the first said that could not be brought back."""
    first = None
    for name in nodes:
        try:
            await docker.unpause(name, what=f"bringing node {name} back")
        except StackNotStarted as error:
            first = first or error
    if first is not None:
        raise first

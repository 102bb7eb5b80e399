"""Faults on pods, sidecars, nodes and outside services of the kind rung, by the API server, containerd and Docker.

Processes beside a container's own: in its control groups and its process namespace, made of the node's programs.

They count as the container's usage, are bound by its limits, and end with it, whatever its image holds: no shell need
be in it. The node's own `sh`, `head`, `tail` and `nsenter` do the work.
What the pods' database sidecars are told: their control files, written by containerd on the pods' nodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from harness.base.clock import Clock, polling
from harness.base.errors import BadInput, NotCapable, StackNotStarted
from harness.model.message import message
from harness.model.stack import PARTS, Fault, FaultKind
from harness.stack.database.failover import fail_over
from harness.stack.faults.injecting import none_ready, nothing, until_undone
from harness.stack.kind import docker
from harness.stack.kind.ground import ClusterResources, KindDatabase, Outside
from harness.stack.kubernetes.labels import ZONE
from harness.stack.kubernetes.namespace_session import NamespaceSession
from harness.stack.kubernetes.watching import RunningPod, Watching
from harness.stack.manifests import quantity
from harness.stack.process.processes import Feed
from harness.stack.process.waiting import undone_if_broken
from harness.stack.protocol import Undo

BEGIN_LIMIT_S = 60.0
BUSY = "for core in $(seq $(nproc)); do while :; do :; done & done; wait"
#: `tail` keeps the last bytes of what it reads until its input ends.
_HOLD = "{{ head -c {bytes} /dev/zero; exec sleep infinity; }} | tail -c {more} > /dev/null"

# $0 is the container's id, $1 the control group hierarchy of cgroup v1 (v2 has one), $2 what is run. It is the leader
# of a process group, whose number is the answer.
_BEGIN = """
set -eu
pid=$(ctr --namespace k8s.io tasks list | awk -v id="$0" '$1 == id {print $2}')
test -n "$pid"
root=/sys/fs/cgroup
test -e "$root/cgroup.controllers" || root="$root/$1"
groups=$(find "$root/" -path "*$0*" -name cgroup.procs)
test -n "$groups"
setsid sh -c '
  for group in $2; do echo $$ > "$group"; done
  exec nsenter --target "$0" --pid -- sh -c "$1"
' "$pid" "$2" "$groups" < /dev/null > /dev/null 2>&1 &
echo $!
"""
#: Well too when it ended with its container.
_END = "kill -s KILL -- -{group} || test ! -e /proc/{group}"


def holding(amount_bytes: int) -> str:
    """A script that holds so much memory until it is ended."""
    return _HOLD.format(bytes=amount_bytes, more=amount_bytes + 1)


async def begin(pod: RunningPod, container: str, hierarchy: str, script: str) -> Undo:
    """Runs ``script`` beside ``container``; ``hierarchy`` is where cgroup v1 counts it: ``cpu`` or ``memory``.

    The undo ends it, and raises as this does when it cannot. Raises ``StackNotStarted``.
    """
    command = ("sh", "-c", _BEGIN, pod.containers[container], hierarchy, script)
    said = await docker.execute(pod.node, *command, what=f"a process beside {pod.name}", limit_s=BEGIN_LIMIT_S)
    group = int(said)

    async def undo() -> None:
        await docker.execute(pod.node, "sh", "-c", _END.format(group=group), what=f"ending it on {pod.node}")

    return undo


#: Where the sidecar of the overlay kind reads what a fault asks for (harness/stack/database/sidecar.py).
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

    async def _lead(self, pod: RunningPod, where: str) -> None:
        await self.write(pod.node, pod.containers[self.container], where, LEAD)


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


class KindDisturbances:
    """One stack's. Of the ready pods the first by name is taken, unless the fault names one."""

    def __init__(
        self,
        ground: ClusterResources,
        inside: NamespaceSession,
        database: KindDatabase,
        *,
        sidecars: Sidecars,
        feed: Feed,
        clock: Clock,
    ) -> None:
        self._ground = ground
        self._api = inside.api
        self._namespace = inside.namespace
        self._watching = inside.watching
        self._database = database
        self._sidecars = sidecars
        self._feed = feed
        self._clock = clock

    async def inject(self, fault: Fault, target: str, otherwise: Callable[[Fault], Awaitable[Undo]]) -> Undo:
        """``target`` is the container's name; ``otherwise`` begins what any cluster can. Raises ``BadInput``,
        ``NotCapable``."""
        sidecar = self._sidecars.container
        if fault.kind in _BY_SIDECAR and not sidecar:
            raise NotCapable(
                message("{kind} acts on the pods' proxy to the database, and they have none", kind=fault.kind),
                remedy="choose another fault: these pods reach the database by themselves",
            )
        delay = f"delay {fault.delay_ms:g}"
        start: dict[FaultKind, Callable[[], Awaitable[Undo]]] = {
            FaultKind.POD_CRASH: lambda: self._signal(target, "SIGKILL"),
            FaultKind.POD_CRASH_LOOP: lambda: self._crash_loop(target),
            FaultKind.POD_HANG: lambda: self._signal(target, "SIGSTOP", "SIGCONT"),
            FaultKind.POD_CPU: lambda: self._busy(target, fault.subject),
            FaultKind.POD_MEMORY: lambda: self._hold(target, fault.subject, fault.share),
            FaultKind.ZONE_LOSS: lambda: self._lose_zone(fault.subject),
            FaultKind.SIDECAR_KILL: lambda: self._signal(sidecar, "SIGKILL"),
            FaultKind.SIDECAR_HANG: lambda: self._signal(sidecar, "SIGSTOP", "SIGCONT"),
            FaultKind.SIDECAR_DELAY: lambda: self._control(sidecar, [self._pod(sidecar)], delay),
            FaultKind.DATABASE_SLOW: lambda: self._everywhere(sidecar, delay),
            FaultKind.DATABASE_CUT: lambda: self._everywhere(sidecar, "cut"),
            FaultKind.DATABASE_RESTART: self._restart_database,
            FaultKind.DATABASE_FAILOVER: self._fail_over,
            FaultKind.PART_HANG: lambda: self._pause(fault.subject),
            FaultKind.PART_SLOW: lambda: self._slow(fault.subject),
        }
        return await (start[fault.kind]() if fault.kind in start else otherwise(fault))

    # -- pods ----------------------------------------------------------------------------------------------------

    def _pod(self, container: str, name: str = "") -> RunningPod:
        ready = [pod for pod in self._watching.pods.ready() if container in pod.containers and name in ("", pod.name)]
        if not ready:
            raise none_ready(name)
        return ready[0]

    async def _busy(self, container: str, name: str) -> Undo:
        return await begin(self._pod(container, name), container, "cpu", BUSY)

    async def _hold(self, container: str, name: str, share: float) -> Undo:
        """``share`` of the limit that the API server knows."""
        pod = self._pod(container, name)
        spec = (await self._api.get(f"/api/v1/namespaces/{self._namespace}/pods/{pod.name}"))["spec"]
        limits = next(each for each in spec["containers"] if each["name"] == container).get("resources", {})
        limit = limits.get("limits", {}).get("memory")
        if limit is None:
            raise BadInput("the manifest sets no memory limit, so there is no share of it")
        script = holding(round(float(quantity.parse(limit)) * share))
        return await begin(pod, container, "memory", script)

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

    async def _heard(self, pod: RunningPod, container: str, tell: Callable[[], Awaitable[None]]) -> None:
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

    def _runs(self, pod: RunningPod, container: str) -> bool:
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

    async def _kill(self, pod: RunningPod, container: str, signal: str) -> None:
        command = (*CTR, "kill", "--signal", signal, pod.containers[container])
        await docker.execute(pod.node, *command, what=f"{signal} to {pod.name}", limit_s=KILL_LIMIT_S)

    async def _control(self, container: str, pods: list[RunningPod], order: str) -> Undo:
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
        later: dict[str, RunningPod] = {}
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

    async def _well(self, container: str, pods: Iterable[RunningPod]) -> None:
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

    async def _told(self, pod: RunningPod, container: str, order: str) -> bool:
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

"""The disaster on the whole stack under load: the document's procedure as written, then as corrected.

data folder lost -> probes notice -> restored into a new instance, verified -> step 2 and 3 as written (watched for a
while) -> the sidecar's instance switched in the Deployment -> pods replaced -> restarted in order -> traffic judged.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from harness.clock import NS, Clock
from harness.model.errors import StackNotStarted
from harness.model.manifests import Manifests
from harness.model.recovery import RecoveryPlan
from harness.model.rollout import rollout_template
from harness.model.stack import DatabaseAccess
from harness.recovery import backup, sentinel
from harness.recovery.archive import Archive, Stream
from harness.recovery.restore import Point, Restored, Serve, Source, restore
from harness.recovery.result import CaseResult, Check, Loss
from harness.recovery.sentinel import Sentinels, closing, loss, recovered
from harness.recovery.server import Server
from harness.recovery.site import Site
from harness.recovery.traffic import Seen, Traffic
from harness.stack.protocol import Stack

INSTANCE = "PROJECT_ID:REGION:INSTANCE_NAME-restored"
DETECT_LIMIT_S = 60.0
READY_LIMIT_S = 180.0


def in_place(_: Stack) -> Serve:
    """Restored instances are processes of this machine, as the stack's own PostgreSQL."""
    return Server


class OnStack(msgspec.Struct, frozen=True, kw_only=True):
    """What the stack showed. ``written_good``: probes that were good while the procedure as written was watched."""

    case: CaseResult
    restored_archiving: str  # the new instance's archive_mode: whether anything backs it up
    written_s: float
    written_done: bool
    written_seen: Seen
    restart_s: float
    restart_seen: Seen
    before: Seen
    after: Seen


class StackRecovery:
    """One rehearsal on a stack that ``run`` brings up; the caller takes it down, then the site."""

    def __init__(
        self,
        plan: RecoveryPlan,
        stack: Stack,
        manifests: Manifests,
        site: Site,
        *,
        run_id: str,
        seed: int,
        folder: Path,
        clock: Clock,
        progress: Callable[[str], None],
        serve: Callable[[Stack], Serve],
    ) -> None:
        """``serve`` makes the restored instance, once the stack is up."""
        self.plan = plan
        self.stack = stack
        self.manifests = manifests
        self.site = site
        self.clock = clock
        self.progress = progress
        self.serve = serve
        self.result: OnStack | None = None
        self._run_id = run_id
        self._seed = seed
        self._folder = folder
        self._ends: list[Any] = []

    async def run(self) -> OnStack:
        """The whole. Raises ``StackNotStarted``, ``PartDied``."""
        await self.stack.up()
        await self.stack.set_flag(rollout_template(self.plan.traffic.population))
        traffic = Traffic(
            self.stack,
            self.plan.traffic,
            run_id=self._run_id,
            seed=self._seed,
            folder=self._folder,
            clock=self.clock,
        )
        self._ends.append(traffic.end)
        await traffic.supervise(self._flow(traffic))
        assert self.result is not None
        return self.result

    async def end(self) -> None:
        """Load, sentinels, stream and the restored instance; each whatever became of the others."""
        ends, self._ends = self._ends, []
        found = await asyncio.gather(*(end() for end in ends), return_exceptions=True)
        for error in found:
            if isinstance(error, BaseException):
                raise error

    async def _flow(self, traffic: Traffic) -> None:
        access = self.stack.database().access()
        source, sentinels, stream = await self._protect(access)
        self._serve = self.serve(self.stack)  # before the disaster: of the image of what is about to be lost
        await traffic.begin()
        begun_ns = self.clock.now_ns() + NS
        await self.clock.sleep(1 + self.plan.traffic.before_s)
        disaster_ns = traffic.event("fault", "database", "the server is killed and its data folder lost")
        self.progress("disaster: the data folder is lost")
        await self.stack.database().lose()
        detected_ns = await traffic.blackout(disaster_ns, DETECT_LIMIT_S)
        traffic.event("phase", "detected", "five seconds without one good probe")
        await stream.stop()
        restored = await self._restored(source, traffic)
        lost, checks = await self._verified(restored, sentinels, disaster_ns, traffic)
        await self.stack.database().register(INSTANCE, restored.server.address)
        written = await self._as_written(traffic)
        switch_s, ready_s = await self._as_corrected(traffic)
        restart_s, restart_seen = await self._restarted(traffic)
        after_ns = traffic.event("phase", "window", "traffic judged again")
        await self.clock.sleep(self.plan.traffic.after_s + self.plan.traffic.probes.timeout_s)
        traffic.evidence.gather()
        self.result = OnStack(
            case=_case(restored, lost, checks, (detected_ns - disaster_ns) / NS, switch_s, ready_s),
            restored_archiving=await self._archiving(restored),
            written_s=written[0],
            written_done=written[1],
            written_seen=written[2],
            restart_s=restart_s,
            restart_seen=restart_seen,
            before=traffic.seen(begun_ns, disaster_ns),
            after=traffic.seen(after_ns, after_ns + round(self.plan.traffic.after_s * NS)),
        )

    async def _protect(self, access: DatabaseAccess) -> tuple[Source, Sentinels, Stream]:
        """Stream, base backup and sentinels on the stack's database."""

        async def connect() -> asyncpg.Connection:
            return await asyncpg.connect(
                host=access.address.host,
                port=access.address.port,
                user=access.superuser,
                password=access.password,
                database=access.database,
                ssl=False,
                timeout=2,
            )

        connection = await connect()
        try:
            await connection.execute(sentinel.SCHEMA)
        finally:
            await closing(connection)
        archive = Archive(self.site, "stack-archive")
        stream = Stream(archive, access.address, access.password, "stack-stream")
        self._ends.append(stream.stop)
        await stream.start()
        taken = await backup.take(self.site, access.address, access.password, "stack-backup")
        sentinels = Sentinels(self.clock, connect, self.plan.sentinel_every_s)
        self._ends.append(sentinels.stop)
        sentinels.start()
        return Source(backup=taken, archive=archive, password=access.password), sentinels, stream

    async def _restored(self, source: Source, traffic: Traffic) -> Restored:
        """Step 1: 特定時点に復元, into a new instance."""
        restored = await restore(self.site, source, Point(), "stack-restored", serve=self._serve)
        self._ends.append(restored.server.stop)
        traffic.event("component", "database", f"restored on {restored.server.address}")
        self.progress(f"restored in {restored.restore_s:.1f} s, replayed in {restored.replay_s:.1f} s")
        return restored

    async def _verified(
        self, restored: Restored, sentinels: Sentinels, disaster_ns: int, traffic: Traffic
    ) -> tuple[Loss, list[Check]]:
        """Before any traffic: the sentinels, and the users' acknowledged walks up to the last one recovered."""
        await sentinels.stop()
        connection = await restored.server.connect()
        try:
            found = await recovered(connection)
            walks = {str(row["id"]) for row in await connection.fetch("SELECT id FROM walks")}
        finally:
            await closing(connection)
        lost = loss(disaster_ns, sentinels.acknowledged, sentinels.sent, found)
        last_ns = max((each.sent_ns for each in sentinels.acknowledged if each.n in found), default=0)
        wanted = traffic.walks_written_before(last_ns)
        missing = wanted - walks
        told = (
            f"{lost.recovered} of {lost.acknowledged} recovered, {len(lost.holes)} holes, {len(lost.unknown)} unknown"
        )
        return lost, [
            Check(
                name="an unbroken prefix of the acknowledged commits", ok=lost.exact and lost.recovered > 0, told=told
            ),
            Check(
                name="the users' walks acknowledged before the last recovered commit",
                ok=bool(wanted) and not missing,
                told=f"{len(wanted) - len(missing)} of {len(wanted)} are there",
            ),
        ]

    async def _archiving(self, restored: Restored) -> str:
        connection = await restored.server.connect()
        try:
            return str(await connection.fetchval("SHOW archive_mode"))
        finally:
            await closing(connection)

    async def _as_written(self, traffic: Traffic) -> tuple[float, bool, Seen]:
        """Steps 2 and 3 as the document has them, with db_host as it must stay behind the proxy: localhost."""
        begun_ns = traffic.event("phase", "as written", "kubectl rollout restart; db_host is the sidecar")
        self.progress(f"the procedure as written, watched for {self.plan.traffic.written_limit_s:g} s")
        done = False
        try:
            async with asyncio.timeout(self.plan.traffic.written_limit_s):
                await self.stack.restart()
                done = True
        except (TimeoutError, StackNotStarted):
            pass
        end_ns = traffic.event("phase", "as written", "ended" if done else "given up")
        return (end_ns - begun_ns) / NS, done, traffic.seen(begun_ns, end_ns)

    async def _as_corrected(self, traffic: Traffic) -> tuple[float, float]:
        """The instance in the sidecar's argument, applied: the pods are replaced by it. Seconds of switch and ready."""
        begun_ns = traffic.event("phase", "as corrected", f"the sidecar's instance is {INSTANCE}")
        applied = asyncio.ensure_future(self.stack.apply(led_to(self.manifests, INSTANCE)))
        try:
            good_ns = await traffic.first_good(begun_ns, READY_LIMIT_S)
            await applied
        finally:
            applied.cancel()
            await asyncio.gather(applied, return_exceptions=True)
        ready_ns = traffic.event("phase", "recovered", "all pods are ready")
        self.progress(f"the first good answer {(good_ns - begun_ns) / NS:.1f} s after the switch")
        return (good_ns - begun_ns) / NS, max(0.0, (ready_ns - good_ns) / NS)

    async def _restarted(self, traffic: Traffic) -> tuple[float, Seen]:
        """Deployment再起動（5-10分）: measured on pods that can become ready."""
        begun_ns = traffic.event("phase", "restart", "kubectl rollout restart")
        await self.stack.restart()
        end_ns = traffic.event("phase", "restart", "complete")
        self.progress(f"restarted in {(end_ns - begun_ns) / NS:.1f} s")
        return (end_ns - begun_ns) / NS, traffic.seen(begun_ns, end_ns)


def _case(  # noqa: PLR0917 - the parts of an RTO, in their order
    restored: Restored, lost: Loss, checks: list[Check], detect_s: float, switch_s: float, ready_s: float
) -> CaseResult:
    return CaseResult(
        id="stack_lost_data_folder",
        title="under load: the server dies and its data folder is lost",
        with_stack=True,
        point=str(restored.point),
        loss=lost,
        rto_s={
            "detect": detect_s,
            "restore": restored.restore_s,
            "replay": restored.replay_s,
            "switch": switch_s,
            "ready": ready_s,
        },
        checks=tuple(checks),
    )


def led_to(manifests: Manifests, instance: str) -> Manifests:
    """The manifests with ``instance`` in the sidecar's last argument, in both their forms; the digest changes too."""
    template = manifests.deployment.template
    first, *sidecars = template.containers
    moved = tuple(
        msgspec.structs.replace(each, args=(*each.args[:-1], instance)) if each.args else each for each in sidecars
    )
    documents = copy.deepcopy(manifests.documents)
    pod = documents[f"Deployment/{manifests.deployment.name}"]["spec"]["template"]["spec"]
    for container in (*pod["containers"][1:], *pod.get("initContainers", [])):
        if container.get("args"):
            container["args"] = [*container["args"][:-1], instance]
    digest = f"{template.digest[:8]}-{instance.rpartition('-')[2]}"
    changed = msgspec.structs.replace(template, containers=(first, *moved), digest=digest)
    deployment = msgspec.structs.replace(manifests.deployment, template=changed)
    return msgspec.structs.replace(manifests, deployment=deployment, documents=documents)

"""The disaster on the whole stack under load: the document's procedure as written, then as corrected.

data folder lost -> probes notice -> restored into a new instance, verified -> step 2 and 3 as written (the ConfigMap
applied, pods restarted, watched for a while) -> the sidecar's instance switched in the Deployment -> pods replaced ->
restarted in order -> traffic judged.
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
from harness.model.manifests import Manifests
from harness.model.recovery import RecoveryPlan
from harness.model.rollout import rollout_template
from harness.model.stack import DatabaseAccess
from harness.recovery import backup, sentinel
from harness.recovery.archive import Archive, Stream
from harness.recovery.procedure import KEY, as_written
from harness.recovery.restore import Point, Restored, Serve, Source, restore
from harness.recovery.result import Check, Loss
from harness.recovery.sentinel import Sentinels, closing, loss, recovered
from harness.recovery.server import Server
from harness.recovery.site import Site
from harness.recovery.stack_result import OnStack, case_of
from harness.recovery.traffic import Seen, Traffic
from harness.recovery.verification import Phones, archive_mode, as_of, sessions, verified
from harness.stack.protocol import Stack

INSTANCE = "PROJECT_ID:REGION:INSTANCE_NAME-restored"
DETECT_LIMIT_S = 60.0
READY_LIMIT_S = 180.0


def in_place(_: Stack) -> Serve:
    """Restored instances are processes of this machine, as the stack's own PostgreSQL."""
    return Server


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
        struck_ns = traffic.event("fault", "database", "the server is killed and its data folder lost")
        self.progress("disaster: the data folder is lost")
        await self.stack.database().kill()
        dead_ns = traffic.event("fault", "database", "the server is dead")
        await self.stack.database().lose()
        traffic.event("fault", "database", "its data folder is gone")
        detected_ns = await traffic.blackout(struck_ns, DETECT_LIMIT_S)
        traffic.event("phase", "detected", "five seconds without one good probe")
        await stream.stop()
        restored = await self._restored(source, traffic)
        begun_verify_ns = self.clock.now_ns()
        lost, checks = await self._verified(restored, sentinels, (struck_ns, dead_ns), traffic)
        verify_s = (traffic.event("phase", "verified", "before any traffic") - begun_verify_ns) / NS
        begun_register_ns = self.clock.now_ns()
        await self.stack.database().register(INSTANCE, restored.server.address)
        register_s = (traffic.event("phase", "registered", INSTANCE) - begun_register_ns) / NS
        written_s, written_done, written_told, written_seen = await self._as_written(traffic)
        written_sessions = await self._sessions(restored)
        switch_s, ready_s = await self._as_corrected(traffic)
        corrected_sessions = await self._sessions(restored)
        restart_s, restart_seen = await self._restarted(traffic)
        after_ns = traffic.event("phase", "window", "traffic judged again")
        await self.clock.sleep(self.plan.traffic.after_s + self.plan.traffic.probes.timeout_s)
        traffic.evidence.gather()
        detect_s = (detected_ns - struck_ns) / NS
        self.result = OnStack(
            case=case_of(restored, lost, checks, detect_s, register_s + switch_s, ready_s),
            restored_archiving=await archive_mode(restored.server),
            written_s=written_s,
            written_done=written_done,
            written_told=written_told,
            written_sessions=written_sessions,
            written_seen=written_seen,
            corrected_sessions=corrected_sessions,
            verify_s=verify_s,
            register_s=register_s,
            restart_s=restart_s,
            restart_seen=restart_seen,
            before=traffic.seen(begun_ns, struck_ns),
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
        self, restored: Restored, sentinels: Sentinels, disaster_ns: tuple[int, int], traffic: Traffic
    ) -> tuple[Loss, list[Check]]:
        """Before any traffic: the sentinels, and what phones wrote up to the last one recovered.

        ``disaster_ns``: when it was begun, and when the server was known dead. A backend may outlive the server's first
        process for a moment: what it acknowledged was before the end.
        """
        await sentinels.stop()
        struck_ns, dead_ns = disaster_ns
        gone_ns = max([dead_ns, *(each.acknowledged_ns for each in sentinels.acknowledged[-1:])])
        connection = await restored.server.connect()
        try:
            found = await recovered(connection)
        finally:
            await closing(connection)
        lost = loss(struck_ns, gone_ns, sentinels.acknowledged, sentinels.sent, found)
        last_ns = max((each.sent_ns for each in sentinels.acknowledged if each.n in found), default=0)
        traffic.evidence.gather()
        endpoints = self.stack.endpoints()
        phones = Phones(
            population=self.plan.traffic.population,
            probes=self.plan.traffic.probes,
            seed=self._seed,
            anchor_unix_ns=self.clock.anchor.unix_ns,
            bucket=endpoints.storage_bucket,
        )
        rows = as_of(traffic.evidence.requests, last_ns, gone_ns)
        content = await verified(restored.server, endpoints, phones, rows)
        prefix = (
            f"{lost.recovered} of {lost.acknowledged} recovered, {len(lost.holes)} holes, {len(lost.unknown)} unknown"
        )
        exact = Check(
            name="an unbroken prefix of the acknowledged commits", ok=lost.exact and lost.recovered > 0, told=prefix
        )
        return lost, [exact, *content]

    async def _sessions(self, restored: Restored) -> int:
        return await sessions(restored.server, self.stack.endpoints().database_user)

    async def _as_written(self, traffic: Traffic) -> tuple[float, bool, str, Seen]:
        """Steps 2 and 3 as the document has them: seconds, whether the pods became ready, what was written."""
        limit_s = self.plan.traffic.written_limit_s
        begun_ns = traffic.event("phase", "as written", f"the endpoint into {KEY}, then restarted")
        self.progress(f"the procedure as written, watched for {limit_s:g} s")
        done, told = await as_written(self.stack, self.manifests, traffic, limit_s)
        end_ns = traffic.event("phase", "as written", "ended" if done else "given up")
        return (end_ns - begun_ns) / NS, done, told, traffic.seen(begun_ns, end_ns)

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

"""The disaster on the whole stack under load: the document's procedure as written, then as corrected.

data folder lost -> probes notice -> restored into a new instance, verified -> step 2 and 3 as written (the ConfigMap
applied, pods restarted, watched for a while) -> the sidecar's instance switched in the Deployment -> pods replaced ->
restarted in order -> traffic judged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg

from harness.base.clock import NS
from harness.model.message import message, verbatim
from harness.model.stack import DatabaseAccess
from harness.rehearsal.running import Running
from harness.rehearsals.dr_restore import backup, sentinel
from harness.rehearsals.dr_restore.archive import Archive, Stream
from harness.rehearsals.dr_restore.cases import Check, Loss
from harness.rehearsals.dr_restore.corrected import INSTANCE, as_corrected, led_to, restarted
from harness.rehearsals.dr_restore.procedure import KEY, Reached, as_written
from harness.rehearsals.dr_restore.restore import Point, Restored, Serve, Source, restore
from harness.rehearsals.dr_restore.sentinel import Sentinels, closing, loss, recovered
from harness.rehearsals.dr_restore.server import Server
from harness.rehearsals.dr_restore.stack_result import AsCorrected, AsWritten, OnStack, Restart, case_of
from harness.rehearsals.dr_restore.traffic import Calls, Traffic
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.rehearsals.dr_restore.verification import Held, Phones, archive_mode, sessions, verified
from harness.stack.protocol import Stack
from harness.stack.site import Site

DETECT_LIMIT_S = 60.0
#: Below what the rungs give a rollout (180 s): pods that never answer are a result of the procedure, not of the stack.
GOOD_LIMIT_S = 150.0


def in_place(_: Stack) -> Serve:
    """Restored instances are processes of this machine, as the stack's own PostgreSQL."""
    return Server


class StackRecovery:
    """One disaster on the run's stack, which is up. ``serve`` makes the restored instance. Raises ``BadInput`` as
    ``led_to``.
    """

    def __init__(self, plan: RecoveryPlan, on: Running[Any], site: Site, *, serve: Callable[[Stack], Serve]) -> None:
        self.plan = plan
        self.on = on
        self.stack = on.stack
        self.site = site
        self.clock = on.clock
        self.serve = serve(on.stack)  # before the disaster: of the image of what is about to be lost
        self._moved = led_to(on.manifests, INSTANCE)

    async def run(self) -> OnStack:
        """The whole. Raises ``StackNotStarted``, ``PartDied``, ``NotInTime``."""
        traffic = Traffic(self.on, self.plan.traffic)
        await traffic.flag_on()
        return await self._flow(traffic)

    async def _flow(self, traffic: Traffic) -> OnStack:
        access = self.stack.database().access()
        source, sentinels, stream, lost_archiving = await self._protect(access)
        await traffic.begin()
        begun_ns = self.clock.now_ns() + NS
        await self.clock.sleep(1 + self.plan.traffic.before_s)
        struck_ns, dead_ns, detected_ns = await self._struck(traffic)
        await stream.stop()
        restored = await self._restored(source, traffic)
        begun_verify_ns = self.clock.now_ns()
        lost, checks = await self._verified(restored, sentinels, (struck_ns, dead_ns), traffic)
        verify_s = (traffic.event("phase", "verified", message("before any traffic")) - begun_verify_ns) / NS
        begun_register_ns = self.clock.now_ns()
        await self.stack.database().register(INSTANCE, restored.server.address)
        register_s = (traffic.event("phase", "registered", verbatim(INSTANCE)) - begun_register_ns) / NS
        written = await self._as_written(traffic, restored)
        corrected = await self._as_corrected(traffic, restored)
        restart, after = None, None
        if corrected.first_good_s is not None:
            restart, after = await self._restarted(traffic)
        detect_s = (detected_ns - struck_ns) / NS
        return OnStack(
            case=case_of(restored, lost, checks, detect_s, register_s, corrected),
            lost_archiving=lost_archiving,
            restored_archiving=await self._archiving(restored),
            written=written,
            corrected=corrected,
            verify_s=verify_s,
            register_s=register_s,
            restart=restart,
            before=traffic.seen(begun_ns, struck_ns),
            after=after,
        )

    async def _struck(self, traffic: Traffic) -> tuple[int, int, int]:
        """The disaster: when it was begun, when the server was known dead, when the probes had noticed."""
        struck_ns = traffic.event("fault", "database", message("the server is killed and its data folder lost"))
        self.on.say(message("disaster: the data folder is lost"))
        dead_ns = await self.stack.database().kill()
        after = message("the server is dead since {seconds} s after that", seconds=f"{(dead_ns - struck_ns) / NS:.3f}")
        traffic.event("fault", "database", after)
        await self.stack.database().lose()
        traffic.event("fault", "database", message("its data folder is gone"))
        detected_ns = await traffic.blackout(struck_ns, DETECT_LIMIT_S)
        traffic.event("phase", "detected", message("five seconds without one good probe"))
        return struck_ns, dead_ns, detected_ns

    async def _protect(self, access: DatabaseAccess) -> tuple[Source, Sentinels, Stream, str]:
        """Stream, base backup and sentinels on the stack's database; and the archive_mode it had without us."""

        async def connect() -> asyncpg.Connection:
            return await asyncpg.connect(**access.login, timeout=2)

        connection = await connect()
        try:
            archiving = await archive_mode(connection)
            await connection.execute(sentinel.SCHEMA)
        finally:
            await closing(connection)
        archive = Archive(self.site, "stack-archive")
        stream = Stream(archive, access.address, access.password, "stack-stream")
        self.on.at_end(stream.stop)
        await stream.start()
        taken = await backup.take(self.site, access.address, access.password, "stack-backup")
        sentinels = Sentinels(self.clock, connect, self.plan.sentinel_every_s)
        self.on.at_end(sentinels.stop)
        sentinels.start()
        return Source(backup=taken, archive=archive, password=access.password), sentinels, stream, archiving

    async def _restored(self, source: Source, traffic: Traffic) -> Restored:
        """Step 1: 特定時点に復元, into a new instance."""
        restored = await restore(self.site, source, Point(), "stack-restored", serve=self.serve)
        self.on.at_end(restored.server.stop)
        traffic.event("component", "database", message("restored on {address}", address=str(restored.server.address)))
        took, replayed = f"{restored.restore_s:.1f}", f"{restored.replay_s:.1f}"
        self.on.say(message("restored in {restore} s, replayed in {replay} s", restore=took, replay=replayed))
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
            seed=self.on.options.seed,
            anchor_unix_ns=self.clock.anchor.unix_ns,
            bucket=endpoints.storage_bucket,
        )
        held = Held.of(traffic.evidence.requests, traffic.evidence.probes, last_ns, gone_ns)
        content = await verified(restored.server, endpoints, phones, held)
        name = message("an unbroken prefix of the acknowledged commits")
        exact = Check(name=name, ok=lost.exact and lost.recovered > 0, told=lost.told)
        return lost, [exact, *content]

    async def _sessions(self, restored: Restored) -> int:
        return await sessions(restored.server, self.stack.endpoints().database_user)

    async def _archiving(self, restored: Restored) -> str:
        connection = await restored.server.connect()
        try:
            return await archive_mode(connection)
        finally:
            await closing(connection)

    async def _as_written(self, traffic: Traffic, restored: Restored) -> AsWritten:
        """Steps 2 and 3 as the document has them, watched until the pods are ready or the time is over."""
        limit_s = self.plan.traffic.written_limit_s
        begun_ns = traffic.event("phase", "as written", message("the endpoint into {key}, then restarted", key=KEY))
        self.on.say(message("the procedure as written, watched for {seconds} s", seconds=f"{limit_s:g}"))
        steps = await as_written(self.stack, self.on.manifests, traffic, limit_s)
        ended = message("ended") if steps.reached is Reached.READY else message("given up")
        end_ns = traffic.event("phase", "as written", ended)
        return AsWritten(
            steps=steps,
            watched_s=(end_ns - begun_ns) / NS,
            sessions=await self._sessions(restored),
            seen=traffic.seen(begun_ns, end_ns),
        )

    async def _as_corrected(self, traffic: Traffic, restored: Restored) -> AsCorrected:
        """The instance in the sidecar's argument, applied: the pods are replaced by it."""
        begun_ns = traffic.event(
            "phase", "as corrected", message("the sidecar's instance is {instance}", instance=INSTANCE)
        )
        good_ns = await as_corrected(self.stack, self._moved, traffic.first_good(begun_ns, GOOD_LIMIT_S))
        if good_ns is None:
            none = message("no good answer in {seconds} s", seconds=f"{GOOD_LIMIT_S:g}")
            end_ns = traffic.event("phase", "given up", none)
            self.on.say(message("no good answer in {seconds} s after the switch", seconds=f"{GOOD_LIMIT_S:g}"))
        else:
            end_ns = traffic.event("phase", "recovered", message("all pods are ready"))
            after_s = f"{(good_ns - begun_ns) / NS:.1f}"
            self.on.say(message("the first good answer {seconds} s after the switch", seconds=after_s))
        return AsCorrected(
            first_good_s=None if good_ns is None else (good_ns - begun_ns) / NS,
            waited_s=(end_ns - begun_ns) / NS,
            ready_s=0.0 if good_ns is None else max(0.0, (end_ns - good_ns) / NS),
            sessions=await self._sessions(restored),
            seen=traffic.seen(begun_ns, end_ns),
        )

    async def _restarted(self, traffic: Traffic) -> tuple[Restart, Calls]:
        """The restart, and the traffic judged again; by then what was due in the restart is answered or given up."""
        window, why = await restarted(self.stack, traffic)
        took_s = (window.end_ns - window.start_ns) / NS
        if why:
            self.on.say(message("not restarted in {seconds} s: {why}", seconds=f"{took_s:.0f}", why=why))
        else:
            self.on.say(message("restarted in {seconds} s", seconds=f"{took_s:.1f}"))
        after = await self._judged_again(traffic)
        return Restart(took_s=took_s, seen=traffic.seen(window.start_ns, window.end_ns), why=why), after

    async def _judged_again(self, traffic: Traffic) -> Calls:
        after_ns = traffic.event("phase", "window", message("traffic judged again"))
        await self.clock.sleep(self.plan.traffic.after_s + traffic.last_answer_s)
        traffic.evidence.gather()
        return traffic.seen(after_ns, after_ns + round(self.plan.traffic.after_s * NS))

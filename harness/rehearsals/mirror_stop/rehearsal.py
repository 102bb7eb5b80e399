"""The stepwise stop of the mirror: a pod killed with a full queue, then load, and a step for each share.

It runs what the document writes after week 4, and shows what a roll back by the flag would then lose. Writes queued in
the killed pod are acknowledged to their users, in PostgreSQL, and never in Firestore.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import msgspec

from harness.base.clock import NS, Clock, polling
from harness.base.errors import PartDied
from harness.base.seed import stream
from harness.base.theirs import read_json
from harness.checks.dual_write import document_id
from harness.checks.mirror_facts import expected as of_steps
from harness.checks.stores import read_walks
from harness.load.population.ids import uuid4_text
from harness.load.users import Users, UsersPlan
from harness.model.judgement import Expected
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import RunInfo
from harness.model.stack import Fault, FaultKind
from harness.rehearsals.mirror_stop.facts import PHRASES, facts
from harness.rehearsals.mirror_stop.types import (
    CLAIM_LOGGED,
    LANES_VARIABLE,
    KilledPod,
    MirrorStopDetails,
    MirrorStopPlan,
)
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.mirror_steps import MirrorSteps, at_share
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.faults.injecting import injecting
from harness.stack.firebase import rest
from harness.stack.firebase.documents import Documents
from harness.stack.firebase.rest import SignedUpUser, sign_up
from harness.stack.manifests.change import with_env
from harness.stack.protocol import Stack, StackNeeds

USER_PREFIX = "burst-"
_AT_ONCE = 8
_LIMIT_S = 10.0
_BODY = {
    "title": "burst",
    "locations": [
        {"sequence_number": n, "latitude": 35.68, "longitude": 139.76, "timestamp": f"2025-10-20T08:00:0{n}Z"}
        for n in range(3)
    ],
}
_POLL_S = 0.1


class _LogLine(msgspec.Struct):
    mirror_waiting: int | None = None


class Burst:
    """The part of the scenario; ``killed`` answers the name of the pod that was killed, once it is known."""

    def __init__(
        self, stack: Stack, documents: Documents, clock: Clock, *, plan: MirrorStopPlan, seed: int, logs: Path
    ) -> None:
        self._stack = stack
        self._documents = documents
        self._clock = clock
        self._plan = plan
        self._chance = stream(seed, "mirror-stop:burst")
        self._logs = logs
        self._by_pod: dict[str, str] = {}

    async def run(self, killed: Callable[[], str | None], again: Callable[[], Awaitable[None]]) -> KilledPod:
        """Pauses Firestore, writes, kills a pod, lets Firestore go on; ``again`` returns when all pods are ready."""
        endpoints = self._stack.endpoints()
        users = [
            await sign_up(endpoints.auth, endpoints.project_id, f"{USER_PREFIX}{number}")
            for number in range(self._plan.burst.users)
        ]
        async with injecting(self._stack) as inject:
            begun_ns = self._clock.now_ns()
            await inject(Fault(kind=FaultKind.PART_HANG, subject="firestore"))
            await self._write(users)
            await self._stack.inject(Fault(kind=FaultKind.POD_CRASH))
            pod = await self._named(killed)
        paused_s = (self._clock.now_ns() - begun_ns) / NS
        await again()
        return msgspec.structs.replace(await self._count(pod), paused_s=paused_s)

    async def _write(self, users: list[SignedUpUser]) -> None:
        turn = asyncio.Semaphore(_AT_ONCE)

        async def put(user: SignedUpUser, walk_id: str) -> None:
            headers = {"Authorization": f"Bearer {user.token}"}
            service, path = self._stack.endpoints().service, f"/v1/walks/{walk_id}"
            async with turn:
                try:
                    answer = await rest.request(
                        service, "PUT", path, headers=headers, body=msgspec.json.encode(_BODY), timeout_s=_LIMIT_S
                    )
                except OSError:
                    return  # not acknowledged
            if answer.status == 200:
                self._by_pod[walk_id] = answer.headers.get("x-pod-name", "")

        ids = [uuid4_text(self._chance) for _ in range(self._plan.burst.walks)]
        await asyncio.gather(*(put(users[number % len(users)], walk_id) for number, walk_id in enumerate(ids)))

    async def _named(self, killed: Callable[[], str | None]) -> str:
        again = polling(self._clock, limit_s=_LIMIT_S, every_s=_POLL_S)
        while (pod := killed()) is None:
            if not await again():
                raise PartDied("the stack did not tell which pod was killed", remedy="read the run's evidence")
        return pod

    async def _count(self, pod: str) -> KilledPod:
        own = {walk_id for walk_id, by in self._by_pod.items() if by == pod}
        again = polling(self._clock, limit_s=self._plan.settle_s, every_s=_POLL_S)
        while True:
            there = await self._documents.get_many([document_id(walk_id) for walk_id in self._by_pod])
            missing = {walk_id for walk_id in self._by_pod if document_id(walk_id) not in there}
            if not missing - own or not await again():
                break
        stored = {walk.id for walk in await read_walks(self._stack.endpoints())}
        return KilledPod(
            pod=pod,
            acknowledged=len(own),
            in_postgresql=len(own & stored),
            queued=last_logged(self._logs / f"{pod}.log"),
            under_way=self._plan.lanes,
            lost=len(missing & own),
            lost_by_others=len(missing - own),
        )


def last_logged(log: Path) -> int:
    """The queue's length as the pod's log says it last; 0 when it never did."""
    waiting = 0
    for line in log.read_bytes().splitlines():
        read = read_json(line, _LogLine)  # none of the target's own output that is no record of the log
        waiting = waiting if read is None or read.mirror_waiting is None else read.mirror_waiting
    return waiting


class MirrorStop(Rehearsal[MirrorStopPlan, MirrorStopDetails]):
    """The rehearsal."""

    name = "mirror_stop"
    plan, details = MirrorStopPlan, MirrorStopDetails
    phrases, ruled_by = PHRASES, ("mirror_stop", "mirror_steps")

    def expected(self, plan: MirrorStopPlan, facts: RunInfo) -> Iterable[Expected]:
        """The pod, and each step."""
        killed_pod = Expected("", "mirror.killed_pod", CLAIM_LOGGED)
        return (killed_pod, *of_steps(plan.shares_percent), *super().expected(plan, facts))

    def stack_spec(self, plan: MirrorStopPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack that mirrors the first share. Nothing of it may be one that was kept: parts of it are broken."""
        _ = options
        return StackNeeds(manifests=_at(manifests, plan, plan.shares_percent[0]), use_kept=False)

    async def run(self, plan: MirrorStopPlan, on: RunContext[MirrorStopDetails]) -> None:
        """The pod, then the steps."""
        await on.up()
        users = Users(on, UsersPlan(population=plan.population, seed=on.options.seed))
        await users.set_flag(on=True)
        endpoints = on.stack.endpoints()
        documents = Documents(endpoints.firestore, endpoints.project_id)
        on.add_finalizer(documents.close)
        await _kill_a_pod(plan, on, documents)
        await users.admit()
        await users.go()
        on.mark("admitted")
        steps = MirrorSteps(
            on, documents, settle_s=plan.settle_s, counts=lambda _, user: not user.startswith(USER_PREFIX)
        )
        for share in plan.shares_percent:
            on.details.steps.append(await steps.to(share, _at(on.manifests, plan, share), plan.step_s))

    def measured(self, plan: MirrorStopPlan, seen: RunRecord[MirrorStopDetails]) -> Iterable[Fact]:
        """From the details alone."""
        _ = plan
        return facts(seen.details)


def _at(manifests: Manifests, plan: MirrorStopPlan, share: int) -> Manifests:
    """The manifests with that share mirrored, in so many lanes."""
    return with_env(at_share(manifests, share), **{LANES_VARIABLE: str(plan.lanes)})


async def _kill_a_pod(plan: MirrorStopPlan, on: RunContext[MirrorStopDetails], documents: Documents) -> None:
    said = message("Firestore paused, {walks} walks written, a pod killed", walks=str(plan.burst.walks))
    on.phase("burst", said)
    burst = Burst(on.stack, documents, on.clock, plan=plan, seed=on.options.seed, logs=on.folder / "logs")

    def pod() -> str | None:
        return next((e.subject for e in on.evidence.events if e.kind == "pod" and "SIGKILL" in e.message), None)

    first = _at(on.manifests, plan, plan.shares_percent[0])
    on.details.killed_pod = await burst.run(pod, lambda: on.stack.apply(first))
    on.part_over("")


REHEARSAL = MirrorStop()

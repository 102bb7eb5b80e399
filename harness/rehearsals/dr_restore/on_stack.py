"""The disaster on the whole stack under load: the document's procedure as written, then as corrected.

data folder lost -> probes notice -> restored into a new instance, verified -> step 2 and 3 as written (the ConfigMap
applied, pods restarted, watched for a while) -> the sidecar's instance switched in the Deployment -> pods replaced ->
restarted in order -> traffic judged.

A restored instance is held against what phones and probes sent, before any traffic reaches it. Content is recomputed
from the seed (``harness.checks.sent``) and compared column by column, location by location: the old instance, whose
digests one would compare with, is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from harness.base.clock import NS
from harness.checks import stores
from harness.checks.acknowledged import acknowledged
from harness.checks.dual_write import StoredWalk
from harness.checks.invariants import probed_walks
from harness.checks.off_in_time import unseen_words
from harness.checks.sent import Sent, api_writes, sent, untold
from harness.load.population.schedule import accounts, canaries
from harness.model.evidence import Operation, ProbeRow, RequestRow
from harness.model.message import Message, joined, message, of_error, raw_text
from harness.model.scenario import PopulationPlan, ProbePlan
from harness.model.stack import DatabaseAccess, Endpoints
from harness.rehearsals.dr_restore import server
from harness.rehearsals.dr_restore.archive import Archive, WalStream, take
from harness.rehearsals.dr_restore.keeper import Stalled
from harness.rehearsals.dr_restore.procedure import (
    INSTANCE,
    KEY,
    Calls,
    ProcedureWritten,
    Reached,
    Traffic,
    as_corrected,
    as_written,
    led_to,
    restarted,
)
from harness.rehearsals.dr_restore.restore import RestoredInstance, RestorePoint, RestoreSource, Serve, Sizes, restore
from harness.rehearsals.dr_restore.server import Sentinels, Server, closing, loss, recovered
from harness.rehearsals.dr_restore.types import ON_STACK, CaseCheck, CaseResult, Loss, RecoveryPlan
from harness.run.context import RunContext
from harness.stack.local.site import Site
from harness.stack.protocol import Stack

_EXAMPLES = 3
CONTENT = message("content of the users' and the probes' walks acknowledged before the last recovered commit")
COUNT = message("no walk that nobody sent")
LOCATIONS = message("no location that nobody sent, none twice")


class Phones(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent what, to be recomputed."""

    population: PopulationPlan
    probes: ProbePlan
    seed: int
    anchor_unix_ns: int
    bucket: str


class RestorableWrites(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore may hold: the users' writes, and the probes whose writes it must hold. Of ``untold`` users not
    every request is in evidence: the missing one may have written, or deleted, what looks lost or strange."""

    writes: list[RequestRow]
    probes: list[ProbeRow]
    untold: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[RequestRow], probes: Iterable[ProbeRow], last_ns: int, gone_ns: int) -> RestorableWrites:
        """Of a restore up to ``last_ns``: writes sent before ``gone_ns``, to be there for certain only when they were
        answered before ``last_ns``. ``rows`` are all there are, so that one that is missing shows as a gap.
        """
        rows = [*rows]
        writes = [
            row if row.done_ns < last_ns else msgspec.structs.replace(row, acknowledged=False)
            for row in api_writes(rows)
            if row.sent_ns <= gone_ns
        ]
        kept = [probe for probe in probes if probe.done_ns < last_ns]
        return cls(writes=writes, probes=kept, untold=untold(rows, ()))


def content_checks(phones: Phones, held: RestorableWrites, stored: Mapping[str, StoredWalk]) -> list[CaseCheck]:
    """``stored``: all walks there are, by id in lower case. Pure."""
    known = sent(
        held.writes,
        phones.population,
        accounts(phones.population, phones.seed),
        seed=phones.seed,
        anchor_unix_ns=phones.anchor_unix_ns,
        bucket=phones.bucket,
    )
    probed = probed_walks(held.probes, phones.probes, phones.seed, phones.anchor_unix_ns)
    found = acknowledged(known, stored, probed)
    told = [*found.told, *(lost.told for lost in found.lost[:_EXAMPLES])]
    if known.unmatched:
        told.append(message("{count} writes are not of the schedule", count=str(len(known.unmatched))))
    told += unseen_words(held.untold)
    lost = [each for each in found.lost if each.user not in held.untold]
    whole = found.writes > 0 and not known.unmatched
    return [
        CaseCheck(
            name=CONTENT,
            ok=whole and not found.lost and not held.untold,
            told=joined(tuple(told)),
            unknown=whole and not lost,
        ),
        _nothing_else(phones, held, known, stored),
        _no_other_location(known, stored, held.untold),
    ]


def _nothing_else(phones: Phones, held: RestorableWrites, known: Sent, stored: Mapping[str, StoredWalk]) -> CaseCheck:
    """A CREATE whose answer told no id may have made one walk, of its user and its title."""
    rows = held.writes
    named = {row.walk_id.lower() for row in rows}
    named |= {each.walk_id.lower() for each in canaries(phones.probes, phones.seed)}
    nameless, strange = _nameless(rows, known), []
    nameless_ids = sorted(stored.keys() - named)
    for walk_id in nameless_ids:
        walk = stored[walk_id]
        made_by = (walk.user, str(walk.columns["title"]))
        if not nameless[made_by]:
            strange.append(walk_id)
        nameless[made_by] -= 1
    counts = {"walks": str(len(stored)), "unknown": str(len(nameless_ids))}
    told = [message("{walks} walks, {unknown} of an id that no phone knows", **counts)]
    if made := len(nameless_ids) - len(strange):
        as_said = message("{count} of them as a CREATE says that was never answered with an id", count=str(made))
        told.append(as_said)
    told += [*map(raw_text, strange[:_EXAMPLES]), *(unseen_words(held.untold) if strange else ())]
    unknown = all(stored[walk_id].user in held.untold for walk_id in strange)
    return CaseCheck(name=COUNT, ok=not strange, told=joined(tuple(told)), unknown=unknown)


def _nameless(rows: Sequence[RequestRow], known: Sent) -> Counter[tuple[str, str]]:
    """By user and title: the CREATEs without an answer, or with a server's error, behind which a commit may lie.

    One that was refused (4xx) made nothing, and one answered with success told its walk's id.
    """
    titles = {(create.user, create.sent_ns): create.body.title for create in known.creates}
    return Counter(
        (row.user, titles[row.user, row.sent_ns])
        for row in rows
        if row.operation is Operation.CREATE_WALK
        and (row.status == 0 or row.status >= 500)
        and (row.user, row.sent_ns) in titles
    )


def _no_other_location(known: Sent, stored: Mapping[str, StoredWalk], untold: Collection[str]) -> CaseCheck:
    """A walk holds at most what was recorded by its last PUT, each once; what it must hold is ``CONTENT``'s."""
    wrong, count, unknown = list[Message](), 0, True
    for walk in stored.values():
        count += len(walk.locations)
        numbers = Counter(row["sequence_number"] for row in walk.locations)
        twice = [number for number, times in numbers.items() if times > 1]
        strange = sorted(numbers.keys() - _recorded(known, walk.id))
        wrong += [
            message(
                "walk {walk}: location {number} is there {count} times",
                walk=walk.id,
                number=str(number),
                count=str(numbers[number]),
            )
            for number in twice
        ]
        if strange:
            nobody = message(
                "walk {walk}: {count} locations that nobody sent, the first is number {number}",
                walk=walk.id,
                count=str(len(strange)),
                number=str(strange[0]),
            )
            wrong.append(nobody)
        unknown &= not twice and (not strange or walk.user in untold)
    told = message("{locations} locations of {walks} walks", locations=str(count), walks=str(len(stored)))
    return CaseCheck(name=LOCATIONS, ok=not wrong, told=joined((told, *wrong[:_EXAMPLES])), unknown=unknown)


def _recorded(known: Sent, walk_id: str) -> set[int]:
    """The numbers of the locations that the PUTs of a walk may have told; none for a walk without a PUT."""
    walk = known.walks.get(walk_id)
    last = max((put.number for put in walk.puts), default=-1) if walk is not None else -1
    return {location.sequence_number for by, location in walk.recorded if by <= last} if walk is not None else set()


async def verified(server: Server, endpoints: Endpoints, phones: Phones, held: RestorableWrites) -> list[CaseCheck]:
    """The checks on a real instance; ``endpoints`` are the stack's, for the application's login.

    Raises ``PartDied`` when it does not answer, ``TooManyWalks``.
    """
    try:
        there = await stores.read_walks(msgspec.structs.replace(endpoints, database=server.address))
    except stores.NotAsNamed as error:
        return [CaseCheck(name=CONTENT, ok=False, told=of_error(error))]
    return content_checks(phones, held, {walk.id: walk for walk in there})


async def sessions(server: Server, user: str) -> int:
    """How many connections the application's ``user`` has to the instance."""
    async with server.connected() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", user))


async def archive_mode(connection: asyncpg.Connection) -> str:
    """An instance's setting: with "off" nothing backs it up."""
    return str(await connection.fetchval("SHOW archive_mode"))


class ProcedureWatched(msgspec.Struct, frozen=True, kw_only=True):
    """While the procedure as written was watched, and at its end: ``sessions`` of the pods on the new instance."""

    steps: ProcedureWritten
    watched_s: float
    sessions: int
    seen: Calls


class AsCorrected(msgspec.Struct, frozen=True, kw_only=True):
    """The instance switched in the Deployment. ``first_good_s``: ``None`` when no good answer came in ``waited_s``.

    ``ready_s``: from then until all pods were ready; ``seen``: until that; ``sessions`` as above.
    """

    first_good_s: float | None
    waited_s: float
    ready_s: float
    sessions: int
    seen: Calls

    @property
    def switch_s(self) -> float:
        """Until the first good answer; without one it is longer than this."""
        return self.waited_s if self.first_good_s is None else self.first_good_s


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """The pods restarted in order, once they could become ready. ``why``: what it said when it was not complete in
    ``took_s``.
    """

    took_s: float
    seen: Calls
    why: str = ""


class StackShown(msgspec.Struct, frozen=True, kw_only=True):
    """What the stack showed. ``restart`` and ``after`` are ``None`` when the correction brought no good answer.

    ``*_archiving`` are the two instances' archive_mode: whether anything backs them up. ``verify_s`` is no part of the
    RTO, ``register_s`` of its switch.
    """

    case: CaseResult
    lost_archiving: str
    restored_archiving: str
    written: ProcedureWatched
    corrected: AsCorrected
    verify_s: float
    register_s: float
    restart: Restart | None
    before: Calls
    after: Calls | None


class RecoveryDetails(msgspec.Struct, kw_only=True):
    """The facts of a run; ``None`` and empty where a part did not run.

    ``database`` names the PostgreSQL that it ran on, of version ``database_major`` (0: not known). ``own_network``: the
    stack's instances have addresses of their own. ``ended`` are the parts that came to their end.
    """

    machine: str = ""
    database: str = ""
    database_major: int = 0
    ended: list[str] = []
    cases: list[CaseResult] = []
    schedule: list[CaseCheck] | None = None
    points: list[CaseCheck] | None = None
    stalled: Stalled | None = None
    sizes: Sizes | None = None
    stack: StackShown | None = None
    own_network: bool = False


def case_of(  # noqa: PLR0917 - the parts of an RTO, in their order
    restored: RestoredInstance,
    lost: Loss,
    checks: list[CaseCheck],
    detect_s: float,
    register_s: float,
    corrected: AsCorrected,
) -> CaseResult:
    """The stack's disaster as a case among the others."""
    title = message("under load: the server dies and its data folder is lost")
    if corrected.first_good_s is None:
        title = message(
            "under load: the server dies and its data folder is lost; no good answer in {seconds} s, so its RTO is "
            "longer than this",
            seconds=f"{corrected.waited_s:.0f}",
        )
    return CaseResult(
        id=ON_STACK,
        title=title,
        with_stack=True,
        point=restored.point.told,
        loss=lost,
        rto_s={
            "detect": detect_s,
            "restore": restored.restore_s,
            "replay": restored.replay_s,
            "switch": register_s + corrected.switch_s,
            "ready": corrected.ready_s,
        },
        checks=tuple(checks),
    )


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

    def __init__(self, plan: RecoveryPlan, on: RunContext[Any], site: Site, *, serve: Callable[[Stack], Serve]) -> None:
        self.plan = plan
        self.on = on
        self.stack = on.stack
        self.site = site
        self.clock = on.clock
        self.serve = serve(on.stack)  # before the disaster: of the image of what is about to be lost
        self._moved = led_to(on.manifests, INSTANCE)

    async def run(self) -> StackShown:
        """The whole. Raises ``StackNotStarted``, ``PartDied``, ``NotInTime``."""
        traffic = Traffic(self.on, self.plan.traffic)
        await traffic.flag_on()
        return await self._flow(traffic)

    async def _flow(self, traffic: Traffic) -> StackShown:
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
        register_s = (traffic.event("phase", "registered", raw_text(INSTANCE)) - begun_register_ns) / NS
        written = await self._as_written(traffic, restored)
        corrected = await self._as_corrected(traffic, restored)
        restart, after = None, None
        if corrected.first_good_s is not None:
            restart, after = await self._restarted(traffic)
        detect_s = (detected_ns - struck_ns) / NS
        return StackShown(
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

    async def _protect(self, access: DatabaseAccess) -> tuple[RestoreSource, Sentinels, WalStream, str]:
        """Stream, base backup and sentinels on the stack's database; and the archive_mode it had without us."""

        async def connect() -> asyncpg.Connection:
            return await asyncpg.connect(**access.login, timeout=2)

        connection = await connect()
        try:
            archiving = await archive_mode(connection)
            await connection.execute(server.SCHEMA)
        finally:
            await closing(connection)
        archive = Archive(self.site, "stack-archive")
        stream = WalStream(archive, access.address, access.password, "stack-stream")
        self.on.add_finalizer(stream.stop)
        await stream.start()
        taken = await take(self.site, access.address, access.password, "stack-backup")
        sentinels = Sentinels(self.clock, connect, self.plan.sentinel_every_s)
        self.on.add_finalizer(sentinels.stop)
        sentinels.start()
        return RestoreSource(backup=taken, archive=archive, password=access.password), sentinels, stream, archiving

    async def _restored(self, source: RestoreSource, traffic: Traffic) -> RestoredInstance:
        """Step 1: 特定時点に復元, into a new instance."""
        restored = await restore(self.site, source, RestorePoint(), "stack-restored", serve=self.serve)
        self.on.add_finalizer(restored.server.stop)
        traffic.event("component", "database", message("restored on {address}", address=str(restored.server.address)))
        took, replayed = f"{restored.restore_s:.1f}", f"{restored.replay_s:.1f}"
        self.on.say(message("restored in {restore} s, replayed in {replay} s", restore=took, replay=replayed))
        return restored

    async def _verified(
        self, restored: RestoredInstance, sentinels: Sentinels, disaster_ns: tuple[int, int], traffic: Traffic
    ) -> tuple[Loss, list[CaseCheck]]:
        """Before any traffic: the sentinels, and what phones wrote up to the last one recovered.

        ``disaster_ns``: when it was begun, and when the server was known dead. A backend may outlive the server's first
        process for a moment: what it acknowledged was before the end.
        """
        await sentinels.stop()
        struck_ns, dead_ns = disaster_ns
        gone_ns = max([dead_ns, *(each.acknowledged_ns for each in sentinels.acknowledged[-1:])])
        async with restored.server.connected() as connection:
            found = await recovered(connection)
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
        held = RestorableWrites.of(traffic.evidence.requests, traffic.evidence.probes, last_ns, gone_ns)
        content = await verified(restored.server, endpoints, phones, held)
        name = message("an unbroken prefix of the acknowledged commits")
        exact = CaseCheck(name=name, ok=lost.exact and lost.recovered > 0, told=lost.told)
        return lost, [exact, *content]

    async def _sessions(self, restored: RestoredInstance) -> int:
        return await sessions(restored.server, self.stack.endpoints().database_user)

    async def _archiving(self, restored: RestoredInstance) -> str:
        async with restored.server.connected() as connection:
            return await archive_mode(connection)

    async def _as_written(self, traffic: Traffic, restored: RestoredInstance) -> ProcedureWatched:
        """Steps 2 and 3 as the document has them, watched until the pods are ready or the time is over."""
        limit_s = self.plan.traffic.written_limit_s
        begun_ns = traffic.event("phase", "as written", message("the endpoint into {key}, then restarted", key=KEY))
        self.on.say(message("the procedure as written, watched for {seconds} s", seconds=f"{limit_s:g}"))
        steps = await as_written(self.stack, self.on.manifests, traffic, limit_s)
        ended = message("ended") if steps.reached is Reached.READY else message("given up")
        end_ns = traffic.event("phase", "as written", ended)
        return ProcedureWatched(
            steps=steps,
            watched_s=(end_ns - begun_ns) / NS,
            sessions=await self._sessions(restored),
            seen=traffic.seen(begun_ns, end_ns),
        )

    async def _as_corrected(self, traffic: Traffic, restored: RestoredInstance) -> AsCorrected:
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

"""The harness' end of the line to Chaos Toolkit: what the experiments' actions and probes ask for.

What another client of PostgreSQL can take from the API: every connection, or a lock that every request waits for.

Where a fault of a node or a zone is to strike: where the most pods are, so that it hits some.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from chaos.bridge import reached
from harness.base.clock import NS, Clock
from harness.base.errors import BadInput, RehearsalError, StackNotStarted
from harness.model.evidence import EventRow
from harness.model.manifests import Deployment, Manifests
from harness.model.message import message
from harness.model.stack import Capability, Endpoints, Fault, FaultKind
from harness.rules import zones
from harness.stack.database.failover import follow, stop_receiving
from harness.stack.process.waiting import given_up, to_its_end
from harness.stack.protocol import Stack, Undo


class PodPlaces:
    """Reads the pods' places from the evidence as it is when asked."""

    def __init__(self, events: Callable[[], Sequence[EventRow]], clock: Clock) -> None:
        self._events = events
        self._clock = clock

    def zone(self) -> str:
        """The zone with the most pods that serve. Raises ``RehearsalError`` when none is known."""
        return _known("zone", zones.fullest(zones.placement(self._events(), self._clock.now_ns())))

    def node(self) -> str:
        """The node with the most pods that serve. Raises ``RehearsalError`` when none is known."""
        return _known("node", zones.fullest(zones.nodes(self._events(), self._clock.now_ns())))


def _known(what: str, found: str) -> str:
    if not found:
        raise RehearsalError(
            message("no pod that serves is in a known {what}: the fault would strike nothing", what=what)
        )
    return found


MOST_CONNECTIONS = 500
#: The pools' connections that wait are counted until no more come for so long.
_QUIET_S, _COUNT_EVERY_S, _COUNT_MOST_S = 1.5, 0.25, 10.0
_LOCK = "LOCK TABLE walks IN ACCESS EXCLUSIVE MODE"
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND pid <> pg_backend_pid()"
)


class HeldConnections:
    """Connections of ours; ``free`` ends them, and with them what they hold."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self.connections: list[asyncpg.Connection] = []

    async def connect(self) -> asyncpg.Connection:
        """One more, as the application's role. Raises asyncpg's errors."""
        at = self._endpoints
        connection = await asyncpg.connect(**at.login)
        self.connections.append(connection)
        return connection

    async def free(self) -> None:
        """Returns at once; PostgreSQL rolls back what they had begun."""
        while self.connections:
            self.connections.pop().terminate()


def holding(endpoints: Endpoints) -> tuple[HeldConnections, Undo]:
    """Nothing yet, and what ends it."""
    held = HeldConnections(endpoints)
    return held, held.free


async def every_connection(held: HeldConnections) -> int:
    """Takes each connection that ``max_connections`` leaves to the role; how many that were."""
    with contextlib.suppress(asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError):
        while len(held.connections) < MOST_CONNECTIONS:
            await held.connect()
    return len(held.connections)


async def lock(held: HeldConnections, clock: Clock) -> int:
    """Locks the table of walks as ``ALTER TABLE`` does; returns when as many requests wait for it as the pools let.

    Returns how many. Raises ``RehearsalError`` when none came to wait: then no pool was exhausted.
    """
    holder, watcher = await held.connect(), await held.connect()
    await holder.execute("BEGIN")
    await holder.execute(_LOCK)
    begun_ns = grown_ns = clock.now_ns()
    most = 0
    while clock.now_ns() - grown_ns < _QUIET_S * NS and clock.now_ns() - begun_ns < _COUNT_MOST_S * NS:
        waiting = int(await watcher.fetchval(_WAITING))
        if waiting > most:
            most, grown_ns = waiting, clock.now_ns()
        await clock.sleep(_COUNT_EVERY_S)
    if not most:
        raise RehearsalError("the table of walks was locked, and no request came to wait for it")
    return most


#: Told to the lease's folder before each fault, so that ``undo`` knows what a killed run had begun.
UNDO_FILE = "undo.json"
#: A fault that is being injected is made whole, and undone: half of it nobody undoes.
ENDS_WITHIN_S = 180.0  # Docker has 60 s for each thing that it is asked
#: Arrivals are evenly spaced: faults that come every whole number of their intervals would all meet the same phase, and
#: break twice as many as by chance or none. So each is late by less than a second, spread by the golden ratio.
_SPREAD_S, _GOLDEN = 1.0, (5**0.5 - 1) / 2

Answer = Callable[[], Awaitable[bool]]


def due_s(number: int, every_s: float) -> float:
    """When the fault ``number`` of a series is due, in seconds from its first."""
    return number * every_s + number * _GOLDEN % _SPREAD_S


class Bridge:
    """One run's. ``steady`` answers the experiments' probe; ``set_flag`` publishes the flag, and tells the evidence;
    ``places`` says where the pods are."""

    def __init__(
        self,
        stack: Stack,
        manifests: Manifests,
        clock: Clock,
        folder: Path,
        *,
        steady: Answer,
        set_flag: Callable[[bool], Awaitable[int]],
        places: PodPlaces,
    ) -> None:
        self._stack = stack
        #: Those that are applied.
        self.manifests = manifests
        self._clock = clock
        self._folder = folder
        self._steady = steady
        self._set_flag = set_flag
        self._places = places
        self._undo: list[tuple[str, Undo]] = []
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self.first_fault_ns: int | None = None
        #: How often the last series was made.
        self.repeated = 0
        self.undone_ns: int | None = None

    @property
    def path(self) -> Path:
        """The socket, in a folder that this user alone enters: whoever reaches it may inject faults."""
        return self._folder / "chaos" / "sock"

    async def start(self) -> None:
        """Answers from now on."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            with reached(self.path) as name:
                listener.bind(name)
            self.path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._take, sock=listener)
        except BaseException:
            listener.close()
            raise

    async def stop(self) -> None:
        """Ends what is under way, undoes what is not undone, and answers no more."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)
        await self.end()

    async def end(self) -> None:
        """Ends what was asked for and is still under way, and undoes what is not undone. Raises ``StackNotStarted``
        where something goes on for ``ENDS_WITHIN_S``."""
        for task in self._answering:
            task.cancel()
        under_way = set[asyncio.Task[None]]()
        if self._answering:
            _, under_way = await asyncio.wait(self._answering, timeout=ENDS_WITHIN_S)
        await self.undo()
        if under_way:
            raise StackNotStarted(
                message("what an experiment asked for has not ended after {seconds} s", seconds=f"{ENDS_WITHIN_S:g}")
            )

    async def undo(self) -> int:
        """Ends every fault, the last one first; returns how many. One that cannot be ended does not keep the others,
        and is tried again by the next call."""
        count, first, left = 0, None, list[tuple[str, Undo]]()
        try:
            while self._undo:
                left.append(self._undo.pop())
                count += 1
                try:
                    await left[-1][1]()
                except RehearsalError as error:
                    first = first or error
                else:
                    left.pop()
        finally:
            self._undo += reversed(left)
            undone_ns = self._clock.now_ns()  # before a slow disk takes the note: requests pass again
            self._note()
        self.undone_ns = undone_ns
        if first is not None:
            raise first
        return count

    # -- what is asked -------------------------------------------------------------------------------------------

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline() or b"{}")
            answer = await self._answer(str(asked.get("call")), asked.get("arguments") or {})
            writer.write(json.dumps(answer).encode() + b"\n")
            with contextlib.suppress(OSError):  # Chaos Toolkit was ended meanwhile
                await writer.drain()
        finally:
            writer.close()

    async def _answer(self, call: str, arguments: dict[str, Any]) -> dict[str, Any]:
        calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "inject": self._inject,
            "undo": self.undo,
            "steady": self._steady,
            "drain": self._drain,
            "restart": self._restart,
            "never_ready": self._never_ready,
            "exhaust_connections": self._exhaust_connections,
            "lock_walks": self._lock_walks,
            "flap_flag": self._flap_flag,
            "flag_off": self._flag_off,
            "repeat": self._repeat,
            "standby": self._standby,
            "stop_receiving": self._stop_receiving,
        }
        if call not in calls:
            return {"error": f"the harness knows no {call!r}"}
        try:
            return {"result": await calls[call](**arguments)}
        except (RehearsalError, msgspec.ValidationError, TypeError) as error:
            return {"error": str(error)}

    async def _inject(self, **given: Any) -> str:
        fault = msgspec.convert(given, Fault)
        if fault.kind is FaultKind.ZONE_LOSS and not fault.subject:
            fault = msgspec.structs.replace(fault, subject=self._places.zone())
        self._begun(str(fault))
        await self._make(str(fault), self._stack.inject(fault))
        return str(fault)

    async def _drain(self) -> str:
        """Where the nodes are the run's own the one with the most pods; else every pod in turn."""
        node = self._places.node() if Capability.NODES in self._stack.capabilities else ""
        self._begun(f"drain {node}".rstrip())
        return str(await self._stack.drain(node))

    async def _restart(self) -> str:
        self._begun("a rolling replacement")
        await self._stack.restart()
        return "replaced"

    async def _never_ready(self) -> str:
        """Begun, not awaited: the rollout is not to become complete."""
        self._begun("a rollout that is never ready")
        broken = msgspec.structs.replace(self.manifests, deployment=unready(self.manifests.deployment))
        rollout = asyncio.ensure_future(self._stack.apply(broken))

        async def back() -> None:
            with contextlib.suppress(RehearsalError):
                await given_up(rollout)
            await self._stack.apply(self.manifests)

        self._keep("kubectl rollout undo", back)
        return "rolling out"

    async def _exhaust_connections(self) -> int:
        self._begun("every connection of PostgreSQL taken")
        held, free = holding(self._stack.endpoints())
        self._keep("free the connections", free)
        return await every_connection(held)

    async def _lock_walks(self) -> int:
        self._begun("the table of walks locked")
        held, free = holding(self._stack.endpoints())
        self._keep("free the lock", free)
        return await lock(held, self._clock)

    async def _flap_flag(self, times: int, every_s: float) -> int:
        self._begun(f"the flag flaps {times} times")
        version = 0
        for _ in range(times):
            for on in (False, True):
                version = await self._set_flag(on)
                await self._clock.sleep(every_s / 2)
        return version

    async def _flag_off(self) -> int:
        """ロールバック手順 1. The undo turns it on again."""
        self._begun("the flag off")

        async def on() -> None:
            await self._set_flag(True)

        self._keep("the flag on", on)
        return await self._set_flag(False)

    async def _repeat(self, kind: str, every_s: float, times: int) -> int:
        """The fault again and again, each at its own time from the first; undone by nothing but time."""
        fault = Fault(kind=FaultKind(kind))
        self._begun(f"{fault}, {times} times")
        begun_ns, done = self._clock.now_ns(), 0
        for number in range(times):
            due_ns = begun_ns + round(due_s(number, every_s) * NS)
            await self._clock.sleep(max(0.0, (due_ns - self._clock.now_ns()) / NS))
            try:
                undo = await self._stack.inject(fault)
            except BadInput:
                continue  # no pod is ready, so there is none to disturb
            await undo()
            done += 1
        self.repeated = done
        return done

    async def _standby(self, synchronous: bool) -> str:
        """No fault yet: a standby follows, and with ``synchronous`` commits wait for it."""
        self._note("a standby of PostgreSQL")
        await self._make("end the standby", follow(self._stack.database(), self._clock, synchronous=synchronous))
        return "it streams"

    async def _stop_receiving(self) -> str:
        self._begun("the standby receives nothing more")
        await stop_receiving(self._stack.database(), self._clock)
        return "it has stopped"

    # -- undo steps ----------------------------------------------------------------------------------------------

    def _begun(self, what: str) -> None:
        if self.first_fault_ns is None:
            self.first_fault_ns = self._clock.now_ns()
        self._note(what)

    async def _make(self, what: str, making: Coroutine[Any, Any, Undo]) -> None:
        """Keeps the undo of what is made, also when it is cancelled meanwhile."""
        await to_its_end(making, lambda undo: self._keep(what, undo))

    def _keep(self, what: str, undo: Undo) -> None:
        self._undo.append((what, undo))
        self._note()

    def _note(self, *more: str) -> None:
        """Written before a fault begins: a killed run leaves word of it."""
        steps = [what for what, _ in self._undo] + list(more)
        (self._folder / UNDO_FILE).write_text(json.dumps(steps))


def unready(deployment: Deployment) -> Deployment:
    """The Deployment with a readiness probe that no target passes, as another revision."""
    first, *others = deployment.template.containers
    if first.readiness is None:
        raise RehearsalError("the Deployment has no readiness probe, so every pod is ready")
    probe = msgspec.structs.replace(first.readiness, path="/no-such-path-for-the-rehearsal")
    template = msgspec.structs.replace(
        deployment.template,
        containers=(msgspec.structs.replace(first, readiness=probe), *others),
        digest=f"{deployment.template.digest[:8]}-unready",
    )
    return msgspec.structs.replace(deployment, template=template)

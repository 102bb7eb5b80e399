"""What a check reaches beside Firestore and the logs: connections, accounts, PostgreSQL, Storage, the program beside.

``LocalReach`` reaches a running stack. Another ``Reach`` puts the target and all parts into this process.

What a target does not do at all is found out once, not waited for by each check: the mirror, photos, log lines.
The target's program as a process of its own, whose database can be held up or taken away, and which can be stopped.

No pod: there the kubelet's rules restart it, and its sidecar ends with it and takes the database along.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Protocol

import msgspec

from harness.base.clock import NS, Clock, polling, unix_ns
from harness.checks import stores
from harness.checks.contract import http, people
from harness.checks.walk_tables import StoredWalks
from harness.model.message import Message, message, of_error
from harness.model.stack import Address, Endpoints
from harness.stack.firebase import storage
from harness.stack.firebase.rest import AccountEnd, end_account
from harness.stack.protocol import ProcessBeside, Stack, WithBeside


class Absence(msgspec.Struct):
    """One thing that many checks wait for. ``seen`` once any came; ``reason`` why none will, ``None`` until then."""

    seen: bool = False
    reason: Message | None = None

    def came(self) -> None:
        """One came: from now on each that does not is its own finding."""
        self.seen, self.reason = True, None

    def never_came(self, reason: Message) -> None:
        """None came though it was waited for, and none ever had."""
        if not self.seen:
            self.reason = reason


class Absences(msgspec.Struct):
    """Those of one run: documents in Firestore, removals of photos."""

    mirror: Absence = msgspec.field(default_factory=Absence)
    photos: Absence = msgspec.field(default_factory=Absence)


class NotExercised(Exception):  # noqa: N818
    """What the check builds on is missing or deviates; another check says so.

    ``allowed`` says that the target may do without it: then it holds nothing up.
    """

    def __init__(self, reason: Message, *, allowed: bool = False) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.allowed = allowed


READY_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0  # the contract's, from SIGTERM to exit
_POLL_S = 0.05
_SLACK_S = 2.0  # an exit later than the limit is still waited for this long, to tell late from never


class Relay:
    """A TCP relay to PostgreSQL in this process: open, held (bytes wait), or cut (connections end at once)."""

    def __init__(self, database: Address) -> None:
        self._database = database
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut = False
        self._waiting = 0
        self.passed = 0  # pieces of bytes, either way
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listens; the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def hold(self) -> None:
        """From now on no byte passes, in either direction."""
        self._flowing.clear()

    def holds(self) -> bool:
        """Whether bytes for the database have come and wait."""
        return self._waiting > 0

    def release(self) -> None:
        """What was held goes on."""
        self._flowing.set()

    def cut(self) -> None:
        """Ends every connection, and each new one at once."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """New connections pass again."""
        self._cut = False

    async def stop(self) -> None:
        """Idempotent."""
        self.cut()
        self._flowing.set()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not self._cut:
                await self._relay(reader, writer)
        except OSError:
            return
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(self._database.host, self._database.port)
        self._writers.add(server_writer)
        pumps = [
            asyncio.ensure_future(self._pump(reader, server_writer, counted=True)),
            asyncio.ensure_future(self._pump(server_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._writers.discard(server_writer)
            server_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False) -> None:
        while data := await reader.read(65536):
            self._waiting += counted
            try:
                await self._flowing.wait()
            finally:
                self._waiting -= counted
            self.passed += 1
            writer.write(data)
            await writer.drain()


class StandaloneTarget:
    """The process, ready. ``relay`` is its only way to the database."""

    def __init__(
        self, process: ProcessBeside, relay: Relay, clock: Clock, connect: http.Connect = http.over_tcp
    ) -> None:
        self.relay = relay
        self.address = process.address
        self._beside = process
        self._clock = clock
        self._connect = connect
        self._asked_ns: int | None = None

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._beside.process.returncode is None

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        self._asked_ns = self._clock.now_ns()
        self._beside.process.send(signal.SIGTERM)

    async def ended(self) -> tuple[int | None, float]:
        """Its exit status (negative for a signal, ``None`` when it never ended) and the seconds since SIGTERM."""
        assert self._asked_ns is not None
        spent_s = (self._clock.now_ns() - self._asked_ns) / NS
        await self._beside.process.ended_within(max(0.0, STOP_LIMIT_S + _SLACK_S - spent_s))
        return self._beside.process.returncode, (self._clock.now_ns() - self._asked_ns) / NS

    async def status(self, path: str, timeout_s: float = 2.0) -> http.HttpExchange:
        """GET ``path`` without a token."""
        return await http.send(self.address, "GET", path, headers={}, timeout_s=timeout_s, connect=self._connect)

    async def until_status(self, path: str, status: int, limit_s: float) -> http.HttpExchange:
        """Asks until ``path`` answers ``status`` or ``limit_s`` passed; the last answer."""
        again = polling(self._clock, limit_s=limit_s, every_s=_POLL_S)
        while True:
            exchange = await self.status(path)
            if exchange.status == status or not self.running or not await again():
                return exchange

    async def until_ready(self) -> None:
        """Raises ``NotExercised`` when it does not become ready."""
        last = await self.until_status("/ready", 200, READY_LIMIT_S)
        if last.status != 200:
            raise NotExercised(
                message(
                    "it needs the program to run beside the pods, and its /ready did not answer 200 within {limit} s: "
                    "{answer}; its last words: {words}",
                    limit=f"{READY_LIMIT_S:g}",
                    answer=last.shown,
                    words=self.last_lines(),
                )
            )

    def last_lines(self) -> str:
        """The end of its log."""
        return self._beside.last_lines()


@asynccontextmanager
async def spare(stack: Stack, clock: Clock, name: str) -> AsyncIterator[StandaloneTarget]:
    """Starts one and waits for ``/ready``. Raises ``NotExercised`` when it does not become ready, and on a stack that
    runs no program beside its pods, which is the environment's lack and not the target's.
    """
    if not isinstance(stack, WithBeside):
        why = message("the environment runs no program of the target beside the pods")
        raise NotExercised(why, allowed=True)
    relay = Relay(stack.endpoints().database)
    process = stack.start_beside(name, await relay.start())
    try:
        one = StandaloneTarget(process, relay, clock)
        await one.until_ready()
        yield one
    finally:
        with contextlib.suppress(OSError):
            await relay.stop()
        await process.stop()


_MOST_ROWS = 10  # of one walk, which the contract has once


class Reach(Protocol):
    """Raises ``PartDied`` when a part that is not the target fails."""

    @property
    def endpoints(self) -> Endpoints:
        """Where the parts answer."""
        ...

    @property
    def connect(self) -> http.Connect:
        """Opens a connection to the target."""
        ...

    async def sign_up(self, uid: str) -> people.SignedUpUser:
        """A new account with that uid, signed in as the app does."""
        ...

    async def end_account(self, uid: str, how: AccountEnd) -> None:
        """An account's end, whose tokens are still out there."""
        ...

    def seal(self, head: object, claims: object) -> str:
        """A token of those parts as the accounts' own issuer makes it."""
        ...

    async def user_rows(self, uid: str) -> int:
        """How many rows ``users`` has of that user, past the target. Raises ``NotExercised`` for what is not read."""
        ...

    async def stored(self, walk_id: str) -> StoredWalks:
        """That walk as it lies in PostgreSQL, past the target. Raises ``NotExercised`` for what is not read."""
        ...

    def spare(self, name: str) -> AbstractAsyncContextManager[StandaloneTarget]:
        """The target's program once more, ready, with a database that may be taken away; killed afterwards."""
        ...

    async def put_photo(self, name: str, content: bytes, content_type: str) -> None:
        """Stores one object in the project's bucket."""
        ...

    async def has_photo(self, name: str) -> bool:
        """Whether the bucket holds that object."""
        ...


@contextmanager
def _not_exercised() -> Iterator[None]:
    try:
        yield
    except stores.NotAsNamed as error:
        raise NotExercised(of_error(error)) from error


class LocalReach:
    """A stack that runs on this machine."""

    connect = staticmethod(http.over_tcp)

    def __init__(self, stack: Stack, clock: Clock) -> None:
        self._stack = stack
        self._clock = clock

    @property
    def endpoints(self) -> Endpoints:
        """Where the parts answer."""
        return self._stack.endpoints()

    async def sign_up(self, uid: str) -> people.SignedUpUser:
        """By the Auth emulator."""
        return await people.sign_up(self.endpoints.auth, self.endpoints.project_id, uid)

    async def end_account(self, uid: str, how: AccountEnd) -> None:
        """By the Auth emulator."""
        now_s = unix_ns(self._clock.anchor, self._clock.now_ns()) // NS
        await end_account(self.endpoints.auth, self.endpoints.project_id, uid, how, now_s)

    def seal(self, head: object, claims: object) -> str:
        """Without a signature."""
        return people.unsigned(head, claims)

    async def user_rows(self, uid: str) -> int:
        """On a connection of its own."""
        with _not_exercised():
            return await stores.user_rows(self.endpoints, uid)

    async def stored(self, walk_id: str) -> StoredWalks:
        """On a connection of its own."""
        with _not_exercised():
            return await stores.read_stored(self.endpoints, _MOST_ROWS, only=[walk_id])

    def spare(self, name: str) -> AbstractAsyncContextManager[StandaloneTarget]:
        """A process of its own."""
        return spare(self._stack, self._clock, name)

    async def put_photo(self, name: str, content: bytes, content_type: str) -> None:
        """By the Storage emulator."""
        to = self.endpoints
        assert to.storage is not None
        await storage.put(to.storage, to.storage_bucket, name, content, content_type)

    async def has_photo(self, name: str) -> bool:
        """By the Storage emulator."""
        to = self.endpoints
        assert to.storage is not None
        return any(each.name == name for each in await storage.objects(to.storage, to.storage_bucket, name))

"""The target's program as a process of its own, whose database can be held up or taken away, and which can be stopped.

No pod: there the kubelet's rules restart it, and its sidecar ends with it and takes the database along.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.base.clock import NS, Clock, polling
from harness.contract import http
from harness.contract.check import NotExercised
from harness.model.message import message
from harness.model.stack import Address
from harness.stack.protocol import Beside, Stack, WithBeside

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


class Spare:
    """The process, ready. ``relay`` is its only way to the database."""

    def __init__(self, process: Beside, relay: Relay, clock: Clock, connect: http.Connect = http.over_tcp) -> None:
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

    async def status(self, path: str, timeout_s: float = 2.0) -> http.Exchange:
        """GET ``path`` without a token."""
        return await http.send(self.address, "GET", path, headers={}, timeout_s=timeout_s, connect=self._connect)

    async def until_status(self, path: str, status: int, limit_s: float) -> http.Exchange:
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
async def spare(stack: Stack, clock: Clock, name: str) -> AsyncIterator[Spare]:
    """Starts one and waits for ``/ready``. Raises ``NotExercised`` when it does not become ready, and on a stack that
    runs no program beside its pods, which is the environment's lack and not the target's.
    """
    if not isinstance(stack, WithBeside):
        why = message("the environment runs no program of the target beside the pods")
        raise NotExercised(why, allowed=True)
    relay = Relay(stack.endpoints().database)
    process = stack.start_beside(name, await relay.start())
    try:
        one = Spare(process, relay, clock)
        await one.until_ready()
        yield one
    finally:
        with contextlib.suppress(OSError):
            await relay.stop()
        await process.stop()

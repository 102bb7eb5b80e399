"""What every rung's faults have in common: their numbers, what is told of them, and that each is over once.

The fault proxy as the stack drives it; the proxy itself is ``fault_proxy_process.py``.
The application's tables locked again and again, as changes of its schema do it: whoever asks for them waits, and
``SELECT 1`` does not. On any rung.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from harness.base.clock import Clock
from harness.base.errors import BadInput, RehearsalError, StackNotStarted
from harness.model.message import message
from harness.model.stack import DELAYS, Address, DatabaseAccess, Fault
from harness.stack.faults import fault_proxy_process
from harness.stack.process.processes import Feed, Process, Spec, spawn
from harness.stack.process.waiting import given_up, to_its_end, undone_if_broken
from harness.stack.protocol import Stack, Undo
from harness.stack.state import RunState

ORDER_LIMIT_S = 5.0


class FaultProxy:
    """One run's fault proxy. ``start`` first; ``listen`` for each pod; ``inject`` a fault."""

    def __init__(self, state: RunState, logs: Path, clock: Clock) -> None:
        self._state = state
        self._log = logs / "fault_proxy.log"
        self._clock = clock
        self._turn = asyncio.Lock()
        self._faults = self._orders = 0
        self._ports: dict[int, int] = {}
        self.process: Process | None = None

    async def start(self) -> Process:
        """Starts the process; it answers orders from then on."""
        spec = Spec(
            part="fault_proxy",
            command=[sys.executable, "-I", str(Path(fault_proxy_process.__file__))],
            environment={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
            log=self._log,
            folder=self._state.folder,
            piped=True,
        )
        self.process = spawn(spec, self._state)
        loop = asyncio.get_running_loop()
        self._answers = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._answers), self.process.popen.stdout)
        return self.process

    async def listen(self, pod_port: int, port: int | None = None) -> Address:
        """The fault proxy's address in front of what listens at ``pod_port``, at ``port`` when that is given; asked
        again the same.
        """
        if pod_port not in self._ports:
            port = self._state.take_port() if port is None else self._state.note_port(port)
            await self._order(do="listen", port=port, pod_port=pod_port)
            self._ports[pod_port] = port
        return Address(host="127.0.0.1", port=self._ports[pod_port])

    async def unlisten(self, pod_port: int) -> None:
        """The pod is gone: connections to it are refused."""
        if (port := self._ports.pop(pod_port, None)) is not None:
            await self._order(do="unlisten", port=port)
            self._state.give_back_port(port)

    async def inject(self, fault: Fault) -> Undo:
        """Starts ``fault``, counting from its first request, until it is undone."""
        self._faults += 1
        undo = partial(self._undo, self._faults)
        async with undone_if_broken(undo):  # one whose answer is late has begun, or is about to
            await self._order(
                do="fault",
                id=self._faults,
                kind=fault.kind.value,
                numerator=fault.ratio.numerator,
                denominator=fault.ratio.denominator,
                delay_s=fault.delay_ms / 1000,
            )
        return undo

    async def _undo(self, fault_id: int) -> None:
        """Ends a fault; one that ended already, or a fault proxy that did, is no error."""
        if self.process is not None and self.process.returncode is None:
            await self._order(do="undo", id=fault_id)

    async def stop(self) -> None:
        """Ends it at once; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, 1.0)
            if self.process.popen.stdin is not None:
                self.process.popen.stdin.close()

    async def _order(self, **order: Any) -> None:
        """Sends one order and awaits its answer. Raises ``PartDied`` or ``StackNotStarted``."""
        assert self.process is not None
        # A cancelled caller must not leave an answer for the next to take for its own.
        await asyncio.shield(asyncio.ensure_future(self._exchange(self.process, order)))

    async def _exchange(self, process: Process, order: dict[str, Any]) -> None:
        async with self._turn:
            assert process.popen.stdin is not None
            self._orders += 1
            text = msgspec.json.encode({**order, "number": self._orders})
            try:
                process.popen.stdin.write(text + b"\n")  # far below what a pipe takes at once
                async with asyncio.timeout(ORDER_LIMIT_S):
                    answer = await self._answer(process)
                    while answer["number"] != self._orders:  # a late one, of an order that was given up
                        answer = await self._answer(process)
            except TimeoutError as error:  # before OSError, whose subclass it is
                raise process.not_started(f"no answer to {order['do']} in {ORDER_LIMIT_S:g} s") from error
            except OSError as error:
                raise process.part_died() from error
        if not answer["ok"]:
            raise StackNotStarted(
                message("fault proxy: {order} failed: {error}", order=order["do"], error=answer["error"]),
                where=str(self._log),
            )

    async def _answer(self, process: Process) -> dict[str, Any]:
        """The next one. Raises ``PartDied`` where there is none any more."""
        line = await self._answers.readline()
        if not line:
            raise process.part_died()
        return dict(msgspec.json.decode(line))


#: Between two locks: what waited comes to its end.
PAUSE_S = 0.05
_AGAIN_S = 0.005
_TABLES = """
SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""
_DOWN = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def lock_tables(access: DatabaseAccess, hold_s: float, clock: Clock) -> Undo:
    """Every table, for ``hold_s`` each time, until it is undone; a database that is gone meanwhile is waited for.

    Raises ``BadInput`` where there is no table, ``StackNotStarted`` where the database does not answer.
    """
    try:
        connection = await asyncpg.connect(**access.login)
    except _DOWN as error:
        raise StackNotStarted(
            message("PostgreSQL does not let its operator in: {error}", error=str(error)), where=str(access.address)
        ) from error
    if not await connection.fetchval(_TABLES):
        await connection.close()
        raise BadInput(message("there is no table in {database} that could be locked", database=access.database))

    async def again() -> None:
        nonlocal connection
        while True:
            with contextlib.suppress(*_DOWN):
                try:
                    await _locking(connection, hold_s, clock)
                finally:
                    connection.terminate()  # and with it what it holds
            await clock.sleep(PAUSE_S)
            with contextlib.suppress(*_DOWN):
                connection = await asyncpg.connect(**access.login)

    return until_undone(again())


async def _locking(connection: asyncpg.Connection, hold_s: float, clock: Clock) -> None:
    """All tables at once or none: who waited for one with another in hand would be in somebody's way."""
    tables = await connection.fetchval(_TABLES)
    while True:
        with contextlib.suppress(asyncpg.LockNotAvailableError):
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT")
                await clock.sleep(hold_s)
            await clock.sleep(PAUSE_S)
        await clock.sleep(_AGAIN_S)


_MOST_DELAY_MS = 60_000


def sane(fault: Fault) -> None:
    """Raises ``BadInput`` when its numbers make no sense."""
    if not 0 < fault.share <= 1:
        raise BadInput(message("a fault's share is {share}, not above 0 and at most 1", share=str(fault.share)))
    if fault.kind in DELAYS and not 0 < fault.delay_ms <= _MOST_DELAY_MS:
        raise BadInput(
            message(
                "{kind} needs a delay within 0..{most_delay_ms} ms", kind=fault.kind, most_delay_ms=str(_MOST_DELAY_MS)
            )
        )


def none_ready(name: str) -> BadInput:
    """The error where no pod is ready, or not the one of that name."""
    told = message("the pod {name} is not ready", name=name)
    return BadInput(told if name else "no pod is ready, so none can be disturbed")


def in_front(fault_proxy: FaultProxy | None, fault: Fault) -> FaultProxy:
    """The fault proxy that ``fault`` needs. Raises ``BadInput`` where the stack has none."""
    if fault_proxy is None:
        raise BadInput(
            message(
                "the fault {kind} needs the fault proxy in front of the service, and this stack has none",
                kind=fault.kind,
            ),
            remedy="name the fault when the run starts (--fault): the fault proxy cannot be put in later",
        )
    return fault_proxy


async def begun(fault: Fault, begin: Awaitable[Undo], feed: Feed) -> Undo:
    """Publishes that ``fault`` begins, begins it, and returns what ends it and publishes that, at the first call alone.

    Told before, for what takes seconds to begin breaks things from its first moment on. One that does not begin is told
    as undone, and raises what ``begin`` raised; so is one that ends ``nothing``, for it is over. An undo that fails is
    not done: the next call tries it again, and nobody returns before it is.
    """
    told, told_undone = message("injected: {fault}", fault=fault.told), message("undone: {fault}", fault=fault.told)
    feed.event("fault", fault.kind, told, share=fault.share, delay_ms=fault.delay_ms)
    try:
        end = await begin
    except BaseException:
        feed.event("fault", fault.kind, told_undone)
        raise
    if end is nothing:
        feed.event("fault", fault.kind, told_undone)
        return nothing
    undone, turn = False, asyncio.Lock()

    async def undo() -> None:
        nonlocal undone
        async with turn:
            if not undone:
                await end()
                undone = True
                feed.event("fault", fault.kind, told_undone)

    return undo


async def nothing() -> None:
    """What has mended itself, or is mended by the kubelet, needs no undo."""


def until_undone(work: Coroutine[Any, Any, None]) -> Undo:
    """Begins ``work``, which goes on until it is undone. What it raised the first undo raises alone: it has ended."""
    task, told = asyncio.ensure_future(work), False

    async def undo() -> None:
        nonlocal told
        try:
            await given_up(task)
        except RehearsalError:
            if not told:
                told = True
                raise

    return undo


@asynccontextmanager
async def injecting(stack: Stack) -> AsyncIterator[Callable[[Fault], Awaitable[None]]]:
    """What injects a fault. In the end each is undone, and so is one that was being injected when the run was cut."""
    undos: list[Undo] = []

    async def inject(fault: Fault) -> None:
        await to_its_end(stack.inject(fault), undos.append)

    try:
        yield inject
    finally:
        await asyncio.gather(*(undo() for undo in undos))

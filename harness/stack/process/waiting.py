"""Bounded waits: for a part to answer, for several things at once.

Whether a part that is no pod answers, asked at its own protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from harness.base.clock import Clock, polling
from harness.base.errors import RehearsalError
from harness.model.stack import Address
from harness.stack.firebase import commands
from harness.stack.process.processes import Process


async def secrets_served(address: Address) -> bool:
    """Whether the stand-in for Secret Manager answers."""
    return await http_status(address, "/healthz") == 200


#: The Firebase parts, by name.
CHECKS: dict[str, Callable[[Address], Awaitable[bool]]] = {
    "auth": commands.auth_ready,
    "firestore": commands.firestore_ready,
    "remote_config": commands.remote_config_ready,
    "storage": commands.storage_ready,
}


async def logs_in(address: Address, user: str, database: str, password: str) -> bool:
    """Whether the application's role can log in to PostgreSQL."""
    try:
        connection = await asyncpg.connect(
            host=address.host, port=address.port, user=user, database=database, password=password, ssl=False, timeout=2
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    with contextlib.suppress(TimeoutError):  # it has let us in; a busy machine is slow to say goodbye
        await connection.close(timeout=2)
    return True


T = TypeVar("T")
_POLL_S = 0.05
_ASK_TIMEOUT_S = 1.0


async def until(
    check: Callable[[], Awaitable[bool]], process: Process, clock: Clock, *, limit_s: float, what: str
) -> None:
    """Polls until ``check`` holds. Raises ``StackNotStarted`` when the process ends first or ``limit_s`` passes."""
    again = polling(clock, limit_s=limit_s, every_s=_POLL_S)
    while not await check():
        if process.returncode is not None:
            raise process.not_started(f"{process.died()} before it {what}")
        if not await again():
            raise process.not_started(f"not yet {what} after {limit_s:g} s")


async def http_status(address: Address, path: str, timeout_s: float = _ASK_TIMEOUT_S) -> int:
    """The status of a GET on a new connection; 0 when there was no answer in time."""
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            host = f"{address.host}:{address.port}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            line = await reader.readline()
            return int(line.split()[1])
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0
    finally:
        if writer is not None:
            writer.close()


async def accepts(address: Address) -> bool:
    """Whether somebody accepts TCP connections there."""
    try:
        async with asyncio.timeout(_ASK_TIMEOUT_S):
            _reader, writer = await asyncio.open_connection(address.host, address.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def given_up(task: asyncio.Task[Any]) -> None:
    """Cancels ``task`` and waits for its end; raises what it raised. Whoever is cancelled meanwhile is cancelled."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


@asynccontextmanager
async def undone_if_broken(undo: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """What was begun in part is undone when the rest fails: no caller gets an undo for it.

    The error is that of the beginning, whatever the undoing says.
    """
    try:
        yield
    except BaseException:
        with suppress(RehearsalError):
            await undo()
        raise


async def to_its_end(work: Coroutine[Any, Any, T], keep: Callable[[T], None]) -> None:
    """Hands what ``work`` makes to ``keep``. Whoever is cancelled meanwhile waits for the whole all the same, and is
    cancelled then: half of it nobody undoes."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    if not task.cancelled() and task.exception() is None:
        keep(task.result())
    if cancelled:
        raise asyncio.CancelledError
    task.result()


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Runs all; the first error cancels the others and is raised alone, so that a person reads one cause."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""What the contract's tests look at on a stack of any rung: answers, pods, events, figures, the database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection

import asyncpg

from harness.model.evidence import EventRow, SampleRow
from harness.model.stack import DatabaseAccess, EnvironmentKind
from harness.stack.protocol import Stack
from tests.stack.rungs import Answer, ask

#: Seconds; metrics-server has a new figure every 15 s.
SAMPLES_LIMIT_S = {EnvironmentKind.LOCAL: 15, EnvironmentKind.KIND: 60, EnvironmentKind.KUBE: 60}


#: Until pods that leave have left the endpoints of every node: kube-proxy took up to 3 s on a busy machine.
LEFT_S = {EnvironmentKind.LOCAL: 0.5, EnvironmentKind.KIND: 5.0, EnvironmentKind.KUBE: 5.0}
GIVEN_UP_S = 10.0  # on looking for those that leave: a proxy may read late that they do
IN_A_ROW = 60  # of four pods one is missed so often by chance once in 30 million


async def wait_for(stack: Stack, wanted: str, *, limit_s: float = 20) -> EventRow:
    """The first pod event from now on with that state."""
    begun_ns = time.monotonic_ns()
    async with asyncio.timeout(limit_s):
        async for row in stack.watch():
            if isinstance(row, EventRow) and row.at_ns >= begun_ns and row.data.get("state") == wanted:
                return row
    raise AssertionError("watch ended")


async def many(stack: Stack, count: int, path: str = "/v1/walks") -> list[Answer]:
    return [await ask(stack.endpoints().service, path) for _ in range(count)]


async def pods_of(stack: Stack) -> set[str]:
    """Who answers, once those that leave have left the endpoints."""
    await asyncio.sleep(LEFT_S[stack.rung])
    answers = await many(stack, 40)
    assert {answer.status for answer in answers} == {200}
    return {answer.headers["x-pod"] for answer in answers}


async def left(stack: Stack, pods: Collection[str]) -> None:
    """Returns when so many requests in a row led to none of these pods that they have left, or is given up."""
    until, row = time.monotonic() + GIVEN_UP_S, 0
    while row < IN_A_ROW and time.monotonic() < until:
        answer = await ask(stack.endpoints().service, "/v1/walks")
        row = 0 if answer.status == 0 or answer.headers.get("x-pod") in pods else row + 1


async def memory_of(stack: Stack, pod: str, wanted: Callable[[float], bool]) -> None:
    """Returns when a figure of the pod from now on is as wanted."""
    begun_ns = time.monotonic_ns()
    async with asyncio.timeout(2 * SAMPLES_LIMIT_S[stack.rung]):
        async for row in stack.watch():
            if not isinstance(row, SampleRow) or row.at_ns <= begun_ns:
                continue
            if (row.metric, row.subject) == ("memory_bytes", f"pod/{pod}") and wanted(row.value):
                return
    raise AssertionError("watch ended")


async def events(stack: Stack) -> list[EventRow]:
    """All so far."""
    found: list[EventRow] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            async for row in stack.watch():
                if isinstance(row, EventRow):
                    found.append(row)
    return found


async def superuser(access: DatabaseAccess) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=access.address.host,
        port=access.address.port,
        user=access.superuser,
        password=access.password,
        database=access.database,
        ssl=False,
        command_timeout=10,
    )


async def written(access: DatabaseAccess, text: str) -> list[str]:
    """What was written so far, with ``text`` as the last."""
    connection = await superuser(access)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS standby_test (n serial, text text)")
        await connection.execute("INSERT INTO standby_test (text) VALUES ($1)", text)
        return [row["text"] for row in await connection.fetch("SELECT text FROM standby_test ORDER BY n")]
    finally:
        await connection.close()

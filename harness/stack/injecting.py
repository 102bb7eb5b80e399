"""What every rung's faults have in common: their numbers, what is told of them, and that each is over once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from harness.base.errors import BadInput, RehearsalError
from harness.model.message import message
from harness.model.stack import DELAYS, Fault
from harness.stack.fault_proxy import FaultProxy
from harness.stack.feed import Feed
from harness.stack.protocol import Stack, Undo
from harness.stack.waiting import given_up, to_its_end

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

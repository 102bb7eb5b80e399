"""What every rung's faults have in common: their numbers, what is told of them, and that each is over once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
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

    Told before, for what takes seconds to begin breaks things from its first moment on; one that does not begin is told
    as undone, and raises what ``begin`` raised.
    """
    told, told_undone = message("injected: {fault}", fault=fault.told), message("undone: {fault}", fault=fault.told)
    feed.event("fault", fault.kind, told, share=fault.share, delay_ms=fault.delay_ms)
    try:
        end = await begin
    except RehearsalError:
        feed.event("fault", fault.kind, told_undone)
        raise
    undone = False

    async def undo() -> None:
        nonlocal undone
        if not undone:
            undone = True
            await end()
            feed.event("fault", fault.kind, told_undone)

    return undo


@asynccontextmanager
async def undone_if_broken(undo: Undo) -> AsyncIterator[None]:
    """What was begun in part is undone when the rest fails: no caller gets an undo for it.

    The error is that of the beginning, whatever the undoing says.
    """
    try:
        yield
    except BaseException:
        with suppress(RehearsalError):
            await undo()
        raise


async def nothing() -> None:
    """What has mended itself, or is mended by the kubelet, needs no undo."""


def until_undone(work: Coroutine[Any, Any, None]) -> Undo:
    """Begins ``work``, which goes on until it is undone."""
    task = asyncio.ensure_future(work)

    async def undo() -> None:
        await given_up(task)

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

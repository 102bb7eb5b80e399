"""Faults that are over with what they were injected for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from harness.model.stack import Fault
from harness.stack.protocol import Stack, Undo
from harness.stack.waiting import to_its_end


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

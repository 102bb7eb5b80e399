"""Faults are undone however that ends for which they were injected."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from harness.model.stack import Fault, FaultKind
from harness.stack.injecting import injecting
from harness.stack.protocol import Stack, Undo

HANG = Fault(kind=FaultKind.PART_HANG, subject="firestore")


class Broken:
    """A stack of which only faults are asked; ``there`` are those that are not undone."""

    def __init__(self) -> None:
        self.there: list[str] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def inject(self, fault: Fault) -> Undo:
        self.begun.set()
        await self.go_on.wait()
        self.there.append(fault.subject)

        async def undo() -> None:
            self.there.remove(fault.subject)

        return undo


async def broken_for(stack: Broken, error: Exception | None = None) -> None:
    async with injecting(cast(Stack, cast(Any, stack))) as inject:
        await inject(HANG)
        assert stack.there == ["firestore"]
        if error is not None:
            raise error


async def test_a_fault_is_over_with_what_it_was_for_and_with_its_error() -> None:
    stack = Broken()
    stack.go_on.set()
    await broken_for(stack)
    assert stack.there == []
    with pytest.raises(OSError, match="away"):
        await broken_for(stack, OSError("away"))
    assert stack.there == []


async def test_one_that_is_cut_while_it_is_injected_is_undone_all_the_same() -> None:
    stack = Broken()
    task = asyncio.ensure_future(broken_for(stack))
    await stack.begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    stack.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stack.there == []

"""Faults are undone however that ends for which they were injected."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, PartDied, RehearsalError
from harness.checks.reconciled import stretches
from harness.model.evidence import EventRow
from harness.model.stack import Fault, FaultKind
from harness.stack.faults.injecting import begun, injecting, nothing, until_undone
from harness.stack.process.processes import Feed
from harness.stack.process.waiting import undone_if_broken
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


async def broken_by(error: RehearsalError) -> Undo:
    raise error


async def test_each_fault_is_told_when_it_begins_and_once_when_it_is_over() -> None:
    feed, stack = Feed(MachineClock()), Broken()
    stack.go_on.set()

    def told() -> list[tuple[str, str]]:
        return [(row.subject, row.message) for row in feed._rows if isinstance(row, EventRow)]

    undo = await begun(HANG, stack.inject(HANG), feed)
    assert told() == [("part_hang", "injected: part hang firestore")]
    await undo()
    await undo()
    whole = [("part_hang", "injected: part hang firestore"), ("part_hang", "undone: part hang firestore")]
    assert (told(), stack.there) == (whole, [])
    with pytest.raises(BadInput, match="no pod"):
        await begun(HANG, broken_by(BadInput("no pod is ready")), feed)
    assert told() == whole * 2


async def test_what_was_begun_in_part_is_undone_and_the_error_is_that_of_the_beginning() -> None:
    seen: list[str] = []

    async def undo() -> None:
        seen.append("undone")
        raise PartDied("envoy died")

    with pytest.raises(BadInput, match="no pod"):
        async with undone_if_broken(undo):
            raise BadInput("no pod is ready")
    assert seen == ["undone"]
    async with undone_if_broken(undo):
        pass
    assert seen == ["undone"]


async def test_one_that_is_over_at_once_is_told_so_at_once() -> None:
    """Till its undo everything that went wrong would count as its doing."""
    feed = Feed(MachineClock())

    async def killed() -> Undo:
        return nothing

    assert await begun(Fault(kind=FaultKind.POD_KILL), killed(), feed) is nothing
    rows = [row for row in feed._rows if isinstance(row, EventRow)]
    assert [row.message for row in rows] == ["injected: pod kill", "undone: pod kill"]
    (outage,) = stretches(rows, end_ns=2**62, matters=lambda _: True)
    assert outage.to_ns == rows[1].at_ns


async def test_an_undo_that_fails_is_not_done_and_nobody_returns_before_it_is() -> None:
    feed, tries = Feed(MachineClock()), list[str]()
    go_on = asyncio.Event()

    async def end() -> None:
        tries.append("")
        await go_on.wait()
        if len(tries) == 1:
            raise PartDied("docker is busy")

    async def hang() -> Undo:
        return end

    def told() -> int:
        return sum(isinstance(row, EventRow) and row.message.startswith("undone") for row in feed._rows)

    undo = await begun(HANG, hang(), feed)
    first, second = asyncio.ensure_future(undo()), asyncio.ensure_future(undo())
    await asyncio.sleep(0)
    assert not first.done() and not second.done()
    go_on.set()
    with pytest.raises(PartDied):
        await first
    await second
    assert (len(tries), told()) == (2, 1)
    await undo()
    assert (len(tries), told()) == (2, 1)


async def test_what_went_on_until_it_broke_is_over_and_says_so_once() -> None:
    feed = Feed(MachineClock())

    async def work() -> None:
        raise PartDied("docker is busy")

    async def slow() -> Undo:
        return until_undone(work())

    undo = await begun(HANG, slow(), feed)
    await asyncio.sleep(0)
    with pytest.raises(PartDied):
        await undo()
    await undo()
    rows = [row.message for row in feed._rows if isinstance(row, EventRow)]
    assert rows == ["injected: part hang firestore", "undone: part hang firestore"]

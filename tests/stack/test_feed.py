"""The feed of the local stack: order, late readers, its end, its bound."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import EvidenceNotWritten, PartDied, RehearsalError
from harness.model.evidence import MEASUREMENT_ERROR, EventRow
from harness.stack.process import processes as module
from harness.stack.process.processes import Feed


async def read(feed: Feed) -> list[str]:
    return [row.message async for row in feed.follow() if isinstance(row, EventRow)]


async def test_early_and_late_readers_get_every_row_in_order() -> None:
    feed = Feed(MachineClock())
    early = asyncio.ensure_future(read(feed))
    for number in range(3):
        feed.event("pod", "a", str(number))
        await asyncio.sleep(0)
    late = asyncio.ensure_future(read(feed))
    feed.event("pod", "a", "3")
    await asyncio.sleep(0)
    feed.close()
    assert await early == await late == ["0", "1", "2", "3"]
    assert await read(feed) == ["0", "1", "2", "3"]


async def test_the_first_error_comes_after_the_rows_before_it() -> None:
    feed = Feed(MachineClock())
    feed.event("pod", "a", "before")
    feed.fail(PartDied("postgres died"))
    feed.fail(PartDied("and everything else with it"))
    rows = feed.follow()
    assert (await anext(rows)).subject == "a"
    with pytest.raises(PartDied, match=r"^postgres died$"):
        await anext(rows)


async def test_an_error_of_ours_is_told_as_one() -> None:
    feed = Feed(MachineClock())
    feed.fail_with(ZeroDivisionError("x"))
    with pytest.raises(RehearsalError, match="failed inside: ZeroDivisionError"):
        await read(feed)


async def test_a_full_disk_is_no_error_of_ours() -> None:
    feed = Feed(MachineClock())
    feed.fail_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full"))
    with pytest.raises(EvidenceNotWritten, match="a disk is full"):
        await read(feed)


async def test_a_reader_that_falls_behind_loses_the_oldest_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_ROWS", 5)
    feed = Feed(MachineClock())
    rows = feed.follow()
    feed.event("pod", "a", "0")
    assert (await anext(rows)).at_ns > 0
    for number in range(1, 20):
        feed.event("pod", "a", str(number))
    feed.close()
    told = [row async for row in rows if isinstance(row, EventRow)]
    assert [row.message for row in told[1:]] == ["15", "16", "17", "18", "19"]
    assert (told[0].kind, told[0].message) == (
        MEASUREMENT_ERROR,
        "14 rows of the stack's own were lost before they were read",
    )

"""What is waited for and does not come: told as people can read it, or as a result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import asyncpg
import pytest

from harness.base.clock import MachineClock
from harness.base.errors import Exit
from harness.evidence.store import Gathered
from harness.model.evidence import Outcome, ProbeRow
from harness.rehearsals.dr_restore import procedure
from harness.rehearsals.dr_restore.procedure import Traffic
from harness.rehearsals.dr_restore.server import Sentinels
from harness.rehearsals.dr_restore.types import NotInTime

CLOCK = MachineClock()


async def nobody() -> asyncpg.Connection:
    raise OSError("nobody listens")


def with_ledger(*rows: ProbeRow) -> Traffic:
    """Traffic that saw just these probes."""
    made = cast(Any, Traffic.__new__(Traffic))
    made.evidence, made._clock = Gathered(), CLOCK
    made.evidence.see(rows)
    return cast(Traffic, made)


def good_probe(at_ns: int) -> ProbeRow:
    return ProbeRow(
        probe_id=1, user="c", method="GET", due_ns=at_ns, sent_ns=at_ns, done_ns=at_ns, status=200, outcome=Outcome.OK
    )


async def told_by(wait: Awaitable[int]) -> str:
    async with asyncio.timeout(5):
        with pytest.raises(NotInTime) as late:
            await wait
    assert late.value.exit is Exit.RUN_BROKEN
    assert late.value.where
    assert late.value.remedy
    return late.value.what


async def test_a_disaster_that_nobody_notices() -> None:
    sentinels = Sentinels(CLOCK, nobody, 1.0)
    assert "no 3 sentinels in a row failed within 0.02 s" in await told_by(sentinels.failing(3, 0.02))
    now_ns = CLOCK.now_ns()
    assert "good probes still come 0.1 s" in await told_by(with_ledger(good_probe(now_ns)).blackout(now_ns, 0.1))


async def test_a_restored_instance_that_takes_no_commit() -> None:
    sentinels = Sentinels(CLOCK, nobody, 1.0)
    assert "took no commit within 0.02 s" in await told_by(sentinels.succeeding(CLOCK.now_ns(), 0.02))


async def test_no_good_probe_in_time_is_a_result() -> None:
    now_ns = CLOCK.now_ns()
    assert await with_ledger(good_probe(now_ns - 1)).first_good(now_ns, 0.1) is None
    assert await with_ledger(good_probe(now_ns + 1)).first_good(now_ns, 0.1) == now_ns + 1


async def test_a_blackout_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedure, "BLACKOUT_S", 0.05)
    assert await with_ledger().blackout(CLOCK.now_ns(), 5.0)

"""What a loop awaits between two looks: it may look at once, and a last time when the limit has passed."""

from __future__ import annotations

import asyncio

import pytest

from harness.base.clock import NS, polling
from harness.base.virtual import START_S, VirtualClock


@pytest.mark.parametrize(
    ("limit_s", "looks_s"),
    [
        (1.0, [0.0, 0.4, 0.8, 1.2]),
        (0.8, [0.0, 0.4, 0.8]),  # at the limit itself it has passed
        (0.0, [0.0]),
    ],
)
def test_it_is_looked_until_the_limit_has_passed(limit_s: float, looks_s: list[float]) -> None:
    clock = VirtualClock()

    async def never() -> list[float]:
        again, seen = polling(clock, limit_s=limit_s, every_s=0.4), [clock.now_ns()]
        while await again():
            seen.append(clock.now_ns())
        return [at_ns / NS - START_S for at_ns in seen]

    assert clock.run(never()) == pytest.approx(looks_s)


def test_one_limit_holds_for_all_that_is_waited_for() -> None:
    clock = VirtualClock()

    async def two() -> int:
        again = polling(clock, limit_s=1.0, every_s=0.4)
        await clock.sleep(5.0)
        assert not await again()
        return clock.now_ns()

    assert clock.run(two()) == (START_S + 5) * NS


def test_who_waits_is_cancelled_in_the_wait() -> None:
    clock = VirtualClock()

    async def cut() -> int:
        waiting = asyncio.ensure_future(polling(clock, limit_s=100.0, every_s=50.0)())
        await clock.sleep(1.0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return clock.now_ns()

    assert clock.run(cut()) == (START_S + 1) * NS

"""Greenlets on an event loop: waiting, ending, timeouts, in the loop's time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import greenlet
import pytest

from harness.base.virtual import START_S, VirtualClock
from harness.load.sim.greenlets import Greenlet, timeout, wait


class Late(BaseException):
    pass


def now_s() -> float:
    return asyncio.get_running_loop().time() - START_S


def slept(seconds: float) -> float:
    wait(asyncio.sleep(seconds))
    return now_s()


def result_of(work: Callable[[], Any]) -> Any:
    async def run() -> Any:
        return await Greenlet(work).task

    return VirtualClock().run(run())


def test_each_waits_in_virtual_time_beside_the_others() -> None:
    async def run() -> list[float]:
        return list(await asyncio.gather(*(Greenlet(slept, seconds).task for seconds in (3600.0, 1.0, 60.0))))

    clock = VirtualClock()
    assert clock.run(run()) == pytest.approx([3600, 1, 60])
    assert clock.now_ns() - clock.anchor.monotonic_ns == 3600 * 10**9


def test_what_an_awaitable_raises_is_raised_in_the_greenlet() -> None:
    async def broken() -> None:
        await asyncio.sleep(1)
        raise KeyError("here")

    def work() -> str:
        try:
            wait(broken())
        except KeyError as error:
            return f"{error} after {now_s():g} s"
        return "nothing"

    assert result_of(work) == "'here' after 1 s"


def test_what_the_greenlet_raises_is_its_task_s() -> None:
    def work() -> None:
        slept(1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        result_of(work)


def test_a_timeout_ends_the_block_and_no_other() -> None:
    def work() -> tuple[float, float, float]:
        with timeout(5, Late()):
            within = slept(4)
        try:
            with timeout(5, Late()):
                slept(60)
        except Late:
            late = now_s()
        return within, late, slept(100)  # neither clock runs any more

    assert result_of(work) == pytest.approx((4, 9, 109))


def test_an_inner_block_keeps_to_the_outer_timeout() -> None:
    def work() -> float:
        with pytest.raises(Late), timeout(2, Late()), timeout(50, KeyError()):
            slept(60)
        return now_s()

    assert result_of(work) == pytest.approx(2)


def test_a_killed_greenlet_ends_where_it_waits_and_closes_what_it_opened() -> None:
    closed: list[float] = []

    def work() -> None:
        try:
            slept(60)
        finally:
            closed.append(now_s())

    async def run() -> tuple[Any, bool, Any]:
        made = Greenlet(work)
        await asyncio.sleep(1)
        assert not made.dead
        made.kill()
        made.kill()
        return await made.task, made.dead, made.value

    assert VirtualClock().run(run()) == (None, True, None)
    assert closed == [pytest.approx(1)]


def test_one_killed_before_its_turn_never_begins() -> None:
    begun: list[int] = []

    async def run() -> bool:
        made = Greenlet(begun.append, 1)
        made.kill()
        await made.task
        return made.dead

    assert VirtualClock().run(run())
    assert begun == []


def test_a_cancelled_task_cancels_the_greenlet() -> None:
    seen: list[BaseException] = []

    def work() -> None:
        try:
            slept(60)
        except BaseException as error:
            seen.append(error)
            raise

    async def run() -> None:
        made = Greenlet(work)
        await asyncio.sleep(1)
        made.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await made.task

    VirtualClock().run(run())
    assert [type(each) for each in seen] == [asyncio.CancelledError]


def test_a_greenlet_begins_others() -> None:
    def work() -> tuple[float, Any]:
        other = Greenlet(slept, 5)
        return slept(1), wait(other.task)

    assert result_of(work) == pytest.approx((1, 5))


def test_outside_a_greenlet_nothing_can_be_awaited() -> None:
    assert greenlet.getcurrent().parent is None
    waiting = asyncio.sleep(0)
    with pytest.raises(AssertionError, match="outside a greenlet"):
        wait(waiting)
    waiting.close()

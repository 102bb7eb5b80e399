"""The loop of virtual time: it jumps to its timers, and waits in earnest for a thread, a descriptor and a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from harness.base.clock import NS
from harness.base.virtual import START_S, VirtualClock


async def now_s() -> float:
    return asyncio.get_running_loop().time() - START_S


def test_it_jumps_to_each_timer_and_to_the_nanosecond() -> None:
    clock = VirtualClock()

    async def work() -> list[int]:
        seen = []
        for seconds in (3 * 86_400.0, 5e-9, 0.1, 0.0):  # a select waits a day at most
            before = clock.now_ns()
            await clock.sleep(seconds)
            seen.append(clock.now_ns() - before)
        return seen

    assert clock.run(work()) == [3 * 86_400 * NS, 5, NS // 10, 0]


def test_its_time_stands_still_while_a_thread_works() -> None:
    """A timer that is due meanwhile comes after it, whatever the thread takes."""
    told: list[str] = []

    def thread() -> None:
        threading.Event().wait(0.05)
        told.append("thread")

    async def work() -> float:
        timer = asyncio.create_task(asyncio.sleep(60))
        timer.add_done_callback(lambda _: told.append("timer"))
        await asyncio.to_thread(thread)
        ended_s = await now_s()
        await timer
        return ended_s

    assert VirtualClock().run(work()) == 0
    assert told == ["thread", "timer"]


def test_what_comes_by_a_descriptor_is_heard_before_the_next_timer() -> None:
    reader, writer = os.pipe()

    async def work() -> float:
        came = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(reader, came.set)
        os.write(writer, b"x")
        async with asyncio.timeout(60):
            await came.wait()
        loop.remove_reader(reader)
        return await now_s()

    try:
        assert VirtualClock().run(work()) == 0
    finally:
        os.close(reader)
        os.close(writer)


def test_a_signal_ends_a_wait_that_nothing_else_would() -> None:
    async def work() -> bool:
        came = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, came.set)
        signal.raise_signal(signal.SIGUSR1)
        return await came.wait()

    assert VirtualClock().run(work())


def test_a_signal_is_heard_amid_timers_without_end() -> None:
    """As an interrupted run's: its clock ticks once a second for as long as it is let."""

    async def work() -> float:
        came = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, came.set)
        signal.raise_signal(signal.SIGUSR1)
        for _ in range(1000):
            if came.is_set():
                return await now_s()
            await asyncio.sleep(1)
        raise AssertionError("not heard in 1,000 s")

    assert VirtualClock().run(work()) < 100


def test_where_nothing_is_due_it_ends_at_once_and_names_the_tasks_that_wait() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(waits_for_ever())

    with pytest.raises(match=r"waits_for_ever \(test_virtual.py:\d+\)"):
        VirtualClock().run(work())

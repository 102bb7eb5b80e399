"""What breaks while requests are sent evenly is told as what it is, alone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.clock import NS
from harness.base.errors import StackNotStarted
from harness.base.virtual import VirtualClock
from harness.rehearsals.network.front import Front

PLAN = SimpleNamespace(renewal_s=10.0, rate_per_s=2.0, hold_s=5.0)


def front(clock: VirtualClock, asked: list[int]) -> Any:
    async def https(path: int) -> int:
        asked.append(path)
        await clock.sleep(1)
        return 200

    return SimpleNamespace(
        _plan=PLAN, _clock=clock, _https=https, _list=lambda number: number,
        _answer=lambda _path, _scene, _answer, due_ns: SimpleNamespace(at_ns=due_ns),
    )  # fmt: skip


def test_requests_are_sent_evenly_while_something_changes_and_for_the_plan_s_time() -> None:
    clock, asked = VirtualClock(), list[int]()
    begun_ns = clock.now_ns()

    async def change() -> None:
        await clock.sleep(20)

    course = clock.run(Front._course(front(clock, asked), change))
    assert asked == [*range(len(course.answers))] and len(asked) >= 40
    assert course.done_ns is not None and (course.done_ns - course.changed_ns) / NS == pytest.approx(20)
    assert [each.at_ns for each in course.answers][:3] == [begun_ns, begun_ns + NS // 2, begun_ns + NS]


def test_a_change_that_fails_is_the_one_error_and_ends_the_requests() -> None:
    clock, asked = VirtualClock(), list[int]()

    async def change() -> None:
        raise StackNotStarted("the certificate was refused")

    async def broken() -> None:
        with pytest.raises(StackNotStarted, match="certificate"):
            await Front._course(front(clock, asked), change)
        count = len(asked)
        await clock.sleep(30)
        assert len(asked) == count
        assert len(asyncio.all_tasks()) == 1

    clock.run(broken())
    assert asked

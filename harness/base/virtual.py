"""Virtual time: an event loop that jumps to its next timer, and the clock of the harness and of the API on it."""

from __future__ import annotations

import asyncio
import gc
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

from harness.base.clock import NS, Anchor, Clock
from harness.base.errors import RehearsalError
from harness.base.message import message

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
#: Not 0, so that nothing that holds no time yet looks like one.
START_S = 1000
EPOCH_UNIX_S = 1_760_918_400  # 2025-10-20T00:00:00Z
ANCHOR = Anchor(monotonic_ns=START_S * NS, unix_ns=EPOCH_UNIX_S * NS)
#: Rounds of the loop between two looks for a signal, where it has nothing else to hear of from outside.
_LOOK_EVERY = 64


def _stuck() -> RehearsalError:
    """Of a mistake of ours, with where each task waits."""
    waiting = ", ".join(sorted(map(_where, asyncio.all_tasks())))
    told = message("nothing is due in virtual time, and these tasks wait for ever: {tasks}", tasks=waiting)
    return RehearsalError(told, remedy="please keep the report's folder and tell the maintainers")


def _where(task: asyncio.Task[Any]) -> str:
    at = [f" ({Path(each.f_code.co_filename).name}:{each.f_lineno})" for each in task.get_stack(limit=1)]
    return "".join([getattr(task.get_coro(), "__qualname__", task.get_name()), *at])


class _Jump(selectors.DefaultSelector):
    """What the loop asks how long to wait: it answers at once, and its time is then that of the next timer."""

    def __init__(self, start_ns: int) -> None:
        super().__init__()
        self.now_ns = start_ns
        self.threads = 0  # at work for the loop
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What came from outside. A thread at work is waited for in real time, in which the loop's stands still.
        Raises ``RehearsalError`` where no timer, thread or descriptor is left that could end a wait."""
        alone = len(self.get_map()) == 1  # the loop's own descriptor, for signals
        if (self.threads and timeout != 0) or (timeout is None and not alone):
            return super().select(None)
        if timeout is None:
            if found := super().select(0):
                return found
            raise _stuck()
        self._rounds += 1
        if self._rounds % _LOOK_EVERY == 0 or not alone:
            found = super().select(0)
            if found:
                return found
        if timeout > 0:
            self.now_ns += max(1, round(timeout * NS))  # a nanosecond at least, or the loop would not reach the timer
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that waits for nothing: when nothing is ready it jumps to its next timer.

    Timers of the same moment run in the order of the loop's heap, which the same calls always fill alike. The
    resolution is that of the evidence, a nanosecond, so that a wait ends at the nanosecond asked for.
    """

    def __init__(self, start_s: int = 0) -> None:
        self._jump = _Jump(start_s * NS)
        super().__init__(self._jump)

    def now_ns(self) -> int:
        """Its time in whole nanoseconds."""
        return self._jump.now_ns

    def time(self) -> float:
        """The same in seconds."""
        return self._jump.now_ns / NS

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], T], *args: *Arguments
    ) -> asyncio.Future[T]:
        """As any loop's; it does not jump until the thread has ended."""
        future = super().run_in_executor(executor, func, *args)
        self._jump.threads += 1
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _: asyncio.Future[Any]) -> None:
        self._jump.threads -= 1


class VirtualClock:
    """The time of a loop of its own, in whole nanoseconds, for the harness (``Clock``) and the API (its own ``Clock``).

    It stands still until ``run``, and again after it.
    """

    anchor = ANCHOR

    def __init__(self) -> None:
        self._loop: VirtualLoop | None = None

    def now_ns(self) -> int:
        """The monotonic time."""
        return ANCHOR.monotonic_ns if self._loop is None else self._loop.now_ns()

    def wall_ns(self) -> int:
        """The wall clock, which nobody sets here."""
        return ANCHOR.unix_ns + self.now_ns() - ANCHOR.monotonic_ns

    async def sleep(self, seconds: float) -> None:
        """Until the loop has jumped there."""
        await asyncio.sleep(seconds)

    def monotonic_ns(self) -> int:
        """The same, as the API calls it."""
        return self.now_ns()

    def unix_s(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self.wall_ns() / NS

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """``work`` in the clock's own loop, once. Cycles are collected afterwards: what is collected in mid-run, and
        when, hangs on what the process did before.
        """
        assert self._loop is None, "a virtual clock runs once"
        collected = gc.isenabled()
        gc.disable()
        self._loop = loop = VirtualLoop(START_S)
        try:
            return loop.run_until_complete(work)
        finally:
            for task in asyncio.all_tasks(loop):  # of what ended with nothing due
                task.cancel()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            if collected:
                gc.enable()


def runner(clock: Clock | None) -> Callable[[Coroutine[Any, Any, T]], T]:
    """What runs a whole command in the time of ``clock``: ``asyncio.run``, or the virtual clock's own loop."""
    if isinstance(clock, VirtualClock):
        return clock.run
    return asyncio.run

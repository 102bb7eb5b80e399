"""Greenlets on an event loop: code that blocks its caller, such as a phone, waits in the loop's time, virtual or not.

Each greenlet is driven by a task. What it waits for it hands to that task (``wait``), which awaits it and hands back
what came of it. So a greenlet can be ended, or timed out, while it waits and at no other moment, as in gevent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import copy_context
from typing import Any, TypeVar

import greenlet

T = TypeVar("T")


class Greenlet:
    """``work`` beside the caller. What it raises is its task's exception; ``greenlet.GreenletExit`` ends it quietly."""

    def __init__(self, work: Callable[..., Any], *arguments: Any) -> None:
        self._inner = greenlet.greenlet(lambda: work(*arguments))
        self._inner.gr_context = copy_context()
        self._waits = False
        self._cancelled = False
        self._to_raise: BaseException | None = None
        self._dead = False
        self.task = asyncio.get_running_loop().create_task(self._drive())
        _RUNNING[self._inner] = self

    @property
    def dead(self) -> bool:
        """Whether it has ended."""
        return self._dead

    @property
    def value(self) -> Any:
        """What it returned; ``None`` before, and when it raised."""
        if not self.task.done() or self.task.cancelled() or self.task.exception() is not None:
            return None
        return self.task.result()

    def kill(self, *, block: bool = True) -> None:
        """Ends it where it waits. Returns at once, whatever ``block`` says: nothing can run between here and there."""
        del block
        if not self._dead:
            self.interrupt(greenlet.GreenletExit())

    def interrupt(self, error: BaseException) -> None:
        """Raises ``error`` where it waits."""
        if self._dead:
            return
        self._to_raise = error
        if self._waits and not self._cancelled:
            self._cancelled = self.task.cancel()

    async def _drive(self) -> Any:
        self._inner.parent = greenlet.getcurrent()
        try:
            if self._to_raise is not None:  # ended before it began
                return None
            asked = self._inner.switch()
            while not self._inner.dead:
                asked = await self._answer(asked)
        finally:
            self._dead = True
            del _RUNNING[self._inner]
        return None if isinstance(asked, greenlet.GreenletExit) else asked

    async def _answer(self, asked: Awaitable[Any]) -> Any:
        """Awaits what the greenlet asked for and lets it go on; what it asks for next, or its result."""
        self._waits = True
        try:
            answer = await asked
        except BaseException as error:
            return self._inner.throw(self._interruption() or error)
        interruption = self._interruption()
        return self._inner.throw(interruption) if interruption is not None else self._inner.switch(answer)

    def _interruption(self) -> BaseException | None:
        if self._cancelled:  # by ``interrupt``, which is no cancelling of the task
            self.task.uncancel()
        error, self._to_raise = self._to_raise, None
        self._waits = self._cancelled = False
        return error


_RUNNING: dict[greenlet.greenlet, Greenlet] = {}


def wait(awaitable: Awaitable[T]) -> T:
    """Blocks the calling greenlet until ``awaitable`` has ended; its result, or what it raised."""
    parent = greenlet.getcurrent().parent
    assert parent is not None, "called outside a greenlet"
    answer: T = parent.switch(awaitable)
    return answer


@contextlib.contextmanager
def timeout(seconds: float, error: BaseException) -> Iterator[None]:
    """Raises ``error`` in the calling greenlet's block where it still waits after ``seconds``."""
    handle = asyncio.get_running_loop().call_later(seconds, _RUNNING[greenlet.getcurrent()].interrupt, error)
    try:
        yield
    finally:
        handle.cancel()

"""The faults of a week's window, each in its time. Planted is what the stack let in while the window lasted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from harness.base.clock import NS
from harness.base.errors import PartDied
from harness.judge.window import Window
from harness.model.message import message
from harness.model.stack import Fault
from harness.rehearsal.running import Running
from harness.rehearsals.rollout.details import WeekDetails
from harness.stack.protocol import Undo

#: How long a fault that is being injected or undone as the window ends is waited for, s.
LIMIT_S = 120.0


class Planting:
    """``begin`` lets their time run, ``close`` says that the window is over, ``end`` leaves none half planted."""

    def __init__(self, faults: Sequence[Fault], on: Running[WeekDetails]) -> None:
        self._faults = faults
        self._on = on
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []
        self._acting: set[asyncio.Task[Any] | None] = set()  # injecting or undoing: half of it nobody undoes
        self._undo: list[Undo] = []

    def begin(self, window: Window) -> None:
        """From now on each is injected, and ended, when the plan says."""
        self._tasks = [asyncio.ensure_future(self._inject(fault, window)) for fault in self._faults]

    def look(self) -> None:
        """Raises what befell one of them."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    def close(self) -> None:
        """The window is over: none is begun any more, and one that comes to be planted is undone."""
        self._over = True

    async def end(self) -> None:
        """Gives up those whose time has not come, and waits for what is being injected or undone. Raises what befalls
        one of them, and ``PartDied`` for one that does not end within ``LIMIT_S``.
        """
        self.close()
        waiting = {task: fault for task, fault in zip(self._tasks, self._faults, strict=True) if not task.done()}
        for task in waiting:
            if task not in self._acting:
                task.cancel()
        try:
            hanging = (await asyncio.wait(waiting, timeout=LIMIT_S))[1] if waiting else set()
        finally:
            for task in waiting:
                task.cancel()
        if hanging:
            names = ", ".join(str(fault) for task, fault in waiting.items() if task in hanging)
            raise PartDied(
                message(
                    "{names}: neither injected nor undone within {limit_s} s of the window's end",
                    names=names,
                    limit_s=f"{LIMIT_S:g}",
                )
            )
        self.look()

    async def undo(self) -> None:
        """Ends every fault that there is."""
        for undo in self._undo:
            await undo()

    async def _inject(self, fault: Fault, window: Window) -> None:
        clock, task = self._on.clock, asyncio.current_task()
        await clock.sleep((window.start_ns - clock.now_ns()) / NS + fault.after_s)
        if self._over:
            return
        self._acting.add(task)
        undo = await self._plant(fault, window)
        self._acting.discard(task)
        if undo is not None and fault.for_s:
            await clock.sleep(fault.for_s)
            self._acting.add(task)
            await undo()
            self._on.say(message("fault ended: {fault}", fault=fault.told))

    async def _plant(self, fault: Fault, window: Window) -> Undo | None:
        """Its undo; ``None`` of one that was undone again, for the window had ended."""
        on = self._on
        undo = await on.stack.inject(fault)
        self._undo.append(undo)
        on.at_end(undo)
        if self._over or on.clock.now_ns() >= window.end_ns:
            await undo()
            late = message("fault injected only after the window had ended, and undone: {fault}", fault=fault.told)
            on.say(late)
            return None
        on.details.planted = (*on.details.planted, fault)
        on.say(message("fault injected: {fault}", fault=fault.told))
        return undo

"""A run's faults: planted is what the stack has let in, and one that fails is never silent."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import PartDied
from harness.base.progress import Progress
from harness.model.stack import Fault, FaultKind
from harness.rehearsals.rollout.details import WeekDetails
from harness.rehearsals.rollout.under_way import Week, _give_up

NOW = Fault(kind=FaultKind.ERRORS, share=0.12)
LATER = Fault(kind=FaultKind.ERRORS, share=0.12, after_s=60)


class Gate:
    """A stack as far as faults go."""

    def __init__(self, error: Exception | None = None, holds_s: float = 0.0) -> None:
        self.error, self.holds_s = error, holds_s

    async def inject(self, fault: Fault) -> Any:
        try:
            await asyncio.sleep(self.holds_s)
        except asyncio.CancelledError:
            if self.error is not None:
                raise self.error from None
            raise
        if self.error is not None:
            raise self.error
        return None


class Host:
    """A run as far as faults go."""

    def __init__(self, stack: Gate) -> None:
        self.stack = stack
        self.clock = MachineClock()
        self.progress = Progress(self.clock)
        self.details = WeekDetails()
        self.ends: list[Any] = []
        self.at_end = self.ends.append

    def say(self, text: str) -> None:
        self.progress(text)


def run_of(stack: Gate) -> tuple[Week, Host]:
    made, host = Week.__new__(Week), Host(stack)
    made._on = cast("Any", host)
    made._undo = []
    return made, host


async def test_planted_is_said_only_of_faults_that_were() -> None:
    made, host = run_of(Gate())
    start_ns = host.clock.now_ns()
    waiting = [asyncio.ensure_future(made._inject(fault, start_ns)) for fault in (NOW, LATER)]
    await asyncio.sleep(0.05)
    assert host.details.planted == (NOW,)
    await _give_up([task for task in waiting if not task.done()])  # the window has ended
    assert host.details.planted == (NOW,)
    assert len(host.ends) == 1, "it is undone before the stack goes, however the run ends"


async def test_a_fault_that_the_stack_refuses_was_not_planted() -> None:
    made, host = run_of(Gate(PartDied("the gate has ended")))
    with pytest.raises(PartDied):
        await made._inject(NOW, host.clock.now_ns())
    assert not host.details.planted


async def test_one_that_fails_as_the_window_ends_is_not_silent() -> None:
    made, host = run_of(Gate(PartDied("the gate has ended"), holds_s=60))
    task = asyncio.ensure_future(made._inject(NOW, host.clock.now_ns()))
    await asyncio.sleep(0.05)
    with pytest.raises(PartDied, match="the gate has ended"):
        await _give_up([task])

"""A run's faults: planted is what the stack has let in, and one that fails is never silent."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from harness.clock import MachineClock
from harness.lifecycle import Lifecycle
from harness.model.errors import PartDied
from harness.model.stack import Fault, FaultKind
from harness.progress import Progress
from harness.run import Rehearsal

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


def run_of(stack: Gate) -> Rehearsal:
    made = Rehearsal.__new__(Rehearsal)
    made.clock = MachineClock()
    made.progress = Progress(made.clock)
    made.lifecycle = Lifecycle(made.progress)
    made.stack = cast("Any", stack)
    made.planted, made._undo = [], []
    return made


async def test_planted_is_said_only_of_faults_that_were() -> None:
    made = run_of(Gate())
    start_ns = made.clock.now_ns()
    waiting = [asyncio.ensure_future(made._inject(fault, start_ns)) for fault in (NOW, LATER)]
    await asyncio.sleep(0.05)
    assert made.planted == [NOW]
    await made._end_faults([task for task in waiting if not task.done()])  # the window has ended
    assert made.planted == [NOW]
    assert not made.lifecycle.errors


async def test_a_fault_that_the_stack_refuses_was_not_planted() -> None:
    made = run_of(Gate(PartDied("the gate has ended")))
    with pytest.raises(PartDied):
        await made._inject(NOW, made.clock.now_ns())
    assert not made.planted


async def test_one_that_fails_as_the_window_ends_is_noted() -> None:
    made = run_of(Gate(PartDied("the gate has ended"), holds_s=60))
    task = asyncio.ensure_future(made._inject(NOW, made.clock.now_ns()))
    await asyncio.sleep(0.05)
    await made._end_faults([task])
    assert [str(error) for error in made.lifecycle.errors] == ["the gate has ended"]

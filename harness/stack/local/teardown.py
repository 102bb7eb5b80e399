"""The last of a tear down: whatever the stack's parts started and did not end themselves."""

from __future__ import annotations

import contextlib

import psutil

from harness.base.clock import Clock
from harness.stack.state import MARKER, PART_MARKER, RunState, cgroups, marked, shared_memory

_ROUNDS = 20
_EVERY_S = 0.05


async def end_strays(state: RunState, clock: Clock) -> None:
    """Kills processes that carry the run's and a part's marker, and removes what they left; at most 2 s."""
    for _ in range(_ROUNDS):
        strays = [
            process for process, environment in marked(MARKER, [state.lease.run_id]) if PART_MARKER in environment
        ]
        if not strays:
            break
        for stray in strays:
            with contextlib.suppress(psutil.Error):
                stray.kill()
        await clock.sleep(_EVERY_S)
    for _ in range(_ROUNDS):
        if not cgroups.remove_of_run(state.lease.run_id):  # a group is busy until the last of its processes is reaped
            break
        await clock.sleep(_EVERY_S)
    for segment in shared_memory.made_by(part.identity.pid for part in state.lease.parts):
        if segment.attached == 0:
            with contextlib.suppress(OSError):  # then the leak check names it
                shared_memory.remove(segment)

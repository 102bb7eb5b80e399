"""The last of a tear down: whatever the stack's parts started and did not end themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import psutil

from harness.base.clock import Clock
from harness.stack.state import MARKER, PART_MARKER, RunState, cgroups, marked, shared_memory

_ROUNDS = 20
_SEGMENT_ROUNDS = 200
_EVERY_S = 0.05


async def end_strays(state: RunState, clock: Clock) -> None:
    """Kills processes that carry the run's and a part's marker, and removes what they left.

    Tries for 1 s each, and for 10 s where shared memory is held.
    """
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
    for _ in range(_SEGMENT_ROUNDS):
        if not _remove_segments([part.identity.pid for part in state.lease.parts]):
            break
        await clock.sleep(_EVERY_S)


def _remove_segments(pids: Sequence[int]) -> bool:
    """Whether one is held: by a child of PostgreSQL's that was killed, and ends once a slow disk has answered it."""
    made = shared_memory.made_by(pids)
    for segment in made:
        if segment.attached == 0:
            with contextlib.suppress(OSError):  # then the leak check names it
                shared_memory.remove(segment)
    return any(segment.attached for segment in made)

"""``stack up``: a whole stack that stays until Ctrl-C or ``stack down``, and how another command finds it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.base.clock import Clock, utc
from harness.base.errors import Exit, tool_status
from harness.base.private import write_private
from harness.base.progress import Progress
from harness.evidence.failure import cut
from harness.model.message import Message, ProgressCallback, message
from harness.rehearsals.chaos.standing import StandingChaos
from harness.run.lifecycle import ENDING_LIMIT_S, Lifecycle, open_folder, run_identity
from harness.run.options import Options
from harness.stack import state
from harness.stack.environments.choice import manifests_of, stack_for
from harness.stack.environments.standing import RECORD, StackFacts, facts_of, recorded
from harness.stack.protocol import StackNeeds
from harness.stack.state.keeping import LeftRunning, PartStatus
from harness.stack.state.lease import LeaseCondition, condition, lives, remove_run_folder, run_folder
from harness.stack.state.processes import ends_in_order, tell, wait_gone
from harness.stack.state.sweeping import end_run

_TROUBLE = {
    LeaseCondition.LIVES: None,
    LeaseCondition.ABANDONED: message("its harness was killed"),
    LeaseCondition.ELSEWHERE: message("its harness is gone, and parts of it run on in another container"),
    LeaseCondition.UNKNOWN: message("whether its harness lives cannot be told"),
}
#: What a stack has to end in order: what is under way (a bring-up), and its tear down, each with a limit of its own,
#: which hold what a mirror has to write yet and the grace of each pod.
_ORDERLY_LIMIT_S = 2 * ENDING_LIMIT_S + 60.0


class StandingStack:
    """One ``stack up``. ``run`` returns an exit status after everything is down again."""

    def __init__(self, options: Options, clock: Clock, progress: Progress) -> None:
        self._options = options
        self._clock = clock
        self._progress = progress
        self.run_id = run_identity(clock, "stack", options.seed)
        self._manifests = manifests_of(options)  # a folder that is refused leaves no folder of a run
        self._folder = open_folder(options.reports, self.run_id)
        self._stack = stack_for(
            options,
            StackNeeds(manifests=self._manifests),
            run_id=self.run_id,
            folder=self._folder,
            clock=clock,
            progress=progress,
        )
        self.lifecycle = Lifecycle(progress)
        self.up: StackFacts | None = None

    async def run(self, told: Callable[[StackFacts], None]) -> Exit:
        """``told`` is called once, when the stack is up."""
        await self.lifecycle.run(self._stand(told))
        leaks = await self.lifecycle.take_down([self._stack])
        if not leaks:  # else by what stands in the folder the next command finds what is left
            remove_run_folder(self.run_id)
        errors = [error for error in self.lifecycle.errors if not (self.up and error.exit is Exit.INTERRUPTED)]
        for error in errors:
            self._progress.plain(message("error: {error}", error=str(error)))
        return tool_status({error.exit: True for error in errors} | {Exit.LEAK: leaks})

    async def _stand(self, told: Callable[[StackFacts], None]) -> None:
        state.sweep(lambda line: self._progress(message("left by a killed run: {what}", what=line)))
        self._progress.begin(message("bringing the stack up"))
        await self._stack.up()
        self.up = facts_of(
            self.run_id,
            self._options.rung,
            self._options.target.name,
            self._manifests,
            endpoints=self._stack.endpoints(),
            up_utc=utc(self._clock.anchor, self._clock.now_ns()),
            logs=str(self._folder / "logs"),
        )
        chaos = StandingChaos(self._stack, self._manifests, self._clock, run_folder(self.run_id))
        await chaos.bridge.start()
        write_private(run_folder(self.run_id) / RECORD, msgspec.json.encode(self.up))
        self._progress.end()  # before what is told on standard output
        told(self.up)
        self._progress.begin(message("the stack is up"))
        try:
            async for row in self._stack.watch():  # until a part dies or somebody interrupts
                chaos.saw(row)
                for said in cut(self._folder / "logs"):
                    self._progress(said)
        finally:
            await chaos.bridge.stop()


def stack_of(pid: int) -> StackFacts | None:
    """What the ``stack up`` in process ``pid`` told; ``None`` before it is up."""
    return next((facts for facts, lease in recorded() if lease.owner.pid == pid and lease.owner.alive()), None)


def standing_stacks() -> list[LeftRunning]:
    """Every ``stack up`` there is, a killed one's rest too."""
    from harness.stack.local.sampler import proportional_bytes

    found = []
    for facts, lease in recorded():
        found_as = condition(run_folder(facts.run_id))
        alive = {part.identity.pid: part.identity.alive() for part in lease.parts}
        parts = tuple(
            PartStatus(
                part=part.part,
                pid=part.identity.pid,
                alive=alive[part.identity.pid],
                memory_bytes=proportional_bytes([part.identity.pid]) if alive[part.identity.pid] else 0,
            )
            for part in lease.parts
        )
        found.append(
            LeftRunning(
                kind="stack",
                rung=facts.rung,
                run_id=facts.run_id,
                since_utc=facts.up_utc,
                owner_pid=lease.owner.pid,
                used_by="",
                trouble=_TROUBLE[found_as],
                parts=tuple(part for part in parts if part.alive or found_as is LeaseCondition.ABANDONED),
            )
        )
    return found


def end_standing_stacks(say: ProgressCallback) -> list[Message]:
    """Asks each ``stack up`` to end in order; kills and cleans up after one that does not in all the time that it has.
    One line each; ``say`` is told whom it waits for.
    """
    lines: list[Message] = []
    for facts, lease in list(recorded()):
        if not lease.owner.alive() and lives(facts.run_id):
            lines.append(
                message("stack {run} could not be ended: it runs in another container; end it there", run=facts.run_id)
            )
            continue
        if lease.owner.alive():
            if not tell(lease.owner.pid, signal.SIGTERM):
                lines.append(message("stack {run} could not be ended: its user may end it", run=facts.run_id))
                continue
            if not ends_in_order(lease.owner, _ORDERLY_LIMIT_S, f"stack {facts.run_id}", say):
                tell(lease.owner.pid, signal.SIGKILL)
                wait_gone([lease.owner], 3.0)
        lines += end_run(Path(run_folder(facts.run_id))) or [message("stack {run}: taken down", run=facts.run_id)]
    return lines

"""``python -m harness mirror_stop``."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from harness.model.stack import Target
from harness.rehearsals.mirror_stop.types import PLAN, MirrorStopPlan
from harness.run.arguments import OnLocal
from harness.run.command import Duration, below, option
from harness.stack.target.targets import bundled

_SHORTEST_S, _LONGEST_S = 5.0, 600.0


def _step(text: str) -> Duration:
    if not _SHORTEST_S <= (step := Duration(text)).seconds <= _LONGEST_S:
        raise ValueError(f"{text} is not within {_SHORTEST_S:g}s..{_LONGEST_S:g}s")
    return step


@dataclass(frozen=True, kw_only=True)
class MirrorStopCommand(OnLocal):
    """The mirror stopped in steps; what a roll back then loses.

    The mirror to Firestore goes 100 -> 50 -> 0 % under load; a pod is killed whose queue is full.
    """

    name = "mirror_stop"
    example = "--step 10s"

    step: Duration = option(
        "time under load at each share", _step, default=Duration(f"{PLAN.step_s:g}s"), metavar="TIME", less=below("30s")
    )

    def planned(self) -> MirrorStopPlan:
        return msgspec.structs.replace(PLAN, step_s=self.step.seconds)

    def asked(self) -> Target:
        """The bundled API: what stops the dual write is its own setting."""
        return bundled()

"""A rehearsal that does nothing, and what conducts it nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from harness.base.clock import MachineClock
from harness.base.data import ROOT
from harness.base.errors import PartDied
from harness.base.progress import Progress
from harness.model.evidence import EventRow, SampleRow, happened
from harness.model.message import ProgressCallback
from harness.model.stack import Capability, EnvironmentKind
from harness.run.options import Options
from harness.run.runner import Environment, Runner
from harness.stack.protocol import StackNeeds
from harness.stack.target.targets import bundled
from tests.rehearsal.stand_in import StandIn, StandInPlan


class Empty:
    """A stack of nothing, which tells one row, and may have a part that dies or something left."""

    capabilities = frozenset({Capability.EVICTION, Capability.AUTOSCALING})

    def __init__(self, *, dies: bool = False, left: Sequence[str] = (), rows: int = 1) -> None:
        self.told: list[str] = []
        self.is_up = asyncio.Event()
        self._dies, self._left, self._rows = dies, left, rows

    async def up(self) -> None:
        self.told.append("up")
        self.is_up.set()

    async def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        for number in range(self._rows):
            yield happened(5 + number, "component", f"part {number}", "runs", {})
        if self._dies:
            raise PartDied("part died")
        await asyncio.Event().wait()

    async def down(self) -> None:
        self.told.append("down")

    def leaks(self) -> list[str]:
        return list(self._left)


class Nowhere(Environment):
    """This machine, with this one as the stack, where nobody left anything and no kernel counts."""

    def __init__(self, stack: Any, counted: dict[str, float] | None = None) -> None:
        self._stack = stack
        self._counted = counted or {}

    def processors(self) -> dict[str, float]:
        return self._counted

    async def sweep(self, say: ProgressCallback) -> None:
        """Nothing to remove."""

    def stack(self, run: Runner[Any, Any], needs: StackNeeds) -> Any:
        return self._stack


def conductor(
    folder: Path,
    stack: Empty,
    stand_in: StandIn | None = None,
    plan: StandInPlan | None = None,
    *,
    counted: dict[str, float] | None = None,
) -> Runner[Any, Any]:
    clock = MachineClock()
    options = Options(
        rung=EnvironmentKind.LOCAL, target=bundled(), seed=7, reports=folder, replay="again",
        manifests=ROOT / "deploy" / "kubernetes" / "overlays" / "local",
    )  # fmt: skip
    return Runner(
        stand_in or StandIn(),
        plan or StandInPlan(),
        options,
        clock,
        Progress(clock),
        environment=Nowhere(stack, counted),
    )

"""A stored run run once more: nothing acts, and what the run left comes in again, to be judged, drawn and stored
by the product's own flow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

from harness.base.clock import Anchor
from harness.base.data import ROOT
from harness.base.progress import Progress
from harness.model.manifests import Manifests
from harness.model.stack import Capability
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal
from harness.run.runner import Runner
from harness.stack.protocol import StackNeeds
from harness.stack.target.targets import bundled
from tests.corpus.today import Left
from tests.rehearsal.empty import Empty, Nowhere

_NS = 1_000_000_000


class Then:
    """The clock of a run that is over: it stands still a second after the last row."""

    def __init__(self, left: Left) -> None:
        self.anchor: Anchor = left.seen.facts.anchor
        rows = left.seen.evidence.rows
        self._now_ns = _NS + max((_at_ns(row) for row in rows), default=self.anchor.monotonic_ns)

    def now_ns(self) -> int:
        """The monotonic time."""
        return self._now_ns

    def wall_ns(self) -> int:
        """The wall clock, which nobody sets here."""
        return self.anchor.unix_ns + self._now_ns - self.anchor.monotonic_ns

    async def sleep(self, seconds: float) -> None:
        """For ever: its time stands still."""
        _ = seconds
        await asyncio.Event().wait()


def _at_ns(row: Any) -> int:
    return int(getattr(row, "done_ns", 0) or row.at_ns)


class Replayed:
    """The rehearsal, but for what it does: all that it judges and draws is its own."""

    def __init__(self, left: Left) -> None:
        self._left = left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._left.type, name)

    def arrange(self, plan: Any, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack that has what the environment of then had."""
        _ = plan, options
        return StackNeeds(manifests=manifests)

    def unable(self, plan: Any, capabilities: Collection[str]) -> tuple[str, ...]:
        """It was run then."""
        _ = plan, capabilities
        return ()

    async def run(self, plan: Any, on: RunContext[Any]) -> None:
        """Leaves what the run had left."""
        _ = plan
        for name in self._left.type.details.__struct_fields__:
            setattr(on.details, name, getattr(self._left.seen.details, name))
        on.evidence.add(self._left.seen.evidence.rows)
        on.children.extend(self._left.children)


async def replayed(left: Left, reports: Path) -> Path:
    """The folder of the run, run once more."""
    facts, clock = left.seen.facts, Then(left)
    stack = Empty(rows=0)
    stack.capabilities = frozenset(each for each in Capability if each in facts.capabilities)  # some are gone since
    options = Options(
        rung=facts.rung, target=bundled(), seed=facts.seed, reports=reports, replay=facts.replay,
        manifests=ROOT / "deploy" / "kubernetes" / "overlays" / "local",
    )  # fmt: skip
    rehearsal = cast("Rehearsal[Any, Any]", Replayed(left))
    run = Runner(rehearsal, left.plan, options, clock, Progress(clock), environment=Nowhere(stack))
    await run.run()
    return run.folder

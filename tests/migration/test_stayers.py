"""The drill's load goes on until enough was seen of those who stay on Firestore, and no longer than its limit."""

from __future__ import annotations

from typing import cast

import pytest

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.evidence.store import Gathered
from harness.model.evidence import Side
from harness.model.message import Message
from harness.rehearsals.migration_drill.rehearsal import seen_enough
from harness.rehearsals.migration_drill.types import DrillDetails
from harness.run.context import RunContext
from tests.rules.evidence import request


class Traffic:
    """What of a run the wait looks at: requests come one for each second that it sleeps, on ``side``."""

    def __init__(self, before: int, side: Side, each_s: int) -> None:
        self.virtual = VirtualClock()
        self.clock = self
        self.evidence = Gathered()
        self.phases: list[str] = []
        self._side, self._each_s = side, each_s
        self._sent(before)

    def now_ns(self) -> int:
        return self.virtual.now_ns()

    async def sleep(self, seconds: float) -> None:
        await self.virtual.sleep(seconds)
        self._sent(round(seconds * self._each_s))

    def phase(self, subject: str, said: Message) -> None:
        self.phases.append(f"{subject}: {said}")

    def _sent(self, count: int) -> None:
        had = len(self.evidence.requests)
        self.evidence.see(request(float(had + number), side=self._side) for number in range(count))


@pytest.mark.parametrize(
    ("before", "side", "waited_s"),
    [(299, Side.FIRESTORE, 0), (298, Side.FIRESTORE, 1), (99, Side.FIRESTORE, 20), (500, Side.API, 30)],
)
def test_until_299_or_the_limit(before: int, side: Side, waited_s: int) -> None:
    traffic = Traffic(before, side, each_s=10)
    began_ns = traffic.now_ns()
    traffic.virtual.run(seen_enough(cast("RunContext[DrillDetails]", traffic), limit_s=30.0))
    assert (traffic.now_ns() - began_ns) / NS == waited_s
    said = ["staying: the load goes on until those who stay have sent 299 requests"]
    assert traffic.phases == (said if waited_s else [])

"""The drill's course tells how long each stretch of it lasts, and it lasts so long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.base.clock import NS
from harness.rehearsals.alert_drill import rehearsal
from harness.rehearsals.alert_drill.types import PLAN
from tests.alert_drill.stub import StubRun


class Slept:
    """A clock that moves by what is slept."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * NS)


@pytest.mark.parametrize("leaves_s", [0, 10_000])
async def test_each_stretch_lasts_as_long_as_it_was_told(leaves_s: int, tmp_path: Path) -> None:
    on: Any = StubRun(PLAN, tmp_path)
    on.clock, on.details.leaves_ns = Slept(), leaves_s * NS
    told: list[tuple[str, int, float]] = []
    on.phase = lambda subject, _said, *, lasts_s=0.0: told.append((subject, on.clock.ns, lasts_s))
    await rehearsal._course(PLAN, on)
    assert [subject for subject, _, _ in told] == [*(f"trial {each.name}" for each in PLAN.trials), "windows"]
    ends_ns = [*(begun_ns for _, begun_ns, _ in told[1:]), on.clock.ns]
    for (subject, begun_ns, lasts_s), end_ns in zip(told, ends_ns, strict=True):
        assert lasts_s > 0 and lasts_s == pytest.approx((end_ns - begun_ns) / NS), subject

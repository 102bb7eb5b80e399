"""The drill's course tells how long each stretch of it lasts, and it lasts so long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.base import yamltext
from harness.base.clock import NS
from harness.base.data import MONITORING
from harness.base.units import seconds
from harness.cli.main import parse
from harness.model.scenario import MOST_DURATION_S
from harness.model.stack import FaultKind
from harness.rehearsals.alert_drill import history, rehearsal, watching
from harness.rehearsals.alert_drill.command import LONG, drilled
from harness.rehearsals.alert_drill.expected import DELIVERED_S
from harness.rehearsals.alert_drill.types import LATENCY, PLAN
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
    trials = (f"trial {each.name}" for each in PLAN.trials)
    assert [subject for subject, _, _ in told] == ["before", *trials, "windows"] and told[0][1] == 0
    ends_ns = [*(begun_ns for _, begun_ns, _ in told[1:]), on.clock.ns]
    for (subject, begun_ns, lasts_s), end_ns in zip(told, ends_ns, strict=True):
        assert lasts_s > 0 and lasts_s == pytest.approx((end_ns - begun_ns) / NS), subject


async def test_the_drill_in_the_documents_own_minutes_ends_before_its_load(tmp_path: Path) -> None:
    plan = drilled(1.0)
    on: Any = StubRun(plan, tmp_path)
    leaves_s = plan.load_s + plan.scaled(plan.between_s) + plan.after_s
    on.clock, on.details.leaves_ns = Slept(), round(leaves_s * NS)
    on.phase = lambda *_, **__: None
    await rehearsal._course(plan, on)
    assert 4_600 < on.clock.ns / NS < MOST_DURATION_S - 300


@pytest.mark.parametrize(("scale", "long"), [(1.0, True), (LONG, True), (LONG + 0.5, False), (PLAN.scale, False)])
def test_in_long_minutes_answers_are_late_in_front_of_the_pods_and_no_database_is_slow(
    scale: float, long: bool
) -> None:
    typed: Any = parse(["alert_drill", "--scale", str(scale)])
    plan = typed.planned()
    (late,) = (each for each in plan.trials if each.fires == (LATENCY,))
    assert (late.fault.kind is FaultKind.LATENCY and late.fault.delay_ms > 600) is long
    assert (late.fault.kind is FaultKind.DATABASE_SLOW) is not long
    as_planned = [replace(each, fault=late.fault) if each.fires == (LATENCY,) else each for each in PLAN.trials]
    assert plan == replace(PLAN, scale=scale, objectives=plan.objectives, trials=tuple(as_planned))
    past = history.latencies(replace(plan, scale=PLAN.scale))
    assert past == history.latencies(PLAN)


@pytest.mark.parametrize("scale", [1.0, LONG, PLAN.scale])
def test_what_prometheus_told_before_it_knew_its_alertmanager_comes_again_in_time(scale: float) -> None:
    """It was told again after a whole minute, which in a drill's minutes is not delivered."""
    plan = drilled(scale)
    flag, _, again = watching.resent(plan).partition("=")
    theirs = yamltext.read(MONITORING / "alertmanager" / "alertmanager.yaml")
    waits_s = watching.waits_s(yamltext.documents(theirs, "alertmanager", merge_keys=True)[0][0], plan)
    assert flag == "--rules.alert.resend-delay"
    assert 0 < seconds(again.replace("m", "min")) + plan.scaled(plan.evaluate_s) <= sum(waits_s) + DELIVERED_S

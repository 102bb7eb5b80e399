"""The whole course of the drill on made-up users, under a real Prometheus and Alertmanager and the local receivers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.model.judgement import Verdict
from harness.rehearsals.alert_drill import rehearsal, watching
from harness.rehearsals.alert_drill.types import CLAIM, PLAN
from harness.rules.objectives.files import defined
from harness.stack.kind.images import binaries
from tests.alert_drill.made import judged
from tests.alert_drill.stub import StubRun


@pytest.mark.process
@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_each_alert_fires_stays_quiet_resolves_and_reaches_whom_it_must(tmp_path: Path) -> None:
    """Four alerts, four things each, and the burn rates; an outage that the target's own counters would not show."""
    plan = msgspec.structs.replace(PLAN, objectives=defined(), after_s=15.0, overhead_s=0.2)
    on: Any = StubRun(plan, tmp_path)
    await binaries.ensure(binaries.PROMETHEUS, print)
    await binaries.ensure(binaries.ALERTMANAGER, print)
    try:
        watched = await watching.watched(plan, on)
        await on.clock.sleep(2.0)
        on.details.origin_ns = on.clock.now_ns()
        users = asyncio.ensure_future(on.users())
        on.tasks.append(users)
        await rehearsal._course(plan, on)
        await watching.ask(plan, on, watched)
    finally:
        left = await on.end()
    (tmp_path / "details.json").write_bytes(msgspec.json.format(msgspec.json.encode(on.details)))
    found = {each.id: each for each in judged(plan, on.details, on.evidence)}
    for each in found.values():
        print(each.id, each.verdict, each.value, each.limit, each.reason, each.examples)
    assert left == []
    wanted = {f"burn.{kind}.{what}" for kind in ("page", "ticket") for what in ("fires", "routes")}
    wanted |= {f"{claim}.{what}" for claim in CLAIM.values() for what in ("fires", "quiet", "resolves", "routes")}
    assert wanted <= {name for name, each in found.items() if each.verdict is Verdict.PASS}

"""The HPA on the local rung: measured usage of real processes changes the number of pods."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from harness.model.autoscaling import Hpa, MetricKind, MetricSpec
from harness.model.evidence import EventRow, SampleRow
from tests.stack.rungs import ask, local, manifests

pytestmark = [pytest.mark.stack, pytest.mark.slow]

LIMIT_S = 60.0  # two readings of metrics-server and a sync: 15 to 45 s, and a start


async def test_memory_above_the_target_adds_a_pod_and_says_why(tmp_path: Path) -> None:
    given = manifests()
    metric = MetricSpec(kind=MetricKind.RESOURCE, name="memory", average_value_m=2**20 * 1000)  # a pod uses far more
    hpa = Hpa(name="small", min_replicas=2, max_replicas=3, metrics=(metric,))
    stack = local(tmp_path, manifests_=msgspec.structs.replace(given, hpa=hpa))
    events: list[EventRow] = []
    try:
        await stack.up()
        async with asyncio.timeout(LIMIT_S):
            async for row in stack.watch():
                if isinstance(row, EventRow) and row.kind == "autoscaler":
                    events.append(row)
                if isinstance(row, SampleRow) and row.metric == "ready_replicas" and row.value == 3:
                    break
        pods = {(await ask(stack.endpoints().service, "/")).headers["x-pod"] for _ in range(60)}
        assert len(pods) == 3
    finally:
        await stack.down()
    assert stack.leaks() == []
    scaled = [event for event in events if event.data["reason"] == "SuccessfulRescale"]
    assert [event.message for event in scaled] == ["New size: 3; reason: memory resource above target"]
    reasons = [event.data["reason"] for event in events]
    assert reasons.index("TooManyReplicas") < len(reasons)

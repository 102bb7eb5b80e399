"""The HPA on the local rung: measured usage of real processes changes the number of pods."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from harness.model.autoscaling import Hpa, MetricKind, MetricSpec
from harness.model.evidence import EventRow, SampleRow
from harness.model.stack import Fault, FaultKind
from harness.stack.local import LocalStack
from tests.stack.rungs import ask, local, manifests

pytestmark = [pytest.mark.stack, pytest.mark.slow]

LIMIT_S = 60.0  # two readings of metrics-server and a sync: 15 to 45 s, and a start


def two_to_three(folder: Path, metric: MetricSpec) -> LocalStack:
    hpa = Hpa(name="small", min_replicas=2, max_replicas=3, metrics=(metric,))
    return local(folder, manifests_=msgspec.structs.replace(manifests(), hpa=hpa))


async def until_three(stack: LocalStack) -> list[EventRow]:
    """What the autoscaler told until three pods were ready."""
    events: list[EventRow] = []
    async with asyncio.timeout(LIMIT_S):
        async for row in stack.watch():
            if isinstance(row, EventRow) and row.kind == "autoscaler":
                events.append(row)
            if isinstance(row, SampleRow) and row.metric == "ready_replicas" and row.value == 3:
                break
    return events


def resizes(events: list[EventRow]) -> list[str]:
    return [event.message for event in events if event.data["reason"] == "SuccessfulRescale"]


async def test_memory_above_the_target_adds_a_pod_and_says_why(tmp_path: Path) -> None:
    # A pod uses far more than this.
    stack = two_to_three(tmp_path, MetricSpec(kind=MetricKind.RESOURCE, name="memory", average_value_m=2**20 * 1000))
    try:
        await stack.up()
        events = await until_three(stack)
        pods = {(await ask(stack.endpoints().service, "/")).headers["x-pod"] for _ in range(60)}
        assert len(pods) == 3
    finally:
        await stack.down()
    assert stack.leaks() == []
    assert resizes(events) == ["New size: 3; reason: memory resource above target"]
    assert "TooManyReplicas" in [event.data["reason"] for event in events]


@pytest.mark.nightly
async def test_cpu_above_the_target_of_the_summed_requests_adds_a_pod(tmp_path: Path) -> None:
    """Idle pods add none for two syncs; one of the two that burns a core, beside 600m asked for by each, does."""
    metric = MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_utilization=30)
    stack = two_to_three(tmp_path, metric)
    try:
        await stack.up()
        await asyncio.sleep(30)
        idle = len(stack._running().deployment.pods)
        undo = await stack.inject(Fault(kind=FaultKind.POD_CPU))
        events = await until_three(stack)
        await undo()
    finally:
        await stack.down()
    assert stack.leaks() == []
    assert idle == 2
    assert resizes(events) == ["New size: 3; reason: cpu resource utilization (percentage of request) above target"]

"""The race of a cluster on the local rung, turned on: a pod is signalled while the Service still leads to it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from harness.model.evidence import EventRow
from harness.model.manifests import Manifests
from harness.model.stack import Capability
from harness.stack.local import LocalStack
from harness.stack.local.pod import DETECTION_S
from tests.stack.rungs import ask, changed, local, manifests

pytestmark = pytest.mark.stack

#: Seconds: two pods are replaced in 2 s; Envoy follows its file and the target its signal within this.
NOTICED_S = 2.0


def waiting(found: Manifests, pre_stop_s: float) -> Manifests:
    """The same manifests with a preStop of the target."""
    template = found.deployment.template
    first = msgspec.structs.replace(template.containers[0], pre_stop_s=pre_stop_s)
    template = msgspec.structs.replace(template, containers=(first, *template.containers[1:]))
    return msgspec.structs.replace(found, deployment=msgspec.structs.replace(found.deployment, template=template))


async def failed_while_rolled(stack: LocalStack, wanted: Manifests) -> list[tuple[float, float]]:
    """When each request that failed was sent and had failed, of four clients with one every 10 ms on a new connection
    while every pod is replaced."""
    failed: list[tuple[float, float]] = []

    async def traffic() -> None:
        while True:
            sent_s = time.monotonic()
            if (await ask(stack.endpoints().service, "/v1/walks")).status != 200:
                failed.append((sent_s, time.monotonic()))
            await asyncio.sleep(0.01)

    running = [asyncio.ensure_future(traffic()) for _ in range(4)]
    await stack.apply(wanted)
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return failed


async def test_without_a_pre_stop_requests_fail_in_the_race_and_with_one_none_does(tmp_path: Path) -> None:
    stack = local(tmp_path, signals_at_once=True)
    assert Capability.ENDPOINTS_BEFORE_SIGNALS not in stack.capabilities
    try:
        await stack.up()
        failed = await failed_while_rolled(stack, changed(manifests(), "0000000000000001"))
        patient = waiting(changed(manifests(), "0000000000000002"), DETECTION_S + NOTICED_S)
        await failed_while_rolled(stack, patient)  # the pods that leave have no preStop yet
        spared = await failed_while_rolled(stack, changed(patient, "0000000000000003"))
        assert {(await ask(stack.endpoints().service)).status for _ in range(20)} == {200}
    finally:
        await stack.down()
    assert stack.leaks() == []
    leaving = [
        row async for row in stack.watch() if isinstance(row, EventRow) and row.data.get("state") == "Terminating"
    ]
    left_s = [row.at_ns / 1e9 for row in leaving]
    assert failed != [], "the race cost nobody anything: it was not made"
    for sent_s, failed_s in failed:
        assert any(sent_s - DETECTION_S - NOTICED_S < each_s <= failed_s for each_s in left_s)
    assert spared == []

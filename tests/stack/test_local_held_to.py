"""What step A holds the local rung to, with the bundled API and the document's own probes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from harness.base.clock import MachineClock
from harness.model.evidence import SampleRow
from harness.model.manifests import Manifests
from harness.stack.local import LocalStack
from harness.stack.manifests import load
from harness.stack.target.targets import bundled
from tests.stack.rungs import ROOT, Answer, ask, changed
from tests.standstills import Standstills

UP_LIMIT_S = 20
DOWN_LIMIT_S = 5
MEMORY_LIMIT_BYTES = 2 * 2**30


@pytest.mark.stack
@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_two_replicas_of_the_bundled_api(tmp_path: Path) -> None:
    """Up warm within 20 s, within 2 GiB, rolled without a failed request (no fault proxy in front), down within 5 s."""
    manifests = load(ROOT / "deploy" / "kubernetes" / "overlays" / "local")
    assert manifests.deployment.replicas == 2
    stack = LocalStack(
        run_id=f"held-to-{time.monotonic_ns()}",
        manifests=manifests,
        target=bundled(),
        folder=tmp_path,
        clock=MachineClock(),
        progress=lambda line: None,
    )
    begun = time.monotonic()
    try:
        await stack.up()
        up_s = time.monotonic() - begun
        assert (await ask(stack.endpoints().service, "/v1/walks")).status == 401
        rolling = rolled(stack, changed(manifests, "c0ffee00c0ffee00"))
        answers, memory = await asyncio.gather(rolling, stack_memory(stack))
    finally:
        with Standstills() as still:
            begun = time.monotonic()
            await stack.down()
            down_s = time.monotonic() - begun
    print(f"up {up_s:.1f} s, {memory / 2**20:.0f} MiB, {len(answers)} requests while rolling, down {down_s:.1f} s")
    print(f"the machine stood still for {still.seconds:.1f} s of the last")
    assert stack.leaks() == []
    assert up_s < UP_LIMIT_S
    assert memory < MEMORY_LIMIT_BYTES
    assert len(answers) > 100
    assert [answer.status for answer in answers if answer.status != 401] == []
    assert down_s - still.seconds < DOWN_LIMIT_S


async def rolled(stack: LocalStack, manifests: Manifests) -> list[Answer]:
    """The answers to a request every 50 ms, each on a new connection, while every pod is replaced."""
    answers: list[Answer] = []

    async def traffic() -> None:
        while True:
            answers.append(await ask(stack.endpoints().service, "/v1/walks"))
            await asyncio.sleep(0.05)

    running = asyncio.ensure_future(traffic())
    await stack.apply(manifests)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return answers


async def stack_memory(stack: LocalStack) -> float:
    """The next sample of the whole stack."""
    begun_ns = time.monotonic_ns()
    async with asyncio.timeout(60):
        async for row in stack.watch():
            if isinstance(row, SampleRow) and row.metric == "stack_memory_bytes" and row.at_ns > begun_ns:
                return row.value
    raise AssertionError("no sample")

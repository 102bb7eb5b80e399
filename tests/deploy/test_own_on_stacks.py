"""A person's own folder for real: on a cluster the kubelet and the API server honour it, on processes what they can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.control import backoff
from harness.model.evidence import EventRow
from harness.model.manifests import Manifests, Probe
from harness.model.stack import EnvironmentKind, Target
from harness.stack.kind.stack import KindStack
from harness.stack.local import LocalStack
from harness.stack.manifests import load
from harness.stack.manifests.change import without_autoscaler
from harness.stack.target.targets import resolve
from tests.deploy.test_own import OWN
from tests.lines import Lines
from tests.stack.rungs import SMALL, manifests, run_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, func_only=True)]


@asynccontextmanager
async def up(stack: KindStack | LocalStack) -> AsyncIterator[list[EventRow]]:
    """The stack up, and its events as they come; afterwards nothing is left."""
    events: list[EventRow] = []

    async def follow() -> None:
        async for row in stack.watch():
            if isinstance(row, EventRow):
                events.append(row)

    following = asyncio.ensure_future(follow())
    try:
        await stack.up()
        yield events
    finally:
        await stack.down()
        await following
    assert stack.leaks() == []


async def said(stack: KindStack, *words: str) -> str:
    ran = await stack.kubectl(*words)
    assert ran.status == 0, ran.output
    return ran.output


async def listed(stack: KindStack, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(await said(stack, "get", kind, "--output=json"))["items"]
    return items


@pytest.mark.nightly  # per push a folder of another team starts on the cluster (test_theirs_on_kind.py)
@pytest.mark.kind
@pytest.mark.usefixtures("kind_cluster")
async def test_a_cluster_honours_all_of_it(tmp_path: Path) -> None:
    told = Lines()
    stack = KindStack(
        run_id=run_id(), manifests=load(OWN, EnvironmentKind.KIND), target=resolve(None), folder=tmp_path,
        clock=MachineClock(), progress=told.tell,
    )  # fmt: skip
    async with up(stack):
        pods = await listed(stack, "pods")
        assert len({pod["spec"]["nodeName"] for pod in pods}) == len(pods) == 2  # the topology spread
        first = pods[0]["metadata"]["name"]
        inside = "import os; print(os.getuid()); open('/tmp/a', 'w'); open('/srv/a', 'w')"
        ran = await stack.kubectl("exec", first, "--container=api", "--", "python3", "-I", "-S", "-c", inside)
        assert ran.status == 1 and "65532" in ran.output and "Read-only file system" in ran.output
        capabilities = await said(stack, "exec", first, "--container=api", "--", "grep", "CapBnd", "/proc/1/status")
        assert int(capabilities.split()[1], 16) == 0
        assert pods[0]["spec"]["containers"][0]["startupProbe"]["failureThreshold"] == 60
        (hpa,) = await listed(stack, "horizontalpodautoscalers")
        assert hpa["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 120
        (budget,) = await listed(stack, "poddisruptionbudgets")
        assert budget["spec"]["minAvailable"] == "50%"
    assert not any("not honoured" in line for line in told)


def local(tmp_path: Path, wanted: Manifests, target: Target, told: Lines) -> LocalStack:
    return LocalStack(
        run_id=run_id(), manifests=wanted, target=target, folder=tmp_path, clock=MachineClock(),
        progress=told.tell,
    )  # fmt: skip


@pytest.mark.stack
async def test_processes_honour_what_they_can_and_say_the_rest(tmp_path: Path) -> None:
    told = Lines()
    stack = local(tmp_path, without_autoscaler(load(OWN), 2), resolve(None), told)
    async with up(stack) as events:
        words = [row.message for row in events if row.kind == "pod"]
        assert sum("startup probe passes" in word for word in words) == 2
    for word in ("securityContext of the pod", "topologySpreadConstraints", "volumeMounts of container api"):
        assert any(line.startswith("not honoured in this environment") and word in line for line in told), told


@pytest.mark.stack
async def test_a_startup_probe_that_never_passes_restarts_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "BASE_S", 1.0)  # Kubernetes' ten are tests/control's
    found = manifests()
    template = found.deployment.template
    startup = Probe(path="/hang", port=8080, period_s=0.3, timeout_s=0.3, failure_threshold=2)
    first = msgspec.structs.replace(template.containers[0], startup=startup)
    template = msgspec.structs.replace(template, containers=(first, *template.containers[1:]))
    deployment = msgspec.structs.replace(found.deployment, template=template, replicas=1)
    stack = local(tmp_path, msgspec.structs.replace(found, deployment=deployment, hpa=None), SMALL, Lines())
    with pytest.raises(StackNotStarted):
        async with up(stack):
            pass
    words = [row.message async for row in stack.watch() if isinstance(row, EventRow)]
    assert any("startup probe fails: the container is stopped" in word for word in words)
    assert not any("probe passes" in word for word in words), "no other probe begins before it"

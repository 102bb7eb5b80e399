"""When the probes of a local container ask, in virtual time: no process runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS
from harness.base.errors import StackNotStarted
from harness.base.virtual import VirtualClock
from harness.model.manifests import Container, Deployment, PodTemplate, Probe
from harness.stack.kubernetes.watching import TargetPlace
from harness.stack.kubernetes.workload import Workload
from harness.stack.local import pod as containers
from harness.stack.local.deployment import DeploymentController
from harness.stack.process.processes import Process

#: The document's.
READINESS = Probe(path="/ready", port=1, initial_delay_s=5, period_s=10)
LIVENESS = Probe(path="/health", port=1, initial_delay_s=10, period_s=30)


@pytest.mark.parametrize(
    ("readiness", "startup", "asked"),
    [
        (READINESS, None, [(10, "/ready"), (20, "/ready"), (30, "/health"), (30, "/ready")]),
        (Probe(path="/ready", port=1), None, [(0, "/ready"), (10, "/ready"), (20, "/ready"), (30, "/health")]),
        (
            READINESS,
            Probe(path="/started", port=1, period_s=4),
            [(4, "/started"), (8, "/started"), (12, "/started"), (12, "/ready"), (20, "/ready"), (30, "/health")],
        ),
    ],
)
def test_probes_ask_with_the_ticks_and_readiness_at_once_when_the_container_has_started(
    monkeypatch: pytest.MonkeyPatch, readiness: Probe, startup: Probe | None, asked: list[tuple[int, str]]
) -> None:
    """Ready to the startup probe from 12 s on. As the kubelet triggers it: not in the initial delay."""
    clock, found = VirtualClock(), []

    async def status(_address: object, path: str, _timeout_s: float) -> int:
        found.append((round((clock.now_ns() - begun_ns) / NS), path))
        return 200 if path != "/started" or clock.now_ns() >= begun_ns + 12 * NS else 503

    begun_ns = clock.now_ns()
    one = containers.LocalContainer(
        cast("Any", None), cast("Any", None), clock, lambda _: None, address=cast("Any", ""),
        liveness=LIVENESS, readiness=readiness, startup=startup,
    )  # fmt: skip

    async def course() -> None:
        ends = cast("Process", SimpleNamespace(wait=lambda: clock.sleep(31)))
        await one._probe_until_end(ends, begun_ns)

    monkeypatch.setattr(containers, "http_status", status)
    clock.run(course())
    assert sorted(found[: len(asked)]) == sorted(asked)


STARTUP = Probe(path="/started", port=1, period_s=30)


@pytest.mark.parametrize(
    ("readiness", "startup", "min_ready_s", "seconds"),
    [
        (READINESS, None, 0, 60 + 30 * 15),
        (None, None, 0, 60),
        (READINESS, STARTUP, 0, 60 + 30 * 45),
        (None, None, 10, 60 + 30 * 10),
    ],
)
def test_pods_that_are_replaced_one_after_another_have_the_time_in_which_nobody_asks_them(
    readiness: Probe | None, startup: Probe | None, min_ready_s: float, seconds: int
) -> None:
    """Of thirty with the document's probe each is ready 10 s after the one before, here and on a cluster."""
    container = Container(name="api", image="api:1", readiness=readiness, startup=startup)
    template = PodTemplate(digest="0" * 16, containers=(container,))
    deployment = Deployment(name="api", replicas=30, template=template, min_ready_s=min_ready_s)

    def until(settled: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> int:
        clock = VirtualClock()
        begun_ns = clock.now_ns()
        with pytest.raises(StackNotStarted, match=f"not ready after {seconds} s"):
            clock.run(settled(clock))
        return round((clock.now_ns() - begun_ns) / NS)

    async def local(clock: VirtualClock) -> None:
        ground = cast("Any", SimpleNamespace(clock=clock, feed=SimpleNamespace(error=None)))
        await DeploymentController(deployment, ground, cast("Any", SimpleNamespace())).settled(60.0)

    async def cluster(clock: VirtualClock) -> None:
        async def rolling(_: str) -> dict[str, Any]:
            return {"metadata": {"generation": 1}, "spec": {"replicas": 30}}

        pods = SimpleNamespace(known={}, ready=list)
        watching = cast("Any", SimpleNamespace(pods=pods, endpoints_ready=0))
        api, place = cast("Any", SimpleNamespace(get=rolling)), TargetPlace("run", "api", "api")
        await Workload(api, place, watching, cast("Any", None), clock).settled(deployment, 60.0)

    assert until(local) == until(cluster) == seconds

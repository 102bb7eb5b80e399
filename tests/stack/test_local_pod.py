"""One pod of the local rung by itself: what the control-plane rules see of it, and which control groups hold it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.control.deployment import victims
from harness.model.evidence import EventRow, SampleRow
from harness.model.manifests import PodTemplate
from harness.model.stack import Capability
from harness.stack.local import LocalStack, sampler
from harness.stack.local.pod import LocalPod, PodResources
from harness.stack.manifests import load
from harness.stack.process.processes import Feed
from harness.stack.process.waiting import http_status
from harness.stack.state import RunState, processes
from tests.lines import Lines
from tests.nowhere import all_at
from tests.session.needs import needs_limits
from tests.stack.rungs import ROOT, SMALL, local, manifests, run_id

Make = Callable[[str, PodTemplate], LocalPod]


def template(overlay: str = "local") -> PodTemplate:
    return load(ROOT / "deploy" / "kubernetes" / "overlays" / overlay).deployment.template


def limited() -> PodTemplate:
    """The document's, and limits for its sidecar, which has none."""
    given = template()
    api, proxy = given.containers
    proxy = msgspec.structs.replace(proxy, limit_cpu_m=200, limit_memory_bytes=2**27)
    return msgspec.structs.replace(given, containers=(api, proxy))


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes pods of a run that has no other part; all are gone at the end, and nothing is left."""
    state, clock, pods = RunState.begin(run_id()), MachineClock(), []
    ground = PodResources(state=state, clock=clock, feed=Feed(clock), logs=tmp_path, target=SMALL, endpoints=all_at())

    def one(name: str, of: PodTemplate) -> LocalPod:
        pods.append(LocalPod(name, of, ground, lambda: None))
        return pods[-1]

    try:
        yield one
    finally:
        await asyncio.gather(*(pod.terminate(0) for pod in pods))
        left = processes.remove_of_run(state.lease.run_id)
        state.end()
    assert ground.feed.error is None
    assert left == []


def restarted(pod: LocalPod, target: int, sidecar: int) -> LocalPod:
    pod.target.restarts, pod.sidecar.restarts = target, sidecar
    return pod


async def test_a_native_sidecar_s_restarts_count_apart(make: Make) -> None:
    """``maxContainerRestarts``: those of regular containers first, those of restartable init containers after them."""
    graceful = template("local-graceful")
    api, proxy = restarted(make("api", graceful), 1, 0), restarted(make("proxy", graceful), 0, 5)
    assert [(view.restarts, view.sidecar_restarts) for view in (api.view(), proxy.view())] == [(1, 0), (0, 5)]
    assert victims([api.view(), proxy.view()], 1, 10**18) == ("api",)
    assert (api.restarts, proxy.restarts) == (1, 5)  # what the evidence is told: a container ended


async def test_a_regular_sidecar_s_restarts_count_as_the_target_s(make: Make) -> None:
    api, proxy = restarted(make("api", template()), 1, 0), restarted(make("proxy", template()), 0, 5)
    assert [(view.restarts, view.sidecar_restarts) for view in (api.view(), proxy.view())] == [(1, 0), (5, 0)]
    assert victims([api.view(), proxy.view()], 1, 10**18) == ("proxy",)


async def test_an_autoscaler_counts_the_manifest_s_containers_alone(make: Make) -> None:
    """Where there is no proxy the stand-in asks for nothing: what it uses would be the target's."""
    given = template()
    alone = msgspec.structs.replace(given, containers=given.containers[:1])
    pods = [make("both", given), make("alone", alone)]
    assert [pod.named_containers() for pod in pods] == [
        [("api", pods[0].target), ("cloud-sql-proxy", pods[0].sidecar)],
        [("api", pods[1].target)],
    ]


async def test_a_pod_s_figures_are_of_the_manifest_s_containers_alone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As metrics-server's are: they are held against those containers' requests. The stack's are of all processes."""
    given, rows, pids = template(), list[SampleRow](), (101, 102)
    pods = [make("both", given), make("alone", msgspec.structs.replace(given, containers=given.containers[:1]))]
    for each in pods:
        for container, pid in zip(each.containers, pids, strict=True):
            monkeypatch.setattr(container, "pids", lambda pid=pid: [pid])
    monkeypatch.setattr(sampler, "usage_of", lambda pid, _: sampler.ProcessUsage(0.0, pid))
    monkeypatch.setattr(sampler, "proportional_bytes", lambda those, _: sum(those))
    deployment = load(ROOT / "deploy" / "kubernetes" / "overlays" / "local").deployment
    controller = SimpleNamespace(views=list, deployment=deployment, pods={each.name: each for each in pods})
    feed = SimpleNamespace(publish=rows.append)
    sampler.Sampler(cast("Any", controller), cast("Any", feed), MachineClock()).sample([1])
    found = {row.subject: row.value for row in rows if row.metric.endswith("memory_bytes")}
    assert found == {"pod/both": 203, "pod/alone": 101, "stack": 1 + 2 * 203}


async def test_a_run_s_ports_are_enough_for_36_pods_and_the_parts_beside_them(make: Make) -> None:
    """``load_stages --pods 30``, and those that a rolling update has too many."""
    pods = [make(f"pod-{n}", template()) for n in range(36)]
    beside = [pods[0]._ground.state.take_port() for _ in range(15)]
    assert len(set(beside) | {pod.address.port for pod in pods}) == 51


async def running(pod: LocalPod, restarts: int = 0) -> list[int]:
    """The process of the target and of the sidecar, once both run and the target was restarted so often."""
    for _ in range(500):
        if all(each.running for each in pod.containers) and pod.target.restarts >= restarts:
            return pod.pids()
        await asyncio.sleep(0.02)
    raise AssertionError(pod.trouble())


def groups_of(pid: int) -> set[str]:
    """The last parts of the paths of the groups of ours that hold a process, of whatever version and controller."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return {line.rpartition("/")[2].partition(":")[2] for line in lines if "tekutoko." in line}


@pytest.mark.process
@needs_limits
async def test_its_processes_are_in_their_containers_groups(make: Make) -> None:
    """Also after a restart."""
    pod = make("small", limited())
    pod.start()
    target, sidecar = await running(pod)
    assert (groups_of(target), groups_of(sidecar)) == ({"small.0"}, {"small.1"})
    pod.target.crash()
    again, sidecar = await running(pod, restarts=1)
    assert again != target
    assert (groups_of(again), groups_of(sidecar)) == ({"small.0"}, {"small.1"})


@pytest.mark.process
@needs_limits
async def test_a_container_without_limits_is_in_no_group(make: Make) -> None:
    pod = make("small", template())
    pod.start()
    assert [groups_of(pid) for pid in await running(pod)] == [{"small.0"}, set()]


@needs_limits
async def test_its_groups_have_the_manifest_s_limits_and_go_with_it(make: Make) -> None:
    pod = make("small", limited())
    folders = processes.of_run(pod._ground.state.lease.run_id)
    assert len(folders) == 2 * len(processes.hierarchies())
    files = ("cpu.max", "cpu.cfs_quota_us", "memory.max", "memory.limit_in_bytes")
    limits = {
        (folder.name.partition(":")[2], int((folder / file).read_text().split()[0]))
        for folder in folders
        for file in files
        if (folder / file).exists()
    }
    # A core of the document's, and a fifth of one, in 100 ms.
    assert limits == {("small.0", 100_000), ("small.0", 2**30), ("small.1", 20_000), ("small.1", 2**27)}
    await pod.terminate(0)
    assert processes.of_run(pod._ground.state.lease.run_id) == []


@pytest.mark.process
async def test_without_groups_it_runs_without_them(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "usable", lambda: False)
    pod = make("small", limited())
    pod.start()
    assert [groups_of(pid) for pid in await running(pod)] == [set(), set()]
    assert processes.of_run(pod._ground.state.lease.run_id) == []


@pytest.mark.process
async def test_its_sidecar_tells_its_metrics_at_a_port_of_its_own(make: Make) -> None:
    """Beside those of the target, and of every other pod: all share one loopback."""
    pods = [make(name, template()) for name in ("a", "b")]
    found = [each for pod in pods for each in pod.metrics()]
    assert [(each.pod, each.sidecar, each.path) for each in found] == [
        (name, sidecar, "/metrics") for name in ("a", "b") for sidecar in (False, True)
    ]
    assert len({each.address.port for each in found}) == 4
    for pod in pods:
        pod.start()
        await running(pod)
    for each in (each for each in found if each.sidecar):
        for _ in range(100):
            if (status := await http_status(each.address, each.path)) != 0:
                break
            await asyncio.sleep(0.05)
        assert status == 200, each


@pytest.mark.process
@pytest.mark.parametrize("signals_at_once", [False, True])
async def test_the_service_leads_to_a_pod_that_leaves_only_where_signals_come_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, signals_at_once: bool
) -> None:
    """Until it has heard of it; the processes are signalled and gone long before. Else it is out before the signal."""
    monkeypatch.setattr(
        "harness.stack.local.pod.DETECTION_S", 2.0
    )  # longer than a process needs to end on a busy machine
    monkeypatch.setattr(LocalPod, "ready", property(lambda pod: all(each.running for each in pod.containers)))
    pod = make("small", template())
    pod._ground = msgspec.structs.replace(pod._ground, signals_at_once=signals_at_once)
    pod.start()
    await running(pod)
    changes: list[tuple[bool, bool]] = []
    pod._changed = lambda: changes.append((pod.undetected, any(each.running for each in pod.containers)))
    await pod.terminate()
    # At the termination, when the Service has heard of it, and at the end.
    heard = [(True, True), (False, False)] if signals_at_once else [(False, True)]
    assert changes == [*heard, (False, False)]


@pytest.mark.stack
@pytest.mark.slow
async def test_limits_that_are_not_enforced_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To who watches, to the evidence, and by the capability that reports and claims read; else test_local_behaviour.py."""
    monkeypatch.setattr(processes, "usable", lambda: False)
    assert await told(local(tmp_path, manifests_=manifests())) == (1, 1, False)


async def told(stack: LocalStack) -> tuple[int, int, bool]:
    """How often the progress and the events of a stack say it, and whether its capability does not."""
    lines = Lines()
    stack._progress = lines.tell
    try:
        await stack.up()
    finally:
        await stack.down()
    assert stack.leaks() == []
    events = [row.message async for row in stack.watch() if isinstance(row, EventRow)]
    said = [sum("limits are not enforced" in each for each in every) for every in (lines, events)]
    return said[0], said[1], Capability.CPU_LIMITS in stack.capabilities

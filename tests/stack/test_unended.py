"""A tear down that breaks, or hangs: what is left is looked for all the same, or told to be unknown; never nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest

from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.model.stack import Endpoints, EnvironmentKind, OwnCluster, Target
from harness.run import lifecycle
from harness.run.lifecycle import Lifecycle
from harness.stack.environments.choice import cluster_images
from harness.stack.kube.stack import KubeStack
from harness.stack.kubernetes.watching import FailureMonitor
from harness.stack.local.site import Site
from harness.stack.process.base_stack import BaseStack
from harness.stack.state import RunState
from harness.stack.state.leaks import NOT_DOWN
from harness.stack.target.targets import bundled
from tests.stack.rungs import local, manifests


class Unended(BaseStack):
    """Nothing is up but the run's state; its parts cannot be taken down."""

    def __init__(self, folder: Path, *, hangs: bool) -> None:
        super().__init__(
            run_id="unended", manifests=manifests(), target=bundled(), folder=folder, clock=MachineClock(),
            service_port=None, progress=lambda _: None,
        )  # fmt: skip
        self._hangs = hangs

    def begin(self) -> RunState:
        return self._begin()

    def endpoints(self) -> Endpoints:
        raise NotImplementedError

    async def _take_parts_down(self) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        raise OSError("a part is not as we thought")

    async def give_up(self) -> None:
        """What it hangs in is cancelled; its state goes."""
        assert self._down is not None
        self._down.cancel()
        await asyncio.gather(self._down, return_exceptions=True)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))


async def test_a_tear_down_that_hangs_is_a_leak_so_that_the_lease_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next command ends by the lease what lives: a run that told of no leak removed it."""
    monkeypatch.setattr(lifecycle, "ENDING_LIMIT_S", 0.05)
    stack = Unended(tmp_path, hangs=True)
    stack.begin()
    assert stack.leaks() == []  # nobody asked for its end
    assert await Lifecycle(Progress(MachineClock())).take_down([stack]) == (NOT_DOWN,)
    await stack.give_up()
    assert stack.leaks() == []


async def test_a_recovery_s_folder_that_was_not_taken_down_is_a_leak(tmp_path: Path) -> None:
    site = Site.begin("unended", tmp_path / "logs", MachineClock())
    assert site.leaks() == [NOT_DOWN]
    await site.down()
    assert site.leaks() == []


async def test_a_tear_down_that_breaks_is_looked_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, life = Unended(tmp_path, hangs=False), Lifecycle(Progress(MachineClock()))
    state = stack.begin()
    with monkeypatch.context() as kept:
        kept.setattr(RunState, "end", lambda _: None)  # as while a process of the run lives
        (leak,) = await life.take_down([stack])
    state.end()
    assert str(state.folder) in leak and "not as we thought" in str(life.errors[0])


async def test_what_one_part_cannot_do_keeps_no_other_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that could not be stopped left its own children running."""
    monkeypatch.setattr("harness.stack.state.processes.usable", lambda: False)
    stack, strays = local(tmp_path), AsyncMock()
    parts = Mock(stop_front=AsyncMock(), stop_back=AsyncMock(side_effect=OSError("broken")))
    stack._state, stack._parts = Mock(), parts
    monkeypatch.setattr("harness.stack.local.stack.end_strays", strays)
    with pytest.raises(OSError, match="broken"):
        await stack._take_parts_down()
    strays.assert_awaited_once()


async def test_a_cluster_of_one_s_own_that_nobody_came_to_look_at_is_a_leak(tmp_path: Path) -> None:
    """A tear down that broke before its look told of nothing, and the namespace stayed."""
    target = Target(name="none", command=(), image="none:1")
    stack = KubeStack(
        run_id="unended", manifests=manifests(EnvironmentKind.KUBE), target=target, folder=tmp_path, clock=MachineClock(),
        cluster=OwnCluster(context="mine", kubeconfig="none", server="none"), progress=lambda _: None,
        images=cluster_images(target, "", MachineClock()),
    )  # fmt: skip
    stack._begin()
    stack._inside, stack._ends = Mock(close=AsyncMock()), FailureMonitor(stack._feed)
    stack._beside = Mock(close=AsyncMock(side_effect=RuntimeError("not as we thought")))
    with pytest.raises(RuntimeError, match="not as we thought"):
        await stack.down()
    assert stack.leaks() == ["namespaces of mine could not be looked at"]

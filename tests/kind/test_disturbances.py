"""Faults of several pods or nodes that fail half-way: nothing stays cut or frozen. With fakes, without Docker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.model.evidence import EventRow
from harness.model.stack import Fault, FaultKind, PodState
from harness.stack.faults.injecting import begun
from harness.stack.kind import docker
from harness.stack.kind.disturbances import KindDisturbances
from harness.stack.kubernetes.labels import ZONE
from harness.stack.kubernetes.watching import RunningPod
from harness.stack.process.processes import Feed
from harness.stack.protocol import Undo

HANG = Fault(kind=FaultKind.SIDECAR_HANG)
SIDECAR, CUT, LOST = "sql-proxy", Fault(kind=FaultKind.DATABASE_CUT), Fault(kind=FaultKind.ZONE_LOSS, subject="a")


def pod(name: str) -> RunningPod:
    return RunningPod(
        name=name, state=PodState.READY, node=f"node-{name}", revision="1", ready=True, restarts=0, created="",
        containers={SIDECAR: f"id-{name}"},
    )  # fmt: skip


class World:
    """Three pods with sidecars on three nodes of one zone; what is ``broken`` refuses its first order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *broken: str) -> None:
        self.broken = set(broken)
        self.pods = {name: pod(name) for name in ("1", "2", "3")}
        self.orders: dict[str, str] = {}
        self.frozen: set[str] = set()
        self.feed = Feed(MachineClock())
        known = SimpleNamespace(known=self.pods, ready=lambda: list(self.pods.values()))
        inside = SimpleNamespace(api=self, namespace="n", watching=SimpleNamespace(pods=known))
        monkeypatch.setattr("harness.stack.kind.disturbances.GONE_LIMIT_S", 0.2)
        monkeypatch.setattr("harness.stack.kind.disturbances._FOLLOW_S", 0.02)
        monkeypatch.setattr("harness.stack.kind.disturbances._AGAIN_S", 0.02)
        monkeypatch.setattr(docker, "pause", self.pause)
        monkeypatch.setattr(docker, "unpause", self.unpause)
        self.made = KindDisturbances(
            cast("Any", None), cast("Any", inside), cast("Any", None),
            sidecars=cast("Any", SimpleNamespace(container=SIDECAR, write=self.write)),
            feed=self.feed, clock=MachineClock(),
        )  # fmt: skip

    async def inject(self, fault: Fault) -> Undo:
        """As the stack does it."""

        async def otherwise(_fault: Fault) -> Undo:
            raise AssertionError

        return await begun(fault, self.made.inject(fault, "api", otherwise), self.feed)

    async def get(self, path: str) -> dict[str, Any]:
        assert path == "/api/v1/nodes"
        return {"items": [{"metadata": {"name": each.node, "labels": {ZONE: "a"}}} for each in self.pods.values()]}

    async def write(self, node: str, container: str, text: str) -> None:
        self._refuse(container)
        self.orders[container] = text

    async def pause(self, name: str, *, what: str) -> None:
        self._refuse(name)
        self.frozen.add(name)

    async def unpause(self, name: str, *, what: str) -> None:
        self._refuse(name)
        self.frozen.discard(name)

    def _refuse(self, name: str) -> None:
        if name in self.broken:
            raise StackNotStarted(f"{name} is broken")

    async def told(self) -> list[str]:
        self.feed.close()
        return [row.message async for row in self.feed.follow() if isinstance(row, EventRow)]


async def test_a_sidecar_that_cannot_be_told_leaves_none_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "id-2")
    with pytest.raises(StackNotStarted, match="id-2 is broken"):
        await world.inject(CUT)
    assert world.orders == {"id-1": "", "id-3": ""}
    assert await world.told() == ["injected: database cut", "undone: database cut"]


@pytest.mark.parametrize("again", [False, True], ids=["its pod is gone", "another container took its place"])
async def test_a_sidecar_that_is_gone_is_passed_over(monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    world = World(monkeypatch, "id-2")
    write = world.write

    async def gone(node: str, container: str, text: str) -> None:
        world.pods.pop("2", None)
        if again:
            world.pods["2"] = pod("2b")
        await write(node, container, text)

    world.made._sidecars.write = gone  # type: ignore[method-assign,assignment]
    undo = await world.inject(CUT)
    assert world.orders == {"id-1": "cut", "id-3": "cut"}
    await undo()
    assert world.orders == {"id-1": "", "id-3": ""}
    assert await world.told() == ["injected: database cut", "undone: database cut"]


async def test_a_sidecar_that_starts_meanwhile_is_cut_too_and_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another pod, one whose sidecar was started anew, and one that does not hear the first time."""
    world = World(monkeypatch)
    undo = await world.inject(CUT)
    world.broken.add("id-5")
    world.pods |= {"1": pod("1b"), "4": pod("4"), "5": pod("5")}
    await until(lambda: {"id-1b", "id-4"} <= world.orders.keys())
    assert "id-5" not in world.orders
    world.broken.clear()
    await until(lambda: "id-5" in world.orders)
    assert set(world.orders.values()) == {"cut"}
    await undo()
    assert world.orders == dict.fromkeys(("id-1", "id-2", "id-3", "id-1b", "id-4", "id-5"), "")
    world.pods["6"] = pod("6")
    await asyncio.sleep(0.2)
    assert "id-6" not in world.orders


async def test_a_sidecar_that_cannot_be_mended_is_told_and_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    undo = await world.inject(CUT)
    world.pods["4"] = pod("4")
    await until(lambda: "id-4" in world.orders)
    world.broken |= {"id-2", "id-4"}
    with pytest.raises(StackNotStarted, match="is broken"):
        await undo()
    assert world.orders == {"id-1": "", "id-2": "cut", "id-3": "", "id-4": "cut"}
    world.broken.clear()
    await undo()
    assert set(world.orders.values()) == {""}


async def test_a_sidecar_that_is_gone_before_the_api_server_knows_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    undo = await world.inject(CUT)
    world.broken.add("id-2")
    undoing = asyncio.ensure_future(undo())
    await asyncio.sleep(0.05)
    assert not undoing.done()
    del world.pods["2"]
    await undoing
    assert world.orders == {"id-1": "", "id-2": "cut", "id-3": ""}


async def test_a_hang_that_answers_late_is_ended_and_one_that_cannot_be_ended_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, sent, late = World(monkeypatch), list[str](), {"SIGSTOP"}

    async def execute(_node: str, *words: str, what: str, limit_s: float) -> str:
        sent.append(words[words.index("--signal") + 1])
        if sent[-1] in late:
            raise StackNotStarted(f"{what}: no answer in {limit_s:g} s")
        return ""

    monkeypatch.setattr(docker, "execute", execute)
    with pytest.raises(StackNotStarted, match="SIGSTOP"):
        await world.inject(HANG)
    assert sent == ["SIGSTOP", "SIGCONT"], "it may have been stopped"
    late.clear()
    undo = await world.inject(HANG)
    late.add("SIGCONT")
    with pytest.raises(StackNotStarted, match="SIGCONT"):
        await undo()
    world.pods["1"] = pod("1b")  # the kubelet has replaced it
    await undo()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(250):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within five seconds")


async def test_where_every_sidecar_is_gone_nothing_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "id-1", "id-2", "id-3")
    there = list(world.pods.values())
    monkeypatch.setattr(world.made._watching.pods, "ready", lambda: there)
    world.pods.clear()
    with pytest.raises(StackNotStarted, match="every sql-proxy ended"):
        await world.inject(CUT)


async def test_a_node_that_cannot_be_frozen_leaves_none_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "node-2")
    with pytest.raises(StackNotStarted, match="node-2 is broken"):
        await world.inject(LOST)
    assert world.frozen == set()
    assert await world.told() == ["injected: zone loss a", "undone: zone loss a"]


async def test_a_node_that_cannot_be_brought_back_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    undo = await world.inject(LOST)
    assert len(world.frozen) == 3
    world.broken.add("node-1")
    with pytest.raises(StackNotStarted, match="node-1 is broken"):
        await undo()
    assert world.frozen == {"node-1"}

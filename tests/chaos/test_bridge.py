"""The bridge's end: what Chaos Toolkit had asked for is ended or made whole, and undone."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from chaos.bridge import SOCKET, Refused, ask
from harness.base.clock import MachineClock
from harness.base.data import ROOT
from harness.base.errors import PartDied, StackNotStarted
from harness.model.stack import Capability, Fault
from harness.rehearsals.chaos import bridge as bridge_module
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.chaos.bridge import Bridge, PodPlaces
from harness.rehearsals.chaos.flow import limit_s
from harness.rehearsals.chaos.types import Experiment
from harness.stack.manifests import load

pytestmark = [pytest.mark.process, pytest.mark.alone]


class SlowStack:
    """Injecting takes a while."""

    def __init__(self) -> None:
        self.did: list[str] = []

    async def inject(self, fault: Fault) -> Any:
        self.did.append(f"begun {fault.kind}")
        await asyncio.sleep(0.1)
        self.did.append(f"made {fault.kind}")

        async def undo() -> None:
            self.did.append(f"undone {fault.kind}")

        return undo


class Drained(SlowStack):
    """Says which node it was to drain."""

    def __init__(self, *can: Capability) -> None:
        super().__init__()
        self.capabilities = frozenset(can)

    async def drain(self, node: str) -> str:
        self.did.append(f"drain {node!r}")
        return "drained"


async def asked(bridge: Bridge, call: str, **arguments: object) -> None:
    _, writer = await asyncio.open_unix_connection(str(bridge.path))
    writer.write(json.dumps({"call": call, "arguments": arguments}).encode() + b"\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()


def made(folder: Path, stack: SlowStack) -> Bridge:
    async def unasked(*_: object) -> Any:
        raise AssertionError

    clock = MachineClock()
    return Bridge(
        cast(Any, stack), cast(Any, None), clock, folder,
        steady=unasked, set_flag=unasked, places=PodPlaces(lambda: [], clock),
    )  # fmt: skip


async def ended(folder: Path, call: str, **arguments: object) -> list[str]:
    """What a stack was made to do when the bridge is stopped just after it was asked."""
    stack = SlowStack()
    bridge = made(folder, stack)
    await bridge.start()
    await asked(bridge, call, **arguments)
    await bridge.stop()
    await asyncio.sleep(0.2)
    return stack.did


@pytest.mark.parametrize("length", [20, 300], ids=["short", "longer than a socket's path"])
async def test_the_line_is_for_this_user_alone_wherever_the_folder_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    folder = tmp_path / ("é" * (length // 4)) / ("y" * (length // 2))
    folder.mkdir(parents=True)
    before = os.umask(0)
    try:
        bridge = made(folder, SlowStack())
        await bridge.start()
    finally:
        os.umask(before)
    assert stat.S_IMODE(bridge.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(bridge.path.parent.stat().st_mode) == 0o700
    monkeypatch.setenv(SOCKET, str(bridge.path))
    with pytest.raises(Refused, match="the harness knows no 'nothing'"):
        await asyncio.to_thread(ask, "nothing")
    await bridge.stop()
    assert not bridge.path.exists()


def test_without_a_socket_the_only_stack_that_is_up_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOCKET, raising=False)
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path))
    for count in (0, 2):
        for run in range(count):
            (tmp_path / "runs" / f"{run}").mkdir(parents=True)
            (tmp_path / "runs" / f"{run}" / "stack.json").touch()
        with pytest.raises(Refused, match=f"one stack is wanted, and {count} are up"):
            ask("steady")


async def test_a_fault_that_is_being_made_is_made_whole_and_undone(tmp_path: Path) -> None:
    assert await ended(tmp_path, "inject", kind="pod_hang") == ["begun pod_hang", "made pod_hang", "undone pod_hang"]


async def test_a_node_is_drained_by_name_where_the_nodes_are_the_run_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PodPlaces, "node", lambda _: "worker-2")
    did = []
    for stack in (Drained(), Drained(Capability.NODES)):
        bridge = made(tmp_path, stack)
        await bridge.start()
        await asked(bridge, "drain")
        await bridge.stop()
        did += stack.did
    assert did == ["drain ''", "drain 'worker-2'"]


async def test_a_series_does_not_go_on_beside_the_tear_down(tmp_path: Path) -> None:
    did = await ended(tmp_path, "repeat", kind="pod_kill", every_s=0.1, times=50)
    assert did.count("begun pod_kill") == 1


async def test_a_fault_that_cannot_be_made_keeps_no_end_from_being_one(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def refused() -> Any:
        begun.set()
        await asyncio.sleep(0.05)
        raise PartDied("the pod is gone")

    making = asyncio.ensure_future(made(tmp_path, SlowStack())._make("a fault", refused()))
    await begun.wait()
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making


async def test_the_undo_of_a_rollout_that_is_never_ready_ends_when_it_is_told_to(tmp_path: Path) -> None:
    class Stuck(SlowStack):
        """A rollout that takes its time to end."""

        async def apply(self, _manifests: object) -> None:
            self.did.append("applied")
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.1)

    stack = Stuck()
    bridge = made(tmp_path, stack)
    bridge.manifests = load(ROOT / "deploy" / "kubernetes" / "overlays" / "local")
    await bridge._never_ready()
    await asyncio.sleep(0)
    undoing = asyncio.ensure_future(bridge.undo())
    await asyncio.sleep(0.01)
    undoing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await undoing
    assert stack.did == ["applied"]


async def test_an_undo_that_fails_keeps_no_other_and_is_tried_again(tmp_path: Path) -> None:
    """A fault that stands when the next experiment begins would be its own."""
    bridge, did = made(tmp_path, SlowStack()), list[str]()
    broken = {"second"}

    def undo_of(name: str) -> Any:
        async def undo() -> None:
            did.append(name)
            if name in broken:
                raise PartDied("docker is busy")

        return undo

    for name in ("first", "second", "third"):
        bridge._keep(name, undo_of(name))
    with pytest.raises(PartDied):
        await bridge.undo()
    assert did == ["third", "second", "first"]
    assert json.loads((tmp_path / "undo.json").read_text()) == ["second"]
    with pytest.raises(PartDied):
        await bridge.stop()
    broken.clear()
    assert await bridge.undo() == 1
    assert did[3:] == ["second", "second"] and await bridge.undo() == 0


async def test_what_an_experiment_asked_for_ends_with_it(tmp_path: Path) -> None:
    """Chaos Toolkit was ended, and a series of kills would go on in the next experiment."""
    stack = SlowStack()
    bridge = made(tmp_path, stack)
    await bridge.start()
    await asked(bridge, "repeat", kind="pod_kill", every_s=0.01, times=1000)
    async with asyncio.timeout(20):
        while len(stack.did) < 3:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)
    await bridge.end()
    seen = len(stack.did)
    assert not bridge._answering
    await asyncio.sleep(0.3)
    assert len(stack.did) == seen
    await asked(bridge, "inject", kind="pod_hang")  # and the next one is answered
    await asyncio.sleep(0.2)
    await bridge.stop()
    assert stack.did[-1] == "undone pod_hang"


def test_an_experiment_has_time_for_what_it_waits_for_itself() -> None:
    series, hang = catalogue.load("pod_kill_series"), catalogue.load("pod_hang")
    assert series.expects.repeated is not None
    own_s = series.expects.repeated.every_s * series.expects.repeated.times
    assert limit_s(series) == 900 + series.expects.recover_within_s + own_s + pauses_s(series)
    assert limit_s(hang) == 900 + hang.expects.recover_within_s + pauses_s(hang)
    step = {"type": "action", "ref": "x", "pauses": {"before": 1000, "after": 7}}
    own = msgspec.structs.replace(hang, document={"method": [step], "rollbacks": [step]})
    assert limit_s(own) == 900 + hang.expects.recover_within_s + 2 * 1007
    program = {"type": "process", "path": "x", "arguments": ["-x"]}
    theirs = [
        {"provider": program, "pauses": {"before": "${warm_up}", "after": None}},
        {"provider": {"arguments": "-x"}},
    ]
    assert limit_s(msgspec.structs.replace(own, document={"method": theirs})) == 900 + hang.expects.recover_within_s


def pauses_s(experiment: Experiment) -> float:
    return sum(sum(step.get("pauses", {}).values()) for step in experiment.document["method"])


async def test_what_does_not_end_with_its_experiment_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that froze, of which an injection waits for an answer."""

    class Frozen(SlowStack):
        async def inject(self, fault: Fault) -> Any:
            await go_on.wait()
            return await super().inject(fault)

    go_on, stack = asyncio.Event(), Frozen()
    monkeypatch.setattr(bridge_module, "ENDS_WITHIN_S", 0.1)
    bridge = made(tmp_path, stack)
    await bridge.start()
    await asked(bridge, "inject", kind="pod_hang")
    with pytest.raises(StackNotStarted, match=r"has not ended after 0\.1 s"):
        await bridge.end()
    go_on.set()
    await asyncio.sleep(0.3)
    await bridge.stop()
    assert stack.did == ["begun pod_hang", "made pod_hang", "undone pod_hang"]

"""In which order and with how much time the containers of a local pod are ended, in virtual time: no process runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from harness.base.virtual import VirtualClock
from harness.model.manifests import Container, PodTemplate, Probe
from harness.stack.local import pod as containers
from harness.stack.local.pod import LocalPod, PodResources
from harness.stack.process.processes import Feed, Process
from harness.stack.state import RunState, processes
from tests.nowhere import all_at
from tests.stack.rungs import SMALL, run_id

API = Container(name="api", image="api:1")
PROXY = Container(name="cloud-sql-proxy", image="cloud-sql-proxy:2", proxy=True)
#: Seconds that the target takes to end.
DRAINS_S = 3.0


def with_(container: Container, **values: Any) -> Container:
    return msgspec.structs.replace(container, **values)


@pytest.mark.parametrize(
    ("given", "grace_s", "signalled"),
    [
        ((API, PROXY), 30, {"api": (0, 30), "proxy": (0, 30)}),
        ((with_(API, pre_stop_s=5), PROXY), 30, {"api": (5, 25), "proxy": (0, 30)}),
        ((API, with_(PROXY, pre_stop_s=10)), 30, {"api": (0, 30), "proxy": (10, 20)}),
        ((with_(API, pre_stop_s=5), with_(PROXY, pre_stop_s=10)), 30, {"api": (5, 25), "proxy": (10, 20)}),
        ((with_(API, pre_stop_s=5), with_(PROXY, native_sidecar=True)), 30, {"api": (5, 25), "proxy": (8, 22)}),
        ((API, with_(PROXY, native_sidecar=True, pre_stop_s=10)), 30, {"api": (0, 30), "proxy": (10, 20)}),
        ((with_(API, pre_stop_s=30), PROXY), 30, {"api": (30, 2), "proxy": (0, 30)}),
        ((with_(API, pre_stop_s=40), PROXY), 30, {"api": (30, 2), "proxy": (0, 30)}),
        ((with_(API, pre_stop_s=5),), 30, {"api": (5, 25), "proxy": (8, 22)}),
    ],
)
def test_each_container_waits_for_its_own_pre_stop(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[Container, ...],
    grace_s: float,
    signalled: dict[str, tuple[int, int]],
) -> None:
    """(seconds until SIGTERM, seconds from it to SIGKILL). Where no manifest asks for a proxy, the one there is stands
    for the way to the database, which nothing cuts.
    """
    monkeypatch.setattr(processes, "usable", lambda: False)
    clock, found = VirtualClock(), {}

    async def ended() -> None:
        state = RunState.begin(run_id())
        ground = PodResources(
            state=state, clock=clock, feed=Feed(clock), logs=tmp_path, target=SMALL, endpoints=all_at(),
            signals_at_once=True,
        )  # fmt: skip
        pod = LocalPod(
            "pod", PodTemplate(digest="0" * 16, containers=given, termination_grace_s=grace_s), ground, lambda: None
        )
        begun_ns = clock.now_ns()

        def stops(name: str, takes_s: float) -> Callable[[float], Coroutine[Any, Any, None]]:
            async def stop(left_s: float) -> None:
                found[name] = (round((clock.now_ns() - begun_ns) / 1e9), round(left_s))
                await clock.sleep(takes_s)

            return stop

        monkeypatch.setattr(pod.target, "stop", stops("api", DRAINS_S))
        monkeypatch.setattr(pod.sidecar, "stop", stops("proxy", 0.0))
        await pod.terminate()
        state.end()

    clock.run(ended())
    assert found == signalled


@pytest.mark.parametrize(
    ("pre_stop_s", "grace_s", "after_s", "left_s"), [(0, 30, 10, 30), (5, 30, 15, 25), (40, 30, 40, 2)]
)
def test_a_container_that_its_probe_ends_waits_for_its_pre_stop_too(
    monkeypatch: pytest.MonkeyPatch, pre_stop_s: float, grace_s: float, after_s: float, left_s: float
) -> None:
    """Its liveness probe fails at the first tick, at 10 s."""
    clock, found = VirtualClock(), []

    async def unwell(*_: object) -> int:
        return 500

    async def ended() -> None:
        begun_ns = clock.now_ns()

        async def stop(_number: object, left_s: float) -> None:
            found.append(((clock.now_ns() - begun_ns) / 1e9, left_s))

        one = containers.LocalContainer(
            cast("Any", None), cast("Any", None), clock, lambda _: None, address=cast("Any", ""),
            liveness=Probe(path="/health", port=1, period_s=10, failure_threshold=1), grace_s=grace_s,
            pre_stop_s=pre_stop_s,
        )  # fmt: skip
        await one._probe_liveness(cast("Process", SimpleNamespace(stop=stop)), begun_ns)

    monkeypatch.setattr(containers, "http_status", unwell)
    clock.run(ended())
    assert found == [(after_s, left_s)]

"""Runs beside each other on one cluster wait for a NodePort, and for the Secret that the CSI driver makes."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from harness.base.clock import NS, Clock
from harness.base.errors import StackNotStarted
from harness.model.stack import PodState
from harness.stack.kubernetes.api_server import ApiServer
from harness.stack.kubernetes.watching import PodLogs, RunningPod, TargetPlace, Watching
from harness.stack.kubernetes.workload import PORT_LIMIT_S, Workload
from tests.lines import Lines

SERVICE = {"spec": {"ports": [{"port": 80}]}}


class Time:
    """A clock whose sleeps are over at once."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * NS)


class Services:
    """Answers with the ports taken, until ``free_at_s``."""

    def __init__(self, time: Time, taken: tuple[int, ...], free_at_s: float) -> None:
        self._time = time
        self._taken = taken
        self._free_at_ns = round(free_at_s * NS)

    async def get(self, _path: str) -> dict[str, Any]:
        taken = self._taken if self._time.ns < self._free_at_ns else self._taken[1:]
        return {"items": [{"spec": {"ports": [{"nodePort": port}]}} for port in taken]}

    async def apply(self, document: dict[str, Any], _namespace: str) -> None:
        """Nobody was quicker."""
        assert document["spec"]["ports"][0]["nodePort"] in (1, 2)


class Watched:
    """A Deployment's pods as the watch has them."""

    def __init__(self, *pods: RunningPod) -> None:
        self.pods = self
        self.known = {pod.name: pod for pod in pods}


def workload(taken: tuple[int, ...] = (), free_at_s: float = 0, watched: Watched | None = None) -> Workload:
    time = Time()
    api = cast(ApiServer, Services(time, taken, free_at_s))
    logs = cast(PodLogs, None)
    return Workload(api, TargetPlace("n", "d", "c"), cast(Watching, watched), logs, cast(Clock, time))


async def test_the_first_free_port_is_taken_at_once() -> None:
    said = Lines()
    assert await workload((1,), free_at_s=1).take_node_port([1, 2], SERVICE, said.tell) == 2
    assert said == []


async def test_another_runs_end_is_waited_for_and_told_once() -> None:
    said = Lines()
    assert await workload((1, 2), free_at_s=60).take_node_port([1, 2], SERVICE, said.tell) == 1
    assert said == ["all 2 NodePorts are taken by other runs; waiting for one"]


async def test_a_port_that_never_comes_is_an_error() -> None:
    with pytest.raises(StackNotStarted, match="taken by other runs"):
        await workload((1, 2), free_at_s=PORT_LIMIT_S + 1).take_node_port([1, 2], SERVICE, lambda _line: None)


@pytest.mark.parametrize(
    ("trouble", "later", "refused"),
    [
        ('api: CreateContainerConfigError secret "app-secret" not found', True, False),
        ('api: CreateContainerConfigError secret "app-secret" not found', False, True),
        ("api: ErrImageNeverPull no image", True, True),
    ],
)
def test_a_secret_that_comes_later_is_waited_for(trouble: str, later: bool, refused: bool, tmp_path: Any) -> None:
    pod = RunningPod(
        name="p", state=PodState.PENDING, node="n", revision="r", ready=False, restarts=0, created="", containers={},
        trouble=trouble, stuck=True,
    )  # fmt: skip
    other = msgspec.structs.replace(pod, name="other", trouble="", stuck=False)  # which is not ready yet
    made = workload(watched=Watched(other, pod))
    made.secret_comes_later = later

    class Logs:
        def first(self, _pod: str) -> Any:
            return tmp_path / "p.log"

    made._logs = cast(PodLogs, Logs())
    if refused:
        with pytest.raises(StackNotStarted, match=r"cannot become ready\n  p \("):
            made._refuse_hopeless()
    else:
        made._refuse_hopeless()

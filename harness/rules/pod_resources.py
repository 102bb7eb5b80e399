"""What pods used of what they ask for: the document's share of CPU and memory (Pod CPU/メモリ使用率). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from statistics import fmean
from typing import Protocol

import msgspec

from harness.base.units import Unit
from harness.model.evidence import Window
from harness.model.message import Message, message, quantity
from harness.rules.ledger import Ledger

_MIB = 2**20
_POD = "pod/"
_Samples = Iterable[tuple[int, str, float]]


class _Sized(Protocol):
    """What a container asks for: millicores and bytes, ``None`` where its manifest is silent."""

    @property
    def request_cpu_m(self) -> int | None: ...

    @property
    def request_memory_bytes(self) -> int | None: ...


class PodAsks(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod asks for, all its containers together; ``None`` when one of them is silent: Kubernetes then reads no
    share of it. CPU in cores, memory in bytes."""

    cpu: float | None
    memory: float | None


class Used(msgspec.Struct, frozen=True):
    """The share of what it asks for that one pod used, and whose it was."""

    ratio: float
    told: Message


class NoShare(msgspec.Struct, frozen=True):
    """Why there is no share of what was measured."""

    why: Message


def asked(containers: Iterable[_Sized], cpu_factor: float = 1.0) -> PodAsks:
    """Of a pod of ``containers``, whose CPU was multiplied by ``cpu_factor`` when they were applied."""
    every = list(containers)
    cpu = [each.request_cpu_m for each in every]
    memory = [each.request_memory_bytes for each in every]
    return PodAsks(
        cpu=None if None in cpu or not every else sum(round((each or 0) * cpu_factor) for each in cpu) / 1000,
        memory=None if None in memory or not every else sum(each or 0 for each in memory),
    )


def most_used(ledger: Ledger, window: Window, asks: PodAsks | None) -> dict[str, Used | NoShare | None]:
    """The highest share of any one pod in the window: of its CPU on average, of its memory at most. ``None`` where no
    pod was sampled. ``asks`` is ``None`` of a run that did not keep what its pods ask for."""
    cpu = _highest(ledger.samples["cpu_cores"], window, fmean)
    memory = _highest(ledger.samples["memory_bytes"], window, max)
    found: dict[str, Used | NoShare | None] = {
        "CPU": None if cpu is None else _no_share(asks, "resources.requests.cpu"),
        "memory": None if memory is None else _no_share(asks, "resources.requests.memory"),
    }
    if cpu is not None and asks is not None and asks.cpu:
        ratio, cores = cpu[0] / asks.cpu, f"{asks.cpu:g}"
        share = quantity(ratio, Unit.RATIO)
        found["CPU"] = Used(ratio, message("{share} of {cores} cores ({pod})", share=share, cores=cores, pod=cpu[1]))
    if memory is not None and asks is not None and asks.memory:
        ratio, size = memory[0] / asks.memory, f"{asks.memory / _MIB:g}"
        share = quantity(ratio, Unit.RATIO)
        found["memory"] = Used(ratio, message("{share} of {size} MiB ({pod})", share=share, size=size, pod=memory[1]))
    return found


def _no_share(asks: PodAsks | None, request: str) -> NoShare:
    if asks is None:
        return NoShare(message("the run did not keep the pods' {request}, so that there is no share", request=request))
    return NoShare(
        message(
            "a container asks for none, so that there is no share: name {request} for every container, the proxy too",
            request=request,
        )
    )


def _highest(samples: _Samples, window: Window, of: Callable[[list[float]], float]) -> tuple[float, str] | None:
    """The figure of the pod in which it is highest, and that pod's name."""
    by_pod: defaultdict[str, list[float]] = defaultdict(list)
    for at_ns, subject, value in samples:
        if subject.startswith(_POD) and window.start_ns <= at_ns < window.end_ns:
            by_pod[subject.removeprefix(_POD)].append(value)
    return max(((of(values), pod) for pod, values in by_pod.items()), default=None)

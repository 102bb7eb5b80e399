"""Samples of the pods and of the whole stack, read from the system; cheap enough for every second or two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
import psutil

from harness.base.clock import NS, Clock
from harness.control.rollout import available
from harness.model.evidence import SampleRow
from harness.stack.local.deployment import DeploymentController
from harness.stack.process.processes import Feed

EVERY_S = 2.0
STACK_MEMORY_EVERY = 5  # samples; the kernel sums a process' pages for it, about 1 ms each


class ProcessUsage(msgspec.Struct, frozen=True):
    """CPU seconds used so far and resident memory, of a process with all its descendants."""

    cpu_s: float
    memory_bytes: int


class Sampler:
    """``cpu_cores`` and ``memory_bytes`` (RSS) a pod, of the manifest's containers, ``replicas``, ``ready_replicas``;
    more rarely ``descriptors`` and ``connections`` (of the internet's families) a pod.

    ``stack_memory_bytes`` is the proportional set size of every part, so that shared pages count once; the harness and
    the load are not in it.
    """

    def __init__(self, controller: DeploymentController, feed: Feed, clock: Clock) -> None:
        self._controller = controller
        self._feed = feed
        self._clock = clock
        self._last: dict[int, tuple[int, float]] = {}
        self._count = 0

    async def run(self, roots: Mapping[str, int]) -> None:
        """Samples until cancelled. ``roots`` are the process ids of the parts that are no pods, by name."""
        while True:
            self.sample(roots.values())
            await self._clock.sleep(EVERY_S)

    def sample(self, parts: Iterable[int]) -> None:
        """One round."""
        now_ns = self._clock.now_ns()
        children = family_tree()
        views = self._controller.views()
        deployment = self._controller.deployment
        self._put(now_ns, "replicas", deployment.name, sum(not view.terminating for view in views))
        ready = sum(available(view, deployment.min_ready_s, now_ns) for view in views)
        self._put(now_ns, "ready_replicas", deployment.name, ready)
        pods = [*self._controller.pods.values()]
        for pod in pods:
            pids = [pid for _name, container in pod.named_containers() for pid in container.pids()]
            used = [(pid, usage) for pid in pids if (usage := usage_of(pid, children)) is not None]
            if used:
                cores = sum(self._cores(pid, usage.cpu_s, now_ns) for pid, usage in used)
                self._put(now_ns, "cpu_cores", f"pod/{pod.name}", cores)
                self._put(now_ns, "memory_bytes", f"pod/{pod.name}", sum(usage.memory_bytes for _pid, usage in used))
            if used and self._count % STACK_MEMORY_EVERY == 0:
                for metric, count in opened(pids, children).items():
                    self._put(now_ns, metric, f"pod/{pod.name}", count)
        if self._count % STACK_MEMORY_EVERY == 0:
            everything = [*parts, *(pid for pod in pods for pid in pod.pids())]
            self._put(now_ns, "stack_memory_bytes", "stack", proportional_bytes(everything, children))
        self._count += 1

    def _cores(self, pid: int, cpu_s: float, now_ns: int) -> float:
        """CPU seconds a second since the last sample; 0 at the first."""
        before_ns, before_s = self._last.get(pid, (now_ns, cpu_s))
        self._last[pid] = (now_ns, cpu_s)
        return max(0.0, cpu_s - before_s) / ((now_ns - before_ns) / NS) if now_ns > before_ns else 0.0

    def _put(self, at_ns: int, metric: str, subject: str, value: float) -> None:
        self._feed.publish(SampleRow(at_ns=at_ns, metric=metric, subject=subject, value=float(value)))


def family_tree() -> dict[int, list[int]]:
    """Child process ids by parent, of the whole machine: one pass, where psutil's own makes one a process."""
    tree: dict[int, list[int]] = defaultdict(list)
    for process in psutil.process_iter():
        try:
            tree[process.ppid()].append(process.pid)
        except psutil.Error:
            continue
    return tree


def _family(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def usage_of(pid: int, children: Mapping[int, list[int]]) -> ProcessUsage | None:
    """Of ``pid`` and all its descendants; ``None`` when there is no such process."""
    cpu_s, memory_bytes, seen = 0.0, 0, False
    for member in _family(pid, children):
        try:
            process = psutil.Process(member)
            times = process.cpu_times()
            memory_bytes += process.memory_info().rss
        except psutil.Error:
            continue
        cpu_s += times.user + times.system
        seen = True
    return ProcessUsage(cpu_s, memory_bytes) if seen else None


def opened(roots: Iterable[int], children: Mapping[int, list[int]]) -> dict[str, int]:
    """What ``roots`` and all their descendants have open: ``descriptors``, and ``connections`` among them."""
    found = {"descriptors": 0, "connections": 0}
    for pid in (member for root in roots for member in _family(root, children)):
        try:
            process = psutil.Process(pid)
            count, connections = process.num_fds(), len(process.net_connections("inet"))
        except (psutil.Error, OSError):
            continue
        found["descriptors"] += count
        found["connections"] += connections
    return found


def proportional_bytes(roots: Iterable[int], children: Mapping[int, list[int]] | None = None) -> int:
    """The proportional set size of ``roots`` and all their descendants; resident size where the system has no such."""
    tree = family_tree() if children is None else children
    total = 0
    for pid in roots:
        for member in _family(pid, tree):
            try:
                info = psutil.Process(member).memory_full_info()
            except (psutil.Error, OSError):
                continue
            total += getattr(info, "pss", 0) or info.rss
    return total

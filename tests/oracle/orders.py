"""Which pods may stay when the controllers do not wait for one another.

``harness.control.deployment.step`` lets the Deployment controller finish before a ReplicaSet acts. The real ones run
side by side: a ReplicaSet that is sized up and down again within one change (proportional scaling, then the
replacement) may make pods and delete as many, or delete one and make another. The sizes at rest are the same.

Between pods whose ages have one rank (the whole part of log2) the real choice is any: the UID decides, which is random,
but not between pods of one second, so that the order is none, and what Go's sort makes of it depends on the order in
which the pods came out of a map.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.control.replicaset import manage, rank
from harness.control.rollout import available, sync
from harness.model.cluster import PodView, ReplicaSet
from tests.oracle.workload import Kept, S, State, alike

FIRST, LAST = "!", "~"  # of the names of pods made meanwhile: before and behind every UID
Sets = tuple[ReplicaSet, ...]
Pods = tuple[PodView, ...]


def instants(state: State, begin_ns: int, end_ns: int) -> tuple[int, ...]:
    """The beginning, and each moment until the end at which the age of some pod reaches a power of two."""
    since = {pod.created_ns for pod in state.pods} | {pod.ready_since_ns or 0 for pod in state.pods}
    turns = {each + (1 << power) for each in since for power in range(63)}
    return begin_ns, *sorted(turn for turn in turns if begin_ns < turn <= end_ns)


def explained(state: State, kept: Kept, begin_ns: int, end_ns: int) -> bool:
    """Whether ``kept`` may be left of ``state.pods`` at some moment, in some order of the controllers' steps."""
    most = len(state.pods) + 10
    for now_ns in instants(state, begin_ns, end_ns):
        wanted = _by_rank(kept, now_ns)
        for seconds_ago in (0, 1):
            for first in range(most):
                made_ns = (now_ns // S - seconds_ago) * S
                if wanted in (_by_rank(each, now_ns) for each in _Orders(state, now_ns, made_ns, first).kept()):
                    return True
    return False


def _by_rank(kept: Kept, now_ns: int) -> Kept:
    """With the ranks of ages in place of times."""
    return alike(
        msgspec.structs.replace(
            pod,
            created_ns=rank(now_ns - pod.created_ns),
            ready_since_ns=None if pod.ready_since_ns is None else rank(now_ns - pod.ready_since_ns),
        )
        for pod in kept
    )


class _Orders:
    """All orders of the controllers' steps at one moment; the ``first`` pods made meanwhile go before their like."""

    def __init__(self, state: State, now_ns: int, made_ns: int, first: int) -> None:
        self._state, self._now_ns, self._made_ns, self._first = state, now_ns, made_ns, first
        self._seen: set[tuple[Sets, Pods]] = set()

    def kept(self) -> Iterator[Kept]:
        """Depth first, each state once."""
        open_ = [(self._state.sets, self._state.pods, 0)]
        while open_:
            sets, pods, made = open_.pop()
            if (sets, pods) in self._seen:
                continue
            self._seen.add((sets, pods))
            following = list(self._next(sets, pods, made))
            open_ += following
            if not following:
                yield alike(pod for pod in pods if not pod.terminating and pod.name[0] not in FIRST + LAST)

    def _next(self, sets: Sets, pods: Pods, made: int) -> Iterator[tuple[Sets, Pods, int]]:
        """After one step of the Deployment controller, or of one ReplicaSet's."""
        ready: dict[str, int] = {}
        for pod in pods:
            ready[pod.revision] = ready.get(pod.revision, 0) + available(pod, 0, self._now_ns)
        sized = sync(sets, ready, self._state.deployment, self._now_ns)
        if sized != sets:
            yield sized, pods, made
        for each in sets:
            more, gone = manage(each, pods, self._now_ns)
            if more or gone:
                fresh = (self._fresh(each.revision, made + number) for number in range(more))
                yield sets, (*(pod for pod in pods if pod.name not in gone), *fresh), made + more

    def _fresh(self, revision: str, number: int) -> PodView:
        name = f"{FIRST if number < self._first else LAST}{number}"
        return PodView(name=name, revision=revision, created_ns=self._made_ns, scheduled=False, running=False)

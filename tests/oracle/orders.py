"""Which pods may stay when the controllers do not wait for one another.

``harness.control.deployment.step`` lets the Deployment controller finish before a ReplicaSet acts. The real ones run
side by side: a ReplicaSet that is sized up and down again within one change (proportional scaling, then the
replacement) may make pods and delete as many, or delete one and make another. The Deployment controller counts the
available pods that a ReplicaSet's status tells of, which is written after the pods have changed: it may give up old
pods for a new one that is gone already, and rest at other sizes than the rule.

Between pods whose ages have one rank (the whole part of log2) the real choice is any: the UID decides, which is random,
but not between pods of one second, so that the order is none, and what Go's sort makes of it depends on the order in
which the pods came out of a map.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.control.deployment import manage, rank
from harness.control.rollout import available, sync
from harness.model.cluster import PodView, ReplicaSet
from tests.oracle.workload import Kept, S, State, alike

FIRST, LAST = "!", "~"  # of the names of pods made meanwhile: before and behind every UID
Sets = tuple[ReplicaSet, ...]
Pods = tuple[PodView, ...]
Told = tuple[tuple[str, int], ...]  # each ReplicaSet's available pods, as its status has them


def instants(state: State, begin_ns: int, end_ns: int) -> tuple[int, ...]:
    """The beginning, and each moment until the end at which the age of some pod reaches a power of two."""
    since = {pod.created_ns for pod in state.pods} | {pod.ready_since_ns or 0 for pod in state.pods}
    turns = {each + (1 << power) for each in since for power in range(63)}
    return begin_ns, *sorted(turn for turn in turns if begin_ns < turn <= end_ns)


class Seen(msgspec.Struct, frozen=True):
    """Where the real controllers came to rest; a ReplicaSet made meanwhile is ``NEW``."""

    sizes: dict[str, int]
    kept: Kept


def explained(state: State, seen: Seen, begin_ns: int, end_ns: int) -> bool:
    """Whether ``seen`` may become of ``state`` at some moment, in some order of the controllers' steps."""
    for now_ns in instants(state, begin_ns, end_ns):
        wanted = _by_rank(seen.kept, now_ns)
        for seconds_ago in (0, 1):
            first, most = 0, 0
            while first <= most:
                orders = _Orders(state, now_ns, (now_ns // S - seconds_ago) * S, first)
                if any(seen.sizes == sizes and wanted == _by_rank(kept, now_ns) for sizes, kept in orders.rests()):
                    return True
                first, most = first + 1, orders.most_made
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
        self.most_made = 0

    def rests(self) -> Iterator[tuple[dict[str, int], Kept]]:
        """Depth first, each state once: sizes above 0, and the pods of the beginning that are left."""
        told = self._available(self._state.pods)
        open_ = [(self._state.sets, self._state.pods, told, 0)]
        done: set[tuple[Sets, Pods, Told]] = set()
        while open_:
            sets, pods, told, made = open_.pop()
            if (sets, pods, told) in done:
                continue
            done.add((sets, pods, told))
            self.most_made = max(self.most_made, made)
            following = list(self._next(sets, pods, told, made))
            open_ += following
            if not following:
                kept = alike(pod for pod in pods if not pod.terminating and pod.name[0] not in FIRST + LAST)
                yield {each.revision: each.replicas for each in sets if each.replicas}, kept

    def _next(self, sets: Sets, pods: Pods, told: Told, made: int) -> Iterator[tuple[Sets, Pods, Told, int]]:
        """After one step: of the Deployment controller, of one ReplicaSet's, or of its status."""
        sized = sync(sets, dict(told), self._state.deployment, self._now_ns)
        if sized != sets:
            yield sized, pods, told, made
        for each in sets:
            more, gone = manage(each, pods, self._now_ns)
            if more or gone:
                fresh = (self._fresh(each.revision, made + number) for number in range(more))
                yield sets, (*(pod for pod in pods if pod.name not in gone), *fresh), told, made + more
        if (now := self._available(pods)) != told:
            yield sets, pods, now, made

    def _available(self, pods: Pods) -> Told:
        counts: dict[str, int] = {}
        for pod in pods:
            counts[pod.revision] = counts.get(pod.revision, 0) + available(pod, 0, self._now_ns)
        return tuple(sorted((name, count) for name, count in counts.items() if count))

    def _fresh(self, revision: str, number: int) -> PodView:
        name = f"{FIRST if number < self._first else LAST}{number}"
        return PodView(name=name, revision=revision, created_ns=self._made_ns, scheduled=False, running=False)

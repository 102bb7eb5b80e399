"""Was a pod evicted that the PodDisruptionBudget protects? From the events alone, counted anew. Pure.

Kubernetes (pkg/registry/core/pod/storage/eviction.go): an eviction of a ready pod is granted while the healthy pods are
more than the budget asks for; that of a pod which runs and is not ready also while they are as many, or always where
the budget says ``AlwaysAllow``. A pod that has not started or already terminates is not asked about, and pods that were
deleted, scaled down or rolled over do not ask. What is refused by another word than 429 is not refused by the budget.

Percentages and ``maxUnavailable`` count from the replicas that the workload asks for at that time. Those are the
manifest's until the autoscaler or the Deployment's controller tells of others; where more than one number may have held
and they disagree, the eviction is ``unclear``. Of a pod of which no event tells nobody knows whether it asked.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from harness.base.ticks import NS
from harness.control.amount import resolve
from harness.model.evidence import EventRow
from harness.model.manifests import Budget, UnhealthyPodEviction
from harness.model.message import Message, Told, message
from harness.model.stack import PodState
from harness.rules.resizes import resizes

GRANTED, REFUSED = 201, 429
#: A watch tells of a termination or of another scale at most so long before or after the answer to an eviction.
SLACK_S = 2.0
_STARTED = frozenset({PodState.RUNNING, PodState.READY, PodState.BACK_OFF})
#: The Deployment's controller, in the words of Kubernetes 1.34 and of those before it.
_SIZED = re.compile(r"Scaled (?:up|down) replica set \S+(?: from (\d+))? to (\d+)(?: from (\d+))?")


class BudgetKept(msgspec.Struct, frozen=True, kw_only=True):
    """``granted`` and ``refused`` evictions; those granted beyond the budget, and those that may have been. ``keeps``:
    there is a budget, and it asks for a pod at all. ``untold`` are evicted pods of which no event tells."""

    keeps: bool
    granted: int
    refused: int
    beyond: Told
    unclear: Told
    untold: tuple[str, ...] = ()

    @property
    def told(self) -> Told:
        """All counts, for people."""
        counts = message(
            "{granted} evictions granted, {refused} refused: {beyond} beyond the budget",
            granted=str(self.granted),
            refused=str(self.refused),
            beyond=str(len(self.beyond)),
        )
        told = [counts]
        if self.unclear:
            unclear = message(
                "{count} may be beyond it: the replicas that were asked for then are not certain",
                count=str(len(self.unclear)),
            )
            told.append(unclear)
        if self.untold:
            names = ", ".join(self.untold)
            told.append(message("whether these pods had started or were ready nobody told: {pods}", pods=names))
        return tuple(told)


def desired(budget: Budget, scale: int) -> int:
    """The healthy pods that the budget asks for, of ``scale`` that the workload asks for."""
    if budget.min_available is not None:
        return resolve(budget.min_available, scale, round_up=True)
    if budget.max_unavailable is not None:
        return max(0, scale - resolve(budget.max_unavailable, scale, round_up=True))
    return 0


def budget_kept(events: Sequence[EventRow], budget: Budget | None, scale: int) -> BudgetKept:
    """``events`` in the order in which they were told; ``scale`` is the manifest's replicas. No budget allows all.

    In a cluster the watch may tell that the pod terminates before the answer to its eviction is there: then the pods
    that were ready when it left count. One that had been terminating for longer goes unasked.
    """
    pods, scales = _Pods(), _Scales(events, scale)
    watched = {event.subject for event in events if event.kind == "pod"}
    untold: list[str] = []
    granted = refused = 0
    beyond: list[Message] = []
    unclear: list[Message] = []
    for event in events:
        if event.kind == "pod":
            pods.take(event)
        elif event.kind == "eviction" and event.data.get("code") == GRANTED:
            granted += 1
            before = pods.evicted(event)
            if budget is not None and event.subject not in watched:
                untold.append(event.subject)
            if budget is None or before is None:
                continue
            possible = scales.at(event.at_ns, before.healthy)
            found = [_beyond(before, budget, desired(budget, each)) for each in possible]
            reasons = [why for why in found if why is not None]
            if len(reasons) == len(possible):
                beyond.append(message("{pod}: {what}", pod=event.subject, what=reasons[-1]))
            elif reasons:
                counts = {"ready": str(before.healthy), "numbers": ", ".join(map(str, possible))}
                what = message("{ready} pods were ready, and asked for was one of {numbers}", **counts)
                unclear.append(message("{pod}: {what}", pod=event.subject, what=what))
        elif event.kind == "eviction":
            refused += event.data.get("code") == REFUSED
    keeps = budget is not None and desired(budget, scales.most) > 0
    return BudgetKept(
        keeps=keeps, granted=granted, refused=refused, beyond=tuple(beyond), unclear=tuple(unclear),
        untold=tuple(untold),
    )  # fmt: skip


class _Before(msgspec.Struct, frozen=True):
    """Of a pod that had started, just before it left: was it ``ready``, and how many were, itself among them."""

    ready: bool
    healthy: int


class _Pods:
    """The pods as the events tell of them so far."""

    def __init__(self) -> None:
        self._started: set[str] = set()
        self._ready: set[str] = set()
        self._evicted: set[str] = set()
        self._left: dict[str, tuple[int, _Before]] = {}

    def take(self, event: EventRow) -> None:
        """A pod's new state."""
        pod, state = event.subject, event.data.get("state")
        if state == PodState.TERMINATING:
            self._left.setdefault(pod, (event.at_ns, self._now(pod)))
        if state in _STARTED:
            self._started.add(pod)
        (self._ready.add if state == PodState.READY else self._ready.discard)(pod)

    def evicted(self, event: EventRow) -> _Before | None:
        """A granted eviction: how things stood before it; ``None`` when it needed no budget."""
        pod = event.subject
        left_ns, before = self._left.get(pod, (event.at_ns, self._now(pod)))
        free = pod not in self._started or pod in self._evicted or event.at_ns - left_ns > round(SLACK_S * NS)
        self._evicted.add(pod)
        self._ready.discard(pod)
        return None if free else before

    def _now(self, pod: str) -> _Before:
        return _Before(pod in self._ready, len(self._ready))


class _Scale(msgspec.Struct, frozen=True, kw_only=True):
    """From ``at_ns`` on the workload asked for one of ``possible``; ``rolling``: pods of two revisions, some too many.

    In the middle of a rolling update the sizes of the ReplicaSets tell nothing of it, so the number before stands.
    """

    at_ns: int
    possible: tuple[int, ...]
    rolling: bool = False


class _Scales:
    """How many replicas were asked for in the course of a run."""

    def __init__(self, events: Iterable[EventRow], first: int) -> None:
        self._course = [_Scale(at_ns=0, possible=(first,))]
        self._untold = (-1, 0)  # since which told number, and how many pods were ready
        sizes: list[int] = []
        told: set[tuple[str, str]] = set()
        for event in events:
            if event.kind == "kubernetes":
                # A watch that broke tells again what it told; a controller that repeats itself is told with a count.
                if (event.subject, event.message) in told:
                    continue
                told.add((event.subject, event.message))
            for resize in resizes((event,), event.at_ns):
                self._add(event.at_ns, (resize.size,), rolling=self._course[-1].rolling)
            if event.kind in {"deployment", "kubernetes"} and (found := _SIZED.search(event.message)):
                self._sized(event.at_ns, sizes, int(found[1] or found[3] or 0), int(found[2]))

    @property
    def most(self) -> int:
        """The most that may ever have been asked for."""
        return max(number for each in self._course for number in each.possible)

    def at(self, at_ns: int, ready: int) -> tuple[int, ...]:
        """Every number that may have held at ``at_ns``, when so many pods were ``ready``.

        More ready pods than were ever asked for, and no rolling update, are a scale that nobody told of.
        """
        slack_ns = round(SLACK_S * NS)
        begun = max(1, bisect_right(self._course, at_ns - slack_ns, key=_begins)) - 1
        end = max(1, bisect_right(self._course, at_ns + slack_ns, key=_begins))
        near = self._course[begun:end]
        possible = {number for each in near for number in each.possible}
        if ready > max(possible) and not any(each.rolling for each in near):
            self._untold = (near[-1].at_ns, ready)
        if self._untold[0] == near[-1].at_ns:
            possible.add(self._untold[1])
        return tuple(sorted(possible))

    def _sized(self, at_ns: int, sizes: list[int], before: int, after: int) -> None:
        """One ReplicaSet of ``sizes`` went from ``before`` to ``after`` pods."""
        last = self._course[-1]
        fits = before == 0 or before in sizes or not sizes
        if before in sizes:
            sizes.remove(before)
        elif not fits:
            sizes.clear()  # something was not told
        if after:
            sizes.append(after)
        if len(sizes) > 1:
            self._add(at_ns, last.possible, rolling=True)
        elif sizes and fits and (not last.rolling or sizes[0] >= max(last.possible)):
            self._add(at_ns, tuple(sizes))
        elif sizes:  # an update that goes on, or another scale
            self._add(at_ns, (*last.possible, *sizes), rolling=last.rolling)

    def _add(self, at_ns: int, possible: tuple[int, ...], *, rolling: bool = False) -> None:
        self._course.append(_Scale(at_ns=at_ns, possible=possible, rolling=rolling))


def _begins(scale: _Scale) -> int:
    return scale.at_ns


def _beyond(before: _Before, budget: Budget, must: int) -> Message | None:
    """Why the budget, which asks for ``must`` healthy pods, forbids the eviction; ``None`` when it does not."""
    counts = {"ready": str(before.healthy), "must": str(must)}
    if before.healthy > must:
        return None
    if before.ready:
        return message("{ready} pods were ready, {must} must stay", **counts)
    if budget.unhealthy is UnhealthyPodEviction.ALWAYS_ALLOW or before.healthy == must > 0:
        return None
    return message("it ran and was not ready, {ready} pods were ready, {must} must be", **counts)

"""What the autoscaling rule (``harness.control.hpa``) asks for at the moments a real controller decided.

The evidence has what the controller read: metrics-server's figures of each pod with the time at which they could be
asked for, and the pods' states from the watch. Both are known to some seconds: a decision agrees when its size is among
the answers of every state that it can have seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from harness.clock import NS
from harness.control.hpa.grouping import Settings
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings, propose
from harness.control.hpa.rates import with_behavior, without_behavior
from harness.control.hpa.replicas import Ground, Tolerances
from harness.judge.scaling import resizes
from harness.model.autoscaling import ContainerRequests, Hpa, PodPhase, PodUsage, ScaledPod
from harness.model.evidence import EventRow, SampleRow
from harness.model.manifests import Manifests
from harness.model.scaling import Decision
from harness.model.stack import PodState

ASKED_EVERY_S = 5  # the harness asks metrics-server so often: a figure was there up to so long before it was seen
SEEN_LATE_S = 3  # a decision is told by an event, after the pods that it made
EDGE_S = 20  # where the window of stabilisation begins
_SYNC_S, _STEP_S = 15, 5
WINDOW_S = 15.0  # metrics-server's, where it does not say
_METRICS = {"cpu_cores": "cpu", "memory_bytes": "memory"}


class _Seen(msgspec.Struct, frozen=True):
    """A pod as the watch last told of it."""

    state: str
    started_ns: int
    changed_ns: int  # of its condition Ready


class Course:
    """Usage and pods over time, from the rows of the evidence."""

    def __init__(self, rows: Iterable[EventRow], samples: Iterable[SampleRow], manifests: Manifests) -> None:
        """``manifests`` are as applied: their requests scaled as the pods' are."""
        self._pods = [row for row in rows if row.kind == "pod"]
        self._usage: dict[str, list[tuple[int, dict[str, float]]]] = {}
        self._asked: dict[tuple[int, int, int], int | None] = {}
        for row in samples:
            if row.subject.startswith("pod/") and row.metric in {*_METRICS, "cpu_milli", "window_s", "lag_s"}:
                figures = self._usage.setdefault(row.subject.removeprefix("pod/"), [])
                # Two figures may have one time: metrics-server's is that of the container measured longest ago.
                if not figures or figures[-1][0] != row.at_ns or row.metric in figures[-1][1]:
                    figures.append((row.at_ns, {}))
                figures[-1][1][row.metric] = row.value
        self._requests = tuple(
            ContainerRequests(
                name=each.name,
                requests_m=_known(cpu=each.request_cpu_m, memory=_milli(each.request_memory_bytes)),
            )
            for each in manifests.deployment.template.containers
        )

    def requests_m(self, resource: str) -> int:
        """Milli-units that a pod asks for, all its containers together."""
        return sum(each.requests_m.get(resource, 0) for each in self._requests)

    def asks(self, hpa: Hpa, current: int, at_ns: int, cut_ns: int) -> int | None:
        """Replicas before any limit, of the pods at ``at_ns`` and the figures there were at ``cut_ns``; ``None``
        without."""
        key = (current, at_ns, cut_ns)
        if key not in self._asked:
            pods = self._scaled(at_ns)
            ground = Ground(
                current=current,
                pods=pods,
                tolerances=Tolerances(down=Settings().tolerance, up=Settings().tolerance),
                settings=Settings(),
                now_ns=at_ns,
            )
            self._asked[key] = propose(hpa, ground, Readings(pods=self._read(cut_ns, pods)), current).replicas
        return self._asked[key]

    def _scaled(self, at_ns: int) -> list[ScaledPod]:
        seen: dict[str, _Seen] = {}
        for row in self._pods:
            if row.at_ns > at_ns:
                break
            before = seen.get(row.subject, _Seen("", row.at_ns, row.at_ns))
            state = row.data["state"]
            turned = (state == PodState.READY) != (before.state == PodState.READY)
            told_ns = row.data.get("ready_changed_ns") or (row.at_ns if turned else before.changed_ns)
            seen[row.subject] = _Seen(state, before.started_ns, told_ns)
        return [
            ScaledPod(
                name=name,
                containers=self._requests,
                phase=PodPhase.PENDING if pod.state == PodState.PENDING else PodPhase.RUNNING,
                terminating=pod.state == PodState.TERMINATING,
                started_ns=pod.started_ns,
                ready=pod.state == PodState.READY,
                ready_changed_ns=pod.changed_ns,
            )
            for name, pod in seen.items()
            if pod.state != PodState.GONE
        ]

    def _read(self, cut_ns: int, pods: Iterable[ScaledPod]) -> list[PodUsage]:
        """The last figure that was there of each of ``pods``: metrics-server answers for pods that exist alone."""
        found = []
        for name in (pod.name for pod in pods):
            figures = self._usage.get(name, [])
            there = [each for each in figures if each[0] + each[1].get("lag_s", 0.0) * NS <= cut_ns]
            if there:
                at_ns, last = there[-1]
                used = {resource: _milli_up(last[metric]) for metric, resource in _METRICS.items() if metric in last}
                if "cpu_milli" in last:
                    used["cpu"] = round(last["cpu_milli"])
                window_ns = round(last.get("window_s", WINDOW_S) * NS)
                found.append(PodUsage(name=name, at_ns=at_ns, window_ns=window_ns, containers_m={"": used}))
        return found


def decisions(
    rows: Sequence[EventRow], samples: Sequence[SampleRow], manifests: Manifests, low: int, since_ns: int
) -> list[Decision]:
    """Each of the controller's decisions since, beside the sizes that the rule allows; ``low`` pods at first."""
    hpa = manifests.hpa
    assert hpa is not None
    course = Course(rows, samples, manifests)
    found: list[Decision] = []
    sizes = [(since_ns, low)]
    for each in resizes(rows, since_ns):
        before = sizes[-1][1]
        allowed = _up(course, hpa, before, each.at_ns) if each.size > before else _down(course, hpa, sizes, each.at_ns)
        found.append(
            Decision(
                at_ns=each.at_ns, before=before, size=each.size, reason=each.reason, allowed=tuple(sorted(allowed))
            )
        )
        sizes.append((each.at_ns, each.size))
    return found


def recommended(
    rows: Sequence[EventRow], samples: Sequence[SampleRow], manifests: Manifests, low: int, span_ns: tuple[int, int]
) -> list[tuple[int, str, float]]:
    """What the metrics ask for every 5 s of a span, in the form of the local rung's own samples."""
    hpa = manifests.hpa
    assert hpa is not None
    course, steps = Course(rows, samples, manifests), resizes(rows, span_ns[0])
    found = []
    for at_ns in range(*span_ns, _STEP_S * NS):
        current = [low, *(each.size for each in steps if each.at_ns <= at_ns)][-1]
        asks = course.asks(hpa, current, at_ns, at_ns)
        if asks is not None:
            found.append((at_ns, hpa.name, float(asks)))
    return found


def _possible(course: Course, hpa: Hpa, current: int, seen_ns: int) -> set[int]:
    """What a sync that was seen at ``seen_ns`` can have asked for."""
    found = set()
    for back_s in range(SEEN_LATE_S + 1):
        moment_ns = seen_ns - back_s * NS
        found |= {course.asks(hpa, current, moment_ns, moment_ns + s * NS) for s in range(ASKED_EVERY_S + 1)}
    return {each for each in found if each is not None}


def _up(course: Course, hpa: Hpa, current: int, at_ns: int) -> set[int]:
    return {_limited(hpa, current, each, at_ns) for each in _possible(course, hpa, current, at_ns)}


def _limited(hpa: Hpa, current: int, desired: int, at_ns: int) -> int:
    if hpa.behavior is None:
        return without_behavior(hpa, current, desired).replicas
    return with_behavior(hpa, hpa.behavior, History(), current=current, desired=desired, now_ns=at_ns).replicas


def _down(course: Course, hpa: Hpa, sizes: Sequence[tuple[int, int]], at_ns: int) -> set[int]:
    """The most that was asked for within the window of stabilisation.

    Each sync of the window has its possible answers; their most is one of them, and no less than the most of what each
    at least asked for. Which seconds of the 15 between two syncs were taken, and where exactly the window begins, is
    not known: the least bound of all counts.
    """
    window_s = Settings().downscale_stabilization_ns // NS
    if hpa.behavior is not None and hpa.behavior.down.stabilization_s is not None:
        window_s = hpa.behavior.down.stabilization_s
    current = sizes[-1][1]

    def answers(back_s: int) -> set[int]:
        seen_ns = at_ns - back_s * NS
        then = [size for since_ns, size in sizes if since_ns <= seen_ns]
        return _possible(course, hpa, then[-1] if then else sizes[0][1], seen_ns)

    read = {back_s: answers(back_s) for back_s in range(0, window_s + EDGE_S, _STEP_S)}
    surely = [
        max(
            (min(read[back_s]) for back_s in range(phase_s, window_s - EDGE_S, _SYNC_S) if read[back_s]),
            default=0,
        )
        for phase_s in range(0, _SYNC_S, _STEP_S)
    ]
    every = set().union(*read.values())
    return {_limited(hpa, current, each, at_ns) for each in every if each >= min(surely)}


def _milli_up(value: float) -> int:
    """``Quantity.MilliValue`` rounds up; what floating point adds below a millionth is not there."""
    return math.ceil(round(value * 1000, 6))


def _known(**amounts: int | None) -> dict[str, int]:
    return {resource: amount for resource, amount in amounts.items() if amount is not None}


def _milli(amount: int | None) -> int | None:
    return None if amount is None else amount * 1000

"""What the autoscaling rule (``harness.control.hpa``) asks for at the moments a real controller decided.

The evidence has what the controller read: metrics-server's figures of each pod with the time at which they could be
asked for, external metrics as its status tells them after each sync, and the pods' states from the watch. All are known
to some seconds: a decision agrees when its size is among the answers of every state that it can have seen, which
never has the pods that the decision itself made or took. What the
controller remembers, recommendations and changes of size, is taken from the decisions seen before; its own restart,
which it forgets them by, is not in the evidence.
"""

from __future__ import annotations

import bisect
import copy
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from harness.control.hpa.grouping import Settings
from harness.control.hpa.history import History, stored
from harness.control.hpa.proposal import Readings, propose
from harness.control.hpa.rates import with_behavior, without_behavior
from harness.control.hpa.replicas import Ground
from harness.judge.resizes import resizes
from harness.judge.window import NS
from harness.model.autoscaling import Behavior, Hpa, PodPhase, PodUsage, ScaledPod
from harness.model.evidence import EventRow, SampleRow
from harness.model.stack import PodState
from harness.rehearsals.scaling.types import Controlled, Decision

ASKED_EVERY_S = 5  # the harness asks metrics-server so often: a figure was there up to so long before it was seen
SEEN_LATE_S = 3  # a decision is told by an event, after the pods that it made
EDGE_S = 20  # where the window of stabilisation begins
_SYNC_S, _STEP_S = 15, 5
WINDOW_S = 15.0  # metrics-server's, where it does not say
_METRICS = {"cpu_cores": "cpu", "memory_bytes": "memory"}
_Figure = tuple[str, int]  # a pod, and the place among its figures


class _Seen(msgspec.Struct, frozen=True):
    """A pod as the watch last told of it."""

    state: str
    started_ns: int
    changed_ns: int  # of its condition Ready


class _Step(msgspec.Struct, frozen=True):
    """A change of size, when it was seen."""

    at_ns: int
    before: int
    size: int


class Course:
    """Usage and pods over time, from the rows of the evidence."""

    def __init__(self, rows: Iterable[EventRow], samples: Iterable[SampleRow], controlled: Controlled) -> None:
        rows = [*rows]
        self._pods = [row for row in rows if row.kind == "pod"]
        self._usage: dict[str, list[tuple[int, dict[str, float]]]] = {}
        self._asked: dict[tuple[int, int, int, tuple[_Figure, ...]], int | None] = {}
        self._read: dict[_Figure, PodUsage] = {}
        self._pods_at: dict[int, list[ScaledPod]] = {}
        for row in samples:
            if row.subject.startswith("pod/") and row.metric in {*_METRICS, "cpu_milli", "window_s", "lag_s"}:
                figures = self._usage.setdefault(row.subject.removeprefix("pod/"), [])
                # Two figures may have one time: metrics-server's is that of the container measured longest ago.
                if not figures or figures[-1][0] != row.at_ns or row.metric in figures[-1][1]:
                    figures.append((row.at_ns, {}))
                figures[-1][1][row.metric] = row.value
        self._there_ns = {name: _there_ns(figures) for name, figures in self._usage.items()}
        self._containers = controlled.containers
        external = [row for row in rows if row.subject == f"hpa/{controlled.hpa.name}"]
        self._external_ns, self._external = [row.at_ns for row in external], [_external(row) for row in external]

    def asks(self, hpa: Hpa, current: int, at_ns: int, cut_ns: int) -> int | None:
        """Replicas before any limit, of the pods at ``at_ns`` and the figures there were at ``cut_ns``; ``None``
        without."""
        pods = self._scaled(at_ns)
        told = bisect.bisect_right(self._external_ns, cut_ns)
        there = self._there(cut_ns, pods)
        key = (current, at_ns, told, there)  # of moments that are close together many saw the same
        if key not in self._asked:
            ground = Ground(current=current, pods=pods, settings=Settings(), now_ns=at_ns)
            external = self._external[told - 1] if told else {}
            readings = Readings(pods=[*map(self._usage_of, there)], custom=external)
            self._asked[key] = propose(hpa, ground, readings, current).replicas
        return self._asked[key]

    def before(self, step: _Step) -> Course:
        """The course as a controller saw it that decided on ``step``: without the pods that the decision made or took.

        Of the pods that came, or began to go, since it can have been made, those are the last, as many as it changed.
        """
        since_ns, up = step.at_ns - SEEN_LATE_S * NS, step.size > step.before
        own: list[str] = []
        states: dict[str, str] = {}
        for row in self._until(step.at_ns):
            was, now = states.get(row.subject, PodState.GONE), row.data["state"]
            changes = was == PodState.GONE if up else now == PodState.TERMINATING != was
            if row.at_ns >= since_ns and changes:
                own.append(row.subject)
            states[row.subject] = now
        theirs = {*own[max(0, len(own) - abs(step.size - step.before)) :]}
        then = copy.copy(self)
        then._pods = [row for row in self._pods if row.at_ns < since_ns or row.subject not in theirs]
        then._asked, then._pods_at = {}, {}
        return then

    def size(self, at_ns: int) -> int:
        """Pods that were there at ``at_ns``, without those on their way out."""
        return sum(not pod.terminating for pod in self._scaled(at_ns))

    def _scaled(self, at_ns: int) -> list[ScaledPod]:
        if at_ns not in self._pods_at:
            self._pods_at[at_ns] = self._pods_then(at_ns)
        return self._pods_at[at_ns]

    def _pods_then(self, at_ns: int) -> list[ScaledPod]:
        seen: dict[str, _Seen] = {}
        for row in self._until(at_ns):
            before = seen.get(row.subject, _Seen("", row.at_ns, row.at_ns))
            state = row.data["state"]
            turned = (state == PodState.READY) != (before.state == PodState.READY)
            told_ns = row.data.get("ready_changed_ns") or (row.at_ns if turned else before.changed_ns)
            seen[row.subject] = _Seen(state, before.started_ns, told_ns)
        return [
            ScaledPod(
                name=name,
                containers=self._containers,
                phase=PodPhase.PENDING if pod.state == PodState.PENDING else PodPhase.RUNNING,
                terminating=pod.state == PodState.TERMINATING,
                started_ns=pod.started_ns,
                ready=pod.state == PodState.READY,
                ready_changed_ns=pod.changed_ns,
            )
            for name, pod in seen.items()
            if pod.state != PodState.GONE
        ]

    def _until(self, at_ns: int) -> Iterator[EventRow]:
        return itertools.takewhile(lambda row: row.at_ns <= at_ns, self._pods)

    def _there(self, cut_ns: int, pods: Iterable[ScaledPod]) -> tuple[_Figure, ...]:
        """The last figure that was there of each of ``pods``: metrics-server answers for pods that exist alone."""
        return tuple(found for pod in pods if (found := self._last_there(pod.name, cut_ns)) is not None)

    def _last_there(self, name: str, cut_ns: int) -> _Figure | None:
        number = bisect.bisect_right(self._there_ns.get(name, ()), cut_ns)
        return (name, number - 1) if number else None

    def _usage_of(self, figure: _Figure) -> PodUsage:
        """A figure as metrics-server tells it."""
        if figure not in self._read:
            name, place = figure
            at_ns, told = self._usage[name][place]
            used = {resource: _milli_up(told[metric]) for metric, resource in _METRICS.items() if metric in told}
            if "cpu_milli" in told:
                used["cpu"] = round(told["cpu_milli"])
            window_ns = round(told.get("window_s", WINDOW_S) * NS)
            self._read[figure] = PodUsage(name=name, at_ns=at_ns, window_ns=window_ns, containers_m={"": used})
        return self._read[figure]


def _there_ns(figures: Sequence[tuple[int, dict[str, float]]]) -> list[float]:
    """Since when each figure, or one behind it, could be asked for, in ns: rising, whichever figure came late."""
    each_ns = [at_ns + told.get("lag_s", 0.0) * NS for at_ns, told in figures]
    return [*itertools.accumulate(reversed(each_ns), min)][::-1]


def _external(row: EventRow) -> dict[str, tuple[int, ...]]:
    """What the controller read of external metrics, as an HPA's status says it."""
    return {each["name"]: (each["value_m"],) for each in row.data.get("metrics", ()) if "value_m" in each}


def decisions(
    rows: Sequence[EventRow], samples: Sequence[SampleRow], controlled: Controlled, low: int, since_ns: int
) -> list[Decision]:
    """Each of the controller's decisions since, beside the sizes that the rule allows; ``low`` pods at first, where
    nobody told of any: manifests of somebody's own may have others."""
    hpa, course = controlled.hpa, Course(rows, samples, controlled)
    begun_ns, first = _begun_ns(rows, hpa, since_ns), _first(course, rows, since_ns) or low
    steps = [*_before(course, rows, begun_ns, since_ns), _Step(since_ns, first, first)]
    found: list[Decision] = []
    for each in resizes(rows, since_ns):
        step = _Step(each.at_ns, steps[-1].size, each.size)
        allowed = tuple(sorted(_allowed(course, hpa, steps, step, begun_ns)))
        found.append(Decision(**msgspec.structs.asdict(step), reason=each.reason, allowed=allowed))
        steps.append(step)
    return found


def recommended(
    rows: Sequence[EventRow], samples: Sequence[SampleRow], controlled: Controlled, low: int, span_ns: tuple[int, int]
) -> list[tuple[int, str, float]]:
    """What the metrics ask for every 5 s of a span, in the form of the local rung's own samples."""
    hpa, course, steps = controlled.hpa, Course(rows, samples, controlled), resizes(rows, span_ns[0])
    found, first = [], _first(course, rows, span_ns[0]) or low
    for at_ns in range(*span_ns, _STEP_S * NS):
        current = [first, *(each.size for each in steps if each.at_ns <= at_ns)][-1]
        asks = course.asks(hpa, current, at_ns, at_ns)
        if asks is not None:
            found.append((at_ns, hpa.name, float(asks)))
    return found


def _first(course: Course, rows: Iterable[EventRow], since_ns: int) -> int:
    """The pods at ``since_ns``, without those that the first decision told since may have made before."""
    earliest_ns = [each.at_ns - SEEN_LATE_S * NS for each in resizes(rows, since_ns)[:1]]
    return course.size(min([since_ns, *earliest_ns]))


def _possible(course: Course, hpa: Hpa, current: int, seen_ns: int) -> set[int]:
    """What a sync that was seen at ``seen_ns`` can have asked for."""
    found = set()
    for back_s in range(SEEN_LATE_S + 1):
        moment_ns = seen_ns - back_s * NS
        found |= {course.asks(hpa, current, moment_ns, moment_ns + s * NS) for s in range(ASKED_EVERY_S + 1)}
    return {each for each in found if each is not None}


def _begun_ns(rows: Iterable[EventRow], hpa: Hpa, since_ns: int) -> int:
    """Since when the HPA was there, at most ``since_ns``: the controller forgets one that is deleted."""
    begun_ns: int | None = None
    for row in rows:
        if row.kind == "component" and row.subject == f"hpa/{hpa.name}" and row.at_ns <= since_ns:
            if row.message.startswith("DELETED"):
                begun_ns = None
            elif begun_ns is None:
                begun_ns = row.at_ns
    return since_ns if begun_ns is None else begun_ns


def _before(course: Course, rows: Iterable[EventRow], begun_ns: int, since_ns: int) -> list[_Step]:
    """The decisions between: others set sizes too then, so that the pods tell from how many each went."""
    return [
        _Step(each.at_ns, course.size(each.at_ns - SEEN_LATE_S * NS), each.size)
        for each in resizes(rows, begun_ns)
        if each.at_ns < since_ns
    ]


def _allowed(course: Course, hpa: Hpa, steps: Sequence[_Step], step: _Step, begun_ns: int) -> set[int]:
    """The sizes of every recommendation that ``step`` can have followed, under every history that it can have had."""
    followed = _followed(course, hpa, steps, step, begun_ns)
    if hpa.behavior is None:
        return {without_behavior(hpa, step.before, each).replicas for each in followed}
    up = step.size > step.before
    return {
        with_behavior(hpa, hpa.behavior, history, current=step.before, desired=each, now_ns=step.at_ns).replicas
        for each in followed
        for history in _histories(hpa.behavior, steps, step.at_ns, up=up)
    }


def _histories(behavior: Behavior, steps: Sequence[_Step], at_ns: int, *, up: bool) -> list[History]:
    """The changes that the controller can remember: one that is seen at the begin of a policy's period, as near as a
    decision may be seen late, was in it or not. There is one at most for each policy, syncs being 15 s apart.
    """
    late_ns, policies = SEEN_LATE_S * NS, (behavior.up if up else behavior.down).policies
    changes = [step for step in steps if step.size != step.before]

    def shifts_ns(step: _Step) -> tuple[int, ...]:
        off_ns = [abs(at_ns - step.at_ns - policy.period_s * NS) for policy in policies]
        return (-late_ns, late_ns) if min(off_ns) <= late_ns else (0,)

    found = []
    for shifts in itertools.product(*map(shifts_ns, changes)):
        history = History()
        for step, shift_ns in zip(changes, shifts, strict=True):
            history = stored(history, behavior, step.before, step.size, step.at_ns + shift_ns)
        found.append(history)
    return found


def _followed(course: Course, hpa: Hpa, steps: Sequence[_Step], step: _Step, begun_ns: int) -> set[int]:
    """The recommendations that the controller can have followed: the most of the window of stabilisation, or the least
    on the way up under a ``behavior``.

    Each sync of the window has its possible answers; their most is one of them, and no less than the most of what each
    at least asked for. Which seconds of the 15 between two syncs were taken, and where exactly the window begins, is
    not known: the least bound of all counts. For the least all is the other way round: its answers are negated.
    """
    up = step.size > step.before
    window_s, sign = _window_s(hpa, up=up), -1 if up and hpa.behavior is not None else 1

    def answers(back_s: int) -> set[int]:
        seen_ns = step.at_ns - back_s * NS
        then = [each.size for each in steps if each.at_ns <= seen_ns]
        seen = course if back_s else course.before(step)
        return {sign * each for each in _possible(seen, hpa, then[-1] if then else seen.size(seen_ns), seen_ns)}

    now = answers(0)
    if not now:
        return set()
    there_s = (step.at_ns - begun_ns) // NS
    before = range(_STEP_S, min(window_s + EDGE_S, there_s + 1), _STEP_S) if window_s else ()
    read = {0: now} | {back_s: answers(back_s) for back_s in before}
    surely = [
        max(
            (min(read[back_s]) for back_s in range(phase_s, window_s - EDGE_S, _SYNC_S) if read.get(back_s)),
            default=min(now),
        )
        for phase_s in range(0, _SYNC_S, _STEP_S)
    ]
    least = max(min(now), min(surely))
    return {sign * each for each in set().union(*read.values()) if each >= least}


def _window_s(hpa: Hpa, *, up: bool) -> int:
    """Without ``behavior`` the controller's own window holds in both directions (``stabilizeRecommendation``)."""
    if hpa.behavior is not None and up:
        return hpa.behavior.up.stabilization_s or 0
    if hpa.behavior is not None and hpa.behavior.down.stabilization_s is not None:
        return hpa.behavior.down.stabilization_s
    return Settings().downscale_stabilization_ns // NS


def _milli_up(value: float) -> int:
    """``Quantity.MilliValue`` rounds up; what floating point adds below a millionth is not there."""
    return math.ceil(round(value * 1000, 6))

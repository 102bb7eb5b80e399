"""Facts of sizes set by hand, evictions under the budget, and what the autoscaler took back, from the stack's events.

Pure. Rows are in the order they were seen; all times are of one clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from harness.base.message import marked
from harness.judge.endpoints import endpoints_now, endpoints_reached_s
from harness.judge.resizes import resizes
from harness.judge.window import NS
from harness.model.disruption import UNGUARDED
from harness.model.evidence import EventRow
from harness.model.message import Message, Told, message
from harness.model.stack import PodState
from harness.rehearsals.scaling.types import Applied, Drained, Manual, Part, TakenBack
from harness.rules.fact import Fact, FactsOf

PHRASES = {
    "before.pods": marked("{seen} pods were ready before"),
    "before.most": marked("a rise is seen from at most {seen} pods"),
    "high.pods": marked("{seen} pods were ready before it went down"),
    "up_s": marked("{what}: {seen}"),
    "down_s": marked("{what}: {seen}"),
    "command_s": marked("{what}: {seen}"),
    "manifest_s": marked("{what}: {seen}"),
    "evictions.breaching": marked(
        "{of} evicted, {refused} times refused; ready pods beside each: {ready}; minAvailable: {least}; {seen} breaches"
    ),
    "taken_back_s": marked("kubectl scale did set {count}; the autoscaler took it to {size} after {seen} ({reason})"),
}


class Evicted(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's termination began; ``ready`` is how many other pods were ready at that moment."""

    at_ns: int
    pod: str
    ready: int


def pods_left_s(rows: Iterable[EventRow], since_ns: int, count: int) -> float | None:
    """Seconds from ``since_ns`` until the pods that exist, terminating ones too, were no more than ``count``."""
    states: dict[str, str] = {}
    for row in rows:
        if row.kind == "pod":
            _fold(states, row)
            if row.at_ns >= since_ns and len(states) <= count:
                return (row.at_ns - since_ns) / NS
    return None


def ready_now(rows: Iterable[EventRow]) -> int:
    """How many pods are ready, by the last row of each."""
    states: dict[str, str] = {}
    for row in rows:
        if row.kind == "pod":
            _fold(states, row)
    return sum(state == PodState.READY for state in states.values())


def evictions(rows: Iterable[EventRow], since_ns: int, until_ns: int) -> list[Evicted]:
    """Every pod whose termination began in the time, with the ready ones beside it."""
    states: dict[str, str] = {}
    found = []
    for row in rows:
        if row.kind != "pod":
            continue
        begins = row.data["state"] == PodState.TERMINATING and states.get(row.subject) != PodState.TERMINATING
        _fold(states, row)
        if begins and since_ns <= row.at_ns < until_ns:
            ready = sum(state == PodState.READY for state in states.values())
            found.append(Evicted(at_ns=row.at_ns, pod=row.subject, ready=ready))
    return found


def reached(fact: FactsOf, name: str, value: float | None, what: Message, *besides: Message) -> Fact:
    """``what`` took ``value`` seconds; ``None``: it never came."""
    end = math.inf if value is None else None
    return fact(name, value, low=end, high=end, what=what, besides=besides)


def manual(fact: FactsOf, part: Part, did: Manual, rows: Sequence[EventRow]) -> Iterator[Fact]:
    """Up and down by hand; ``rows`` go on for a while after."""
    low, high = str(part.low), str(part.high)
    up = message("{low} -> {high}, from the request to {high} endpoints", low=low, high=high)
    down = message("{high} -> {low}, from the request to {low} pods left", low=low, high=high)
    up_s = endpoints_reached_s(rows, did.up_ns, lambda count: count >= part.high)
    down_s, down = _fewer(part.low, rows, pods_left_s(rows, did.down_ns, part.low), down)
    begun, most = len(endpoints_now([row for row in rows if row.at_ns < did.up_ns])), max(part.low, part.high - 1)
    both = None if up_s is None or down_s is None else max(up_s, down_s)
    yield fact("before.pods", begun)
    yield fact("before.most", most)
    yield fact("high.pods", _ready_before(rows, did.down_ns))
    yield reached(fact, "up_s", up_s, up)
    yield reached(fact, "down_s", down_s, down)
    told = message("{count} pods were ready before", count=str(begun))
    rise = begun == part.low or (both is None and begun < part.high)
    command = reached(fact, "command_s", both, message("up and down"), up, down)
    yield command if rise else msgspec.structs.replace(command, void=(told,))


def applied(fact: FactsOf, part: Part, did: Applied, rows: Sequence[EventRow]) -> Fact:
    """The manifest's ``replicas`` counts: whatever was scaled by hand before is gone, and nothing else is. Manifests of
    somebody's own may ask for no fewer than were set by hand: then nothing is seen.
    """
    told = message(
        "{high} pods, then the manifests with replicas: {low} applied: {low} pods",
        high=str(part.high),
        low=str(did.replicas),
    )
    if did.replicas >= part.high:
        return fact.every(void=(message("no pod was to go"), told))
    left_s, told = _fewer(did.replicas, rows, pods_left_s(rows, did.applied_ns, did.replicas), told)
    ready = _ready_before(rows, did.applied_ns)
    if left_s is not None and ready < part.high:
        return fact.every(void=(message("only {count} pods were ready before", count=str(ready)), told))
    return reached(fact, "manifest_s", left_s, told)


def _ready_before(rows: Iterable[EventRow], at_ns: int) -> int:
    return ready_now(row for row in rows if row.at_ns < at_ns)


def _fewer(low: int, rows: Iterable[EventRow], value: float | None, what: Message) -> tuple[float | None, Message]:
    """``value`` until no more than ``low`` pods were left, and what they were of; ``None`` when fewer than those are
    ready at the end: pods that died are no scaling.
    """
    left = ready_now(rows)
    if value is None or left >= low:
        return value, what
    return None, message("{what} of which only {left} are ready", what=what, left=str(left))


def drained(fact: FactsOf, did: Drained, rows: Sequence[EventRow]) -> Fact:
    """Terminations that began and left fewer than ``least`` pods ready, or none; ``granted`` is what the drain says.
    Where no budget asks for a pod, that one stayed shows nothing."""
    found = evictions(rows, did.since_ns, did.until_ns)
    if len(found) < did.granted or not did.granted:
        granted, seen = str(did.granted), str(len(found))
        few = message("{granted} evictions were granted, {seen} are in the event stream", granted=granted, seen=seen)
        return fact.every(void=(few,))
    breaches = [each for each in found if each.ready < max(1, did.least)]
    unguarded: Told = (UNGUARDED,) if did.least <= 0 else ()
    pods = ", ".join(each.pod for each in breaches)
    return fact(
        "evictions.breaching",
        len(breaches),
        of=len(found),
        refused=str(did.refused),
        ready=", ".join(str(each.ready) for each in found),
        least=str(max(0, did.least)),
        besides=(*unguarded, *([message("breached by {pods}", pods=pods)] if breaches else ())),
        lacks=() if breaches else unguarded,
    )


def taken_back(fact: FactsOf, part: Part, did: TakenBack, rows: Sequence[EventRow]) -> Fact:
    """When the autoscaler asked for fewer than were set by hand."""
    first = next((each for each in resizes(rows, did.scaled_ns) if each.size < part.high), None)
    count = str(part.high)
    if first is None:
        words = {"count": count, "seconds": f"{part.wait_s:g}"}
        return fact.every(
            void=(message("{count} pods stayed for {seconds} s: the metrics asked for no fewer", **words),)
        )
    after_s = (first.at_ns - did.scaled_ns) / NS
    return fact("taken_back_s", after_s, count=count, size=str(first.size), reason=first.reason)


def shown_s(value: float | None) -> str | Message:
    """Whole seconds, or that it never was."""
    return message("never") if value is None else f"{value:.0f} s"


def _fold(states: dict[str, str], row: EventRow) -> None:
    if row.data["state"] == PodState.GONE:
        states.pop(row.subject, None)
    else:
        states[row.subject] = row.data["state"]

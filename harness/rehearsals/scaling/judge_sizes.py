"""Sizes set by hand, evictions under the budget, and what the autoscaler took back, from the stack's own events.

Pure. Rows are in the order they were seen; all times are of one clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.judge.claimed import NEVER, held, not_exercised, seconds, shown_as, unknown
from harness.judge.endpoints import endpoints_now, endpoints_reached_s
from harness.judge.resizes import resizes
from harness.judge.window import NS
from harness.model.disruption import UNGUARDED
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.stack import PodState
from harness.model.verdict import Verdict
from harness.rehearsals.scaling.types import Applied, Drained, Manual, Part, TakenBack


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


def timed(
    part: Part, claim: str, value: float | None, within_s: float, what: Message, *, after_s: float = 0.0
) -> Judgement:
    """``what`` took ``value`` seconds: passed within ``after_s``..``within_s``; never seen is a fail."""
    if value is None:
        return held(part.name, claim, False, message("not seen: {what}", what=what), **seconds(None, within_s))
    words: dict[str, str | Message] = {"what": what, "seconds": f"{value:.1f}", "most": f"{within_s:g}"}
    told = message("{what}: {seconds} s (at most {most} s)", **words)
    if after_s:
        told = message("{what}: {seconds} s ({least}..{most} s)", least=f"{after_s:g}", **words)
    return held(part.name, claim, after_s <= value <= within_s, told, **seconds(value, within_s))


def manual(part: Part, did: Manual, rows: Sequence[EventRow]) -> list[Judgement]:
    """Up and down by hand; ``rows`` go on for a while after."""
    low, high = str(part.low), str(part.high)
    up = message("{low} -> {high}, from the request to {high} endpoints", low=low, high=high)
    down = message("{high} -> {low}, from the request to {low} pods left", low=low, high=high)
    up_s = endpoints_reached_s(rows, did.up_ns, lambda count: count >= part.high)
    down_s, down = _fewer(part.low, rows, pods_left_s(rows, did.down_ns, part.low), down)
    both, size = up_s is not None and down_s is not None, (message("{count} pods", count=high),)
    went = timed(part, "scaling.time.manual_down", down_s, part.down_within_s, down)
    begun = len(endpoints_now([row for row in rows if row.at_ns < did.up_ns]))
    return [
        _from_low(part, begun, timed(part, "scaling.time.manual_up", up_s, part.up_within_s, up)),
        _from_high(part, rows, did.down_ns, went),
        _from_low(part, begun, held(part.name, "scaling.manual.command", both, up, down, shown=size)),
    ]


def applied(part: Part, did: Applied, rows: Sequence[EventRow]) -> list[Judgement]:
    """The manifest's ``replicas`` counts: whatever was scaled by hand before is gone, and nothing else is. Manifests of
    somebody's own may ask for no fewer than were set by hand: then nothing is seen.
    """
    told = message(
        "{high} pods, then the manifests with replicas: {low} applied: {low} pods",
        high=str(part.high),
        low=str(did.replicas),
    )
    if did.replicas >= part.high:
        return [unknown(part.name, "scaling.manual.manifest", told, message("no pod was to go"))]
    left_s, told = _fewer(did.replicas, rows, pods_left_s(rows, did.applied_ns, did.replicas), told)
    went = held(part.name, "scaling.manual.manifest", left_s is not None, told, **seconds(left_s))
    return [_from_high(part, rows, did.applied_ns, went)]


def _from_low(part: Part, begun: int, went: Judgement) -> Judgement:
    """What ``went`` to more pods; not known where it did not begin with so few, or had no more to make."""
    if begun == part.low or (went.verdict is Verdict.FAIL and begun < part.high):
        return went
    return unknown(part.name, went.claim, *went.told, message("{count} pods were ready before", count=str(begun)))


def _from_high(part: Part, rows: Iterable[EventRow], at_ns: int, went: Judgement) -> Judgement:
    """What ``went`` to fewer pods; not known where so many as it is from were not ready."""
    ready = ready_now(row for row in rows if row.at_ns < at_ns)
    if went.verdict is not Verdict.PASS or ready >= part.high:
        return went
    few = message("only {count} pods were ready before", count=str(ready))
    return unknown(part.name, went.claim, *went.told, few)


def _fewer(low: int, rows: Iterable[EventRow], value: float | None, what: Message) -> tuple[float | None, Message]:
    """``value`` until no more than ``low`` pods were left, and what they were of; ``None`` when fewer than those are
    ready at the end: pods that died are no scaling.
    """
    left = ready_now(rows)
    if value is None or left >= low:
        return value, what
    return None, message("{what} of which only {left} are ready", what=what, left=str(left))


def drained(part: Part, did: Drained, rows: Sequence[EventRow]) -> list[Judgement]:
    """No termination may have begun that left fewer than ``least`` pods ready, nor none; ``granted`` is what the drain
    says. Where no budget asks for a pod, that one stayed shows nothing."""
    found = evictions(rows, did.since_ns, did.until_ns)
    claims = ("manifest.pdb", "checklist.availability.pdb")
    if len(found) < did.granted or not did.granted:
        few = message(
            "{granted} evictions were granted, {seen} are in the event stream",
            granted=str(did.granted),
            seen=str(len(found)),
        )
        return [unknown(part.name, claim, few) for claim in claims]
    breaches = [each for each in found if each.ready < max(1, did.least)]
    told = [
        message(
            "{evicted} evicted, {refused} times refused; ready pods beside each: {ready}; minAvailable: {least}",
            evicted=str(len(found)),
            refused=str(did.refused),
            ready=", ".join(str(each.ready) for each in found),
            least=str(max(0, did.least)),
        )
    ]
    if did.least <= 0:
        told.append(UNGUARDED)
        if not breaches:
            return [not_exercised(part.name, claim, *told) for claim in claims]
    if breaches:
        told.append(message("breached by {pods}", pods=", ".join(each.pod for each in breaches)))
    count = (message("{count} breaches", count=str(len(breaches))),)
    return [held(part.name, claim, not breaches, *told, shown=count, samples=len(found)) for claim in claims]


def taken_back(part: Part, did: TakenBack, rows: Sequence[EventRow]) -> list[Judgement]:
    """The erratum that a number set by hand does not stay: inconclusive when it was not shown."""
    steps = [each for each in resizes(rows, did.scaled_ns) if each.size < part.high]
    claim = "scaling.hpa_takes_back"
    if not steps:
        stayed = message(
            "{count} pods stayed for {seconds} s: the metrics asked for no fewer",
            count=str(part.high),
            seconds=f"{part.wait_s:g}",
        )
        return [unknown(part.name, claim, stayed)]
    after_s = (steps[0].at_ns - did.scaled_ns) / NS
    told = message(
        "kubectl scale did set {count}; the autoscaler took it to {size} after {seconds} s ({reason})",
        count=str(part.high),
        size=str(steps[0].size),
        seconds=f"{after_s:.0f}",
        reason=steps[0].reason,
    )
    return [shown_as(part.name, claim, told, **seconds(after_s))]


def shown_s(value: float | None) -> str | Message:
    """Whole seconds, or that it never was."""
    return NEVER[0] if value is None else f"{value:.0f} s"


def _fold(states: dict[str, str], row: EventRow) -> None:
    if row.data["state"] == PodState.GONE:
        states.pop(row.subject, None)
    else:
        states[row.subject] = row.data["state"]

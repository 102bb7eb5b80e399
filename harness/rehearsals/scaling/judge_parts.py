"""Scaling from the stack's own events: when endpoints and pods were as many, what was evicted, what the HPA did.

Pure. Rows are in the order they were seen; all times are of one clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from harness.judge.endpoints import endpoints, endpoints_now, endpoints_reached_s, most_endpoints
from harness.judge.resizes import Resize, resizes
from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.evidence import EventRow
from harness.model.stack import PodState
from harness.model.verdict import Verdict
from harness.rehearsals.scaling.judge_autoscaling import Ruled, by_rule
from harness.rehearsals.scaling.types import Course, Effect, Part, ScalingFinding, Size

#: What the API server says of the printed Secret's placeholders.
NO_BASE64 = "illegal base64"

#: The HPA's stabilisation, which the document calls its time to scale in.
_FIVE_MINUTES_S = 300.0

_ERROR = re.compile(r"^(?=error\b)", re.MULTILINE | re.IGNORECASE)


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


def course_of(rows: Sequence[EventRow], origin_ns: int, since_ns: int, until_ns: int) -> Course:
    """Endpoints and decisions between two moments, in seconds from ``origin_ns``."""
    before = [count for at_ns, count in endpoints(rows) if at_ns < since_ns][-1:]
    first = [Size(at_s=(since_ns - origin_ns) / NS, pods=count) for count in before]
    later = [
        Size(at_s=(at_ns - origin_ns) / NS, pods=count)
        for at_ns, count in endpoints(rows)
        if since_ns <= at_ns < until_ns
    ]
    decided = [
        Size(at_s=(each.at_ns - origin_ns) / NS, pods=each.size, why=each.reason)
        for each in resizes(rows, since_ns)
        if each.at_ns < until_ns
    ]
    return Course(endpoints=(*first, *later), decisions=tuple(decided))


def _fewer(part: Part, rows: Iterable[EventRow], seconds: float | None, what: str) -> tuple[float | None, str]:
    """``seconds`` until no more than ``part.low`` pods were left, and what they were of; ``None`` when fewer than those
    are ready at the end: pods that died are no scaling.
    """
    left = ready_now(rows)
    if seconds is None or left >= part.low:
        return seconds, what
    return None, f"{what} of which only {left} are ready"


def timed(claim: str, seconds: float | None, within_s: float, what: str, after_s: float = 0.0) -> ScalingFinding:
    """``what`` took ``seconds``: passed within ``after_s``..``within_s``; never seen is a fail."""
    if seconds is None:
        return ScalingFinding(claim=claim, verdict=Verdict.FAIL, value="never", reason=f"not seen: {what}")
    kept = after_s <= seconds <= within_s
    bounds = f"{after_s:g}..{within_s:g} s" if after_s else f"at most {within_s:g} s"
    return ScalingFinding(
        claim=claim,
        verdict=Verdict.PASS if kept else Verdict.FAIL,
        value=f"{seconds:.1f} s",
        reason=f"{what}: {seconds:.1f} s ({bounds})",
    )


def held(claim: str, kept: bool, value: str, reason: str) -> ScalingFinding:
    """A claim that holds or not."""
    return ScalingFinding(claim=claim, verdict=Verdict.PASS if kept else Verdict.FAIL, value=value, reason=reason)


def shown(erratum: str, value: str, reason: str, *, claim: str = "") -> ScalingFinding:
    """``claim`` is not kept as written, just as its ``erratum`` says, and is no failure; the erratum itself where no
    claim is named.
    """
    verdict = Verdict.ERRATUM_SHOWN
    return ScalingFinding(claim=claim or erratum, verdict=verdict, value=value, reason=reason, erratum=erratum)


def manual(part: Part, rows: Sequence[EventRow], up_ns: int, down_ns: int) -> list[ScalingFinding]:
    """Up and down by hand, requested at ``up_ns`` and ``down_ns``; ``rows`` go on for a while after."""
    up_s = endpoints_reached_s(rows, up_ns, lambda count: count >= part.high)
    down_s = pods_left_s(rows, down_ns, part.low)
    up = f"{part.low} -> {part.high}, from the request to {part.high} endpoints"
    down_s, down = _fewer(part, rows, down_s, f"{part.high} -> {part.low}, from the request to {part.low} pods left")
    return [
        timed("scaling.time.manual_up", up_s, part.up_within_s, up),
        timed("scaling.time.manual_down", down_s, part.down_within_s, down),
        held("scaling.manual.command", up_s is not None and down_s is not None, f"{part.high} pods", f"{up}; {down}"),
    ]


def applied(part: Part, rows: Sequence[EventRow], applied_ns: int) -> list[ScalingFinding]:
    """The manifest's ``replicas`` counts: whatever was scaled by hand before is gone, and nothing else is."""
    told = f"{part.high} pods, then the manifests with replicas: {part.low} applied: {part.low} pods"
    seconds, told = _fewer(part, rows, pods_left_s(rows, applied_ns, part.low), told)
    value = "never" if seconds is None else f"{seconds:.1f} s"
    return [held("scaling.manual.manifest", seconds is not None, value, told)]


def drained(
    rows: Sequence[EventRow], since_ns: int, until_ns: int, *, least: int, granted: int, refused: int
) -> list[ScalingFinding]:
    """No termination may have begun that left fewer than ``least`` pods ready; ``granted`` is what the drain says."""
    found = evictions(rows, since_ns, until_ns)
    claims = ("manifest.pdb", "checklist.availability.pdb")
    if len(found) < granted or not granted:
        reason = f"{granted} evictions were granted, {len(found)} are in the event stream"
        return [ScalingFinding(claim=c, verdict=Verdict.INCONCLUSIVE, value="", reason=reason) for c in claims]
    breaches = [each for each in found if each.ready < least]
    reason = (
        f"{len(found)} evicted, {refused} times refused; ready pods beside each: "
        f"{', '.join(str(each.ready) for each in found)}; minAvailable: {least}"
    )
    if breaches:
        reason += f"; breached by {', '.join(each.pod for each in breaches)}"
    return [held(claim, not breaches, f"{len(breaches)} breaches", reason) for claim in claims]


def autoscaled(
    part: Part,
    rows: Sequence[EventRow],
    load_ns: int,
    end_ns: int,
    *,
    asked: Iterable[tuple[int, str, float]] = (),
    ruled: Ruled | None = None,
) -> list[ScalingFinding]:
    """Under one resource alone, memory where the part holds some: up while that lasts (``load_ns``..``end_ns``), down
    after it.

    ``asked`` are the metrics' own recommendations (when, which, replicas), where the rung tells them: stabilisation
    counts from the last of the most, which may lie before the end of load. ``ruled`` is what the rule says of a real
    controller's decisions; ``None`` where the autoscaler is the rule itself.
    """
    most = most_endpoints(rows, load_ns, end_ns)
    steps = resizes(rows, load_ns)
    rises = _rises(steps, part.low, end_ns)
    reached_s = None if most <= part.low else endpoints_reached_s(rows, load_ns, lambda count: count >= most)
    falls = [each for each in steps if each.at_ns >= end_ns and each.size < most]
    last_ns = max((at_ns for at_ns, _, size in asked if load_ns <= at_ns and size >= most), default=end_ns)
    fell_s = (falls[0].at_ns - last_ns) / NS if falls else None
    since = f"the last recommendation of {most}, {(end_ns - last_ns) / NS:.0f} s before the end of load,"
    since = "the end of load" if last_ns == end_ns else since
    path = ", ".join(f"{(each.at_ns - load_ns) / NS:.0f} s: {each.size} ({_short(each.reason)})" for each in rises)
    low_s = endpoints_reached_s(rows, end_ns, lambda count: count <= part.low)
    left = len(endpoints_now(rows))
    return [
        timed("scaling.time.hpa_up", reached_s, part.up_within_s, f"load to {most} ready endpoints [{path}]"),
        _rose(part, rises, most, path, ruled),
        _fell(part, fell_s, since),
        held(
            "scaling.hpa.down_to_2",
            low_s is not None and most > part.low <= left,
            "never" if low_s is None else f"{low_s:.0f} s",
            f"{most} -> {part.low} endpoints after the end of load, {left} at the end",
        ),
    ]


def _fell(part: Part, fell_s: float | None, since: str) -> ScalingFinding:
    """The document's five minutes. They are the least, says an erratum, which a time of more shows."""
    found = timed(
        "scaling.time.hpa_down", fell_s, part.down_within_s, f"from {since} to fewer replicas", part.down_after_s
    )
    if found.verdict is not Verdict.PASS or fell_s is None or fell_s < _FIVE_MINUTES_S:
        return found
    return msgspec.structs.replace(found, erratum="scaling.time.five_minutes_is_the_least")


def _short(reason: str) -> str:
    """Without the words that every reason of a utilization has."""
    return reason.replace(" resource utilization (percentage of request)", "")


def _rose(part: Part, rises: Sequence[Resize], most: int, path: str, ruled: Ruled | None) -> ScalingFinding:
    """By the one resource alone, as far as the part wants, and each decision as the rule has it."""
    resource = "memory" if part.hold else "cpu"
    claim, value = f"scaling.hpa.{resource}", f"{part.low} -> {most}"
    others = [each for each in rises if resource not in each.reason]
    if not rises or others:
        told = "the autoscaler added no pod" if not rises else f"not by {resource} alone: {path}"
        return held(claim, False, value, told)
    verdict, told = (
        (Verdict.PASS, "the environment's autoscaler is the rule itself") if ruled is None else by_rule(ruled)
    )
    if most < part.high and verdict is Verdict.PASS:
        verdict, told = Verdict.INCONCLUSIVE, f"the load asked for {most}, not for {part.high}; {told}"
    return ScalingFinding(claim=claim, verdict=verdict, value=value, reason=f"{path}; {told}")


def taken_back(part: Part, rows: Sequence[EventRow], scaled_ns: int) -> list[ScalingFinding]:
    """The erratum that a number set by hand does not stay: inconclusive when it was not shown."""
    steps = [each for each in resizes(rows, scaled_ns) if each.size < part.high]
    claim = "scaling.hpa_takes_back"
    if not steps:
        reason = f"{part.high} pods stayed for {part.wait_s:g} s: the metrics asked for no fewer"
        return [ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=reason)]
    after_s = (steps[0].at_ns - scaled_ns) / NS
    reason = (
        f"kubectl scale did set {part.high}; the autoscaler took it to {steps[0].size} "
        f"after {after_s:.0f} s ({steps[0].reason})"
    )
    return [shown(claim, f"{after_s:.0f} s", reason)]


def commands(ran: dict[str, Ran], effects: Sequence[Effect] = ()) -> list[ScalingFinding]:
    """``ran`` by a short name; a command that the plan could not run is missing, and inconclusive. ``effects`` are of
    the document's two ways to another number of pods; the autoscaler may undo them, so only those without it are
    judged."""
    watched = ("get pods", "logs", "top pods", "get hpa", "get events")
    return [
        _all_ran("monitoring.commands", ran, watched),
        _all_ran("scaling.hpa.apply", ran, ("apply hpa",)),
        _all_ran("cicd.set_image", ran, ("set image",)),
        _fails_as_it_should(ran),
        _first_deploy(ran),
        _set_by_hand("scaling.manual.command", [each for each in effects if " scale " in each.command]),
        _set_by_hand("scaling.manual.manifest", [each for each in effects if " apply " in each.command]),
    ]


def _all_ran(claim: str, ran: dict[str, Ran], names: tuple[str, ...]) -> ScalingFinding:
    lacking = [name for name in names if name not in ran]
    if lacking:
        reason = f"not run: {', '.join(lacking)}"
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=reason)
    bad = [ran[name] for name in names if ran[name].status != 0 or not ran[name].output.strip()]
    told = "; ".join(f"{one.command}: status {one.status}, {one.output.strip()[-200:] or 'no output'}" for one in bad)
    return held(
        claim, not bad, f"{len(names) - len(bad)} of {len(names)}", told or "each ended in 0 and said something"
    )


def _fails_as_it_should(ran: dict[str, Ran]) -> ScalingFinding:
    """A version that never becomes ready: ``rollout status`` must not call it out, and ``undo`` brings the old back."""
    claim = "cicd.rollout_status"
    if not {"rollout status", "rollout undo", "status after undo"} <= ran.keys():
        reason = "not run to its end"
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=reason)
    status, undone = ran["rollout status"].status, ran["status after undo"].status
    reason = (
        f"an image that cannot be pulled: rollout status ended in {status} (0 would say it is out); "
        f"rollout undo in {ran['rollout undo'].status}, rollout status after it in {undone}"
    )
    return held(claim, status != 0 and ran["rollout undo"].status == 0 and undone == 0, f"status {status}", reason)


def _set_by_hand(claim: str, effects: Sequence[Effect]) -> ScalingFinding:
    alone = [each for each in effects if not each.autoscaler]
    if not alone:
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason="not run without the HPA")
    told = "; ".join(f"{each.command}: {_seconds(each.after_s)}" for each in alone)
    never = [each for each in alone if each.after_s is None]
    slowest = max((each.after_s for each in alone if each.after_s is not None), default=None)
    return held(claim, not never, "never" if never else _seconds(slowest), f"without the HPA: {told}")


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


def _first_deploy(ran: dict[str, Ran]) -> ScalingFinding:
    """As printed the folder cannot be applied whole: the erratum, as long as nothing but the Secret is refused."""
    claim = "operations.first_deploy"
    if "apply folder" not in ran:
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason="not run")
    one = ran["apply folder"]
    value, reason = f"status {one.status}", f"{one.command}: {one.output.strip().replace(chr(10), '; ')[-600:]}"
    errors = _ERROR.split(one.output)[1:]  # each with the lines that belong to it: of a patch there are several
    if one.status != 0 and errors and all(NO_BASE64 in error for error in errors):
        return shown("operations.apply_placeholders", value, reason, claim=claim)
    return held(claim, one.status == 0, value, reason)


def _rises(steps: Sequence[Resize], low: int, end_ns: int) -> list[Resize]:
    found: list[Resize] = []
    for each in steps:
        if each.at_ns < end_ns and each.size > (found[-1].size if found else low):
            found.append(each)
    return found


def _fold(states: dict[str, str], row: EventRow) -> None:
    if row.data["state"] == PodState.GONE:
        states.pop(row.subject, None)
    else:
        states[row.subject] = row.data["state"]

"""Facts of sizes set by hand, evictions under the budget, and what the autoscaler took back, from the stack's events.

Pure. Rows are in the order they were seen; all times are of one clock.

Facts of the document's kubectl commands: how each ended, and what it said. Pure.
Facts of the loss of a zone, from the cluster's own words and the users' requests.

Pure. Rows are in the order they were seen; all times are of one clock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.checks.as_printed import PHASE_2
from harness.load.population.arrivals import due_of_step
from harness.model.command import Ran
from harness.model.evidence import EventRow, Outcome, RequestRow
from harness.model.manifests import UNGUARDED
from harness.model.message import Message, Told, message
from harness.model.scenario import Arrivals
from harness.model.stack import PodState
from harness.rehearsals.scaling.types import (
    Applied,
    Commanded,
    Drained,
    Effect,
    Manual,
    ScalingPart,
    TakenBack,
    ZoneLost,
    step_of,
)
from harness.rules.bounds import CONFIDENCE, ratio_lower, ratio_upper
from harness.rules.endpoints import endpoints_now, endpoints_reached_s
from harness.rules.ledger import missing_samples
from harness.rules.planned import lost_words
from harness.rules.resizes import Resize, resizes
from harness.rules.rule import Fact, FactsOf
from harness.rules.zones import nodes_of, placement, zones

_COMMANDS_PHRASES = {
    "monitoring.failed": gettext_noop("{seen} of {of} commands failed or showed nothing"),
    "hpa_applied.failed": gettext_noop("{seen} of {of} commands failed or showed nothing"),
    "image_set.failed": gettext_noop("{seen} of {of} commands failed or showed nothing"),
    "bad_version.called_out": gettext_noop(
        "an image that cannot be pulled: rollout status ended in {status} (0 would say it is out)"
    ),
    "bad_version.undo_failed": gettext_noop("rollout undo ended in {undo}, rollout status after it in {undone}"),
    "folder.failed": gettext_noop("{command}: {output}"),
    "folder.secrets_refused": gettext_noop("{command}: {output}"),
    "folder.others_refused": gettext_noop("{seen} of its errors are not of the Secret's placeholders"),
    "confirmed.failed": gettext_noop("{seen} of {of} commands failed or showed nothing"),
    "confirmed.unseen": gettext_noop("of the seven kinds {command} does not show: {kinds}"),
    "logs.failed": gettext_noop("{seen} of {of} commands failed or showed nothing"),
    "logs.chosen": gettext_noop("{said}"),
    "logs.running": gettext_noop("{command} did not say which pod it follows; {seen} run"),
    "applied.cut_back": gettext_noop("with the HPA {seen} of {of} commands cut the pods back by applying a number"),
    "set.put_back": gettext_noop("the HPA undid {seen} of {of} commands by more pods"),
    "set.taken_back": gettext_noop("the HPA undid {seen} of {of} commands by fewer pods"),
}
#: What the API server says of the printed Secret's placeholders.
NO_BASE64 = "illegal base64"
#: Where kubectl begins to tell of an error; of what the API server calls invalid it says it otherwise.
_ERROR = re.compile(r"^(?=error\b|the (?:request|\S+ \S+) is invalid\b)", re.MULTILINE | re.IGNORECASE)
#: What kubectl says when it follows one of several pods.
_CHOSE = re.compile(r"Found \d+ pods, using pod/\S+")
#: The kinds of which ``kubectl get all`` shows none: its name says more than it does.
_NOT_ALL = {"ConfigMap", "Secret", "ServiceAccount", "PodDisruptionBudget"}
_WATCHED = ("get pods", "logs", "top pods", "get hpa", "get events")
_UNDONE = ("rollout undo", "status after undo")


def commands(fact: FactsOf, did: Commanded, steps: Sequence[Resize] = ()) -> Iterator[Fact]:
    """A command that could not be run is missing, and proves nothing. The autoscaler may undo a number of pods, so only
    what was set without it counts; ``steps`` are what it decided in the part."""
    ran = did.ran
    yield _failed(fact, "monitoring.failed", ran, _WATCHED)
    yield _failed(fact, "hpa_applied.failed", ran, ("apply hpa",))
    yield _failed(fact, "image_set.failed", ran, ("set image",))
    yield from _bad_version(fact, ran)
    yield from _folder(fact, ran)
    yield from _confirmed(fact, ran)
    yield from _logs(fact, ran)
    yield _set_by_hand(fact, "command_s", did.effects, " scale ")
    yield _set_by_hand(fact, "manifest_s", did.effects, " apply ")
    yield from _beside_autoscaler(fact, did.effects, steps)


def _lacking(ran: Mapping[str, Ran], *names: str) -> Told:
    """Why nothing is known of commands of which some were not run."""
    lacking = [name for name in names if name not in ran]
    return (message("not run: {names}", names=", ".join(lacking)),) if lacking else ()


def _failed(fact: FactsOf, name: str, ran: Mapping[str, Ran], names: Sequence[str], *others: str) -> Fact:
    """How many of the commands did not end in 0, or said nothing; ``others`` have to be run as well."""
    bad = [ran[each] for each in names if each in ran and not ran[each].answered]
    return fact(name, len(bad), of=len(names), void=_lacking(ran, *others, *names), besides=tuple(map(_said, bad)))


def _said(one: Ran) -> Message:
    words = {"command": one.command, "status": str(one.status)}
    if not one.output.strip():
        return message("{command}: status {status}, no output", **words)
    return message("{command}: status {status}, {output}", output=one.output.strip()[-200:], **words)


def _bad_version(fact: FactsOf, ran: Mapping[str, Ran]) -> Iterator[Fact]:
    """A version that never becomes ready: ``rollout status`` must not call it out, and ``undo`` brings the old back."""
    lacking = _lacking(ran, "rollout status", *_UNDONE)
    status, undo, undone = (str(ran[name].status) if name in ran else "?" for name in ("rollout status", *_UNDONE))
    failed = sum(name not in ran or not ran[name].answered for name in _UNDONE)
    yield fact("bad_version.called_out", int(status == "0"), status=status, void=lacking)
    yield fact("bad_version.undo_failed", failed, undo=undo, undone=undone, void=lacking)


def _folder(fact: FactsOf, ran: Mapping[str, Ran]) -> Iterator[Fact]:
    """As printed the folder cannot be applied whole: the erratum, as long as nothing but the Secret is refused."""
    one = ran.get("apply folder", Ran(command="apply folder", status=0, output=""))
    output = one.output.strip().replace("\n", "; ")[-600:]
    errors = (
        _ERROR.split(one.output)[1:] if one.status != 0 else []
    )  # each with its lines: of a patch there are several
    refused = sum(NO_BASE64 in error for error in errors)
    lacking = _lacking(ran, "apply folder")
    yield fact("folder.failed", int(not one.answered), void=lacking, command=one.command, output=output)
    yield fact("folder.secrets_refused", refused, command=one.command, output=output)
    yield fact("folder.others_refused", len(errors) - refused)


def _confirmed(fact: FactsOf, ran: Mapping[str, Ran]) -> Iterator[Fact]:
    """Whether ``kubectl get all`` and ``get svc`` show what was applied: each of the seven kinds, and the Service. What
    the erratum does not explain is not there.
    """
    yield _failed(fact, "confirmed.failed", ran, ("get all", "get svc"), "apply folder")
    everything = ran.get("get all", Ran(command="get all", status=0, output=""))
    shown = {line.partition("/")[0].partition(".")[0] for line in everything.output.splitlines() if "/" in line}
    unseen = [kind for kind in PHASE_2 if kind.lower() not in shown]
    kinds = ", ".join(unseen) or message("none")
    lacking = _lacking(ran, "apply folder", "get all", "get svc")
    yield fact("confirmed.unseen", len({*unseen} - _NOT_ALL), command=everything.command, kinds=kinds, void=lacking)


def _logs(fact: FactsOf, ran: Mapping[str, Ran]) -> Iterator[Fact]:
    """Whether ``kubectl logs deployment/...`` follows every pod that there is: of one it says which it chose."""
    logs, pods = (ran.get(name, Ran(command=name, status=0, output="")) for name in ("logs", "get pods"))
    chose = _CHOSE.search(logs.output)
    running = sum(" Running " in line for line in pods.output.splitlines())
    yield _failed(fact, "logs.failed", ran, ("logs",), "get pods")
    yield fact("logs.chosen", int(chose is not None), said=chose[0] if chose else "")
    yield fact("logs.running", running, command=logs.command)


def _set_by_hand(fact: FactsOf, name: str, effects: Sequence[Effect], word: str) -> Fact:
    """The slowest of the commands with ``word``, without the autoscaler."""
    alone = [each for each in effects if word in each.command and not each.autoscaler]
    told = [message("{command}: {seconds}", command=each.command, seconds=shown_s(each.after_s)) for each in alone]
    slowest = max((math.inf if each.after_s is None else each.after_s for each in alone), default=math.inf)
    took = reached(fact, name, None if slowest == math.inf else slowest, message("without the HPA"), *told)
    return took if alone else msgspec.structs.replace(took, void=(message("not run without the HPA"),))


def _beside_autoscaler(fact: FactsOf, effects: Sequence[Effect], steps: Sequence[Resize]) -> Iterator[Fact]:
    """What the document's two ways to another number of pods came to while an HPA was there, with the first of each.

    The first decision of the autoscaler after a command, and before the next, is held against what was asked for:
    fewer after a rise, or more after a fall, undoes the command. Which of the two it was is told by the command before
    it; where that one's number was not reached it is neither.
    """
    found: dict[str, list[Told]] = {"applied.cut_back": [], "set.put_back": [], "set.taken_back": []}
    ends_ns = (*(each.at_ns for each in effects[1:]), 2**63)
    for before, effect, end_ns in zip((None, *effects), effects, ends_ns, strict=False):
        if effect.autoscaler and effect.after_s is not None:
            step = next((each for each in steps if effect.at_ns <= each.at_ns < end_ns), None)
            for name, told in _of_effect(before, effect, step):
                found[name].append(told)
    for name, shown in found.items():
        yield fact(name, len(shown), of=len(effects), besides=shown[0] if shown else ())


def _of_effect(before: Effect | None, effect: Effect, step: Resize | None) -> Iterator[tuple[str, Told]]:
    reached_before = before is None or before.after_s is not None
    rose = reached_before and (before is None or effect.pods > before.pods)
    fell = reached_before and (before is None or effect.pods < before.pods)
    came = message(
        "`{command}`: {count} pods after {seconds} s, with the HPA",
        command=effect.command,
        count=str(effect.pods),
        seconds=f"{effect.after_s:.0f}",
    )
    if " apply " in effect.command and fell:
        yield "applied.cut_back", (came,)
    if step is not None and ((fell and step.size > effect.pods) or (rose and step.size < effect.pods)):
        after = message(
            "{seconds} s after the command the autoscaler set {size} ({reason})",
            seconds=f"{(step.at_ns - effect.at_ns) / NS:.0f}",
            size=str(step.size),
            reason=step.reason,
        )
        yield "set.put_back" if step.size > effect.pods else "set.taken_back", (came, after)


_ZONES_PHRASES = {
    "zones.carrying": gettext_noop("pods by zone: {zones}"),
    "zones.spread_asked": gettext_noop("the Deployment asks for {seen} spreads over zones"),
    "windows.dark": gettext_noop("{seen} windows of {seconds} s without any answer"),
    "early.failed_ratio": gettext_noop("{failed} of {all} failed until then, shown to be above {edge}"),
    "early.share_ratio": gettext_noop("the zone's pods had to answer {seen}"),
    "late.failed_ratio": gettext_noop("{failed} of {all} failed from {seconds} s later on, shown to be below {edge}"),
    "back_s": gettext_noop(
        "node called not ready {silent}, endpoints gone {out}, pods given up {given_up}, {count} ready in other zones "
        "after {seen}"
    ),
}
WINDOW_S = 10
#: A share that chance alone gives is called too high in at most 0.5 % of runs.
_CONFIDENCE = 0.995


class FailureTally(NamedTuple):
    """Requests that were due: how many, how many of them failed, and how many have no row."""

    due: int
    failed: int
    missing: int

    def lower(self, failed: int, confidence: float = CONFIDENCE) -> float:
        """The bound of the share, if so many ``failed``; 0.0 where nothing was due."""
        return ratio_lower(failed, self.due, confidence) if self.due else 0.0


class ZoneLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen. ``placed`` is zone by pod as the zone was lost; times in seconds from then, ``None`` for never."""

    zone: str
    placed: dict[str, str]
    unreachable_s: float | None  # the first node of the zone is called not ready
    out_s: float | None  # no pod of the zone is an endpoint any more
    given_up_s: float | None  # the first of its pods is deleted
    replaced_s: float | None  # as many endpoints as wanted, none of them in the zone, from then to the end
    stayed: bool  # and so it was at the end; if not, ``replaced_s`` is when it first was so
    requests: int
    failed: int
    failed_after_out: int
    dark_windows: int  # of 10 s, with requests due, all in evidence and failed
    unknown_windows: int = 0  # of 10 s, with nothing answered in evidence and something missing
    unasked_windows: int = 0  # of 10 s of a closed loop, in which nothing was due: every user waited for an answer
    missing: int = 0  # due, and not in evidence
    early: FailureTally = FailureTally(0, 0, 0)  # as long as pods of the zone were endpoints
    late: FailureTally = FailureTally(0, 0, 0)  # from ``WINDOW_S`` after that


def seen(part: ScalingPart, did: ZoneLost, rows: Sequence[EventRow], requests: Iterable[RequestRow]) -> ZoneLoss:
    """Everything between the loss of the zone and the part's end."""
    zone, lost_ns, end_ns = did.zone, did.lost_ns, did.end_ns
    placed, by_node = placement(rows, lost_ns), zones(rows)
    lost = {pod for pod, at in placed.items() if at == zone}
    later = [row for row in rows if lost_ns < row.at_ns <= end_ns]
    silent = [row for row in later if row.kind == "node" and not row.data["ready"] and row.data["zone"] == zone]
    given_up = [
        row for row in later if row.kind == "pod" and row.subject in lost and row.data["state"] == PodState.TERMINATING
    ]
    courses = [(row.at_ns, row.data["pods"]) for row in later if row.subject == "service" and "pods" in row.data]
    out = [at_ns for at_ns, pods in courses if not lost & set(pods)]
    whole = [
        len(pods) >= _wanted(part, placed)
        and all(by_node.get(node, zone) != zone for node in nodes_of(rows, pods).values())
        for _at_ns, pods in courses
    ]
    stayed = bool(whole) and whole[-1]
    became = [
        at_ns for (at_ns, _pods), now, before in zip(courses, whole, [False, *whole], strict=False) if now > before
    ]
    asked = [row for row in requests if lost_ns <= row.due_ns < end_ns]
    lost_rows = missing_samples(_due_ns(part, did), (row.due_ns for row in asked))
    dark, unknown_windows = _dark(asked, lost_rows, lost_ns)
    out_ns = out[0] if out else end_ns
    return ZoneLoss(
        zone=zone,
        placed=placed,
        unreachable_s=_since(lost_ns, [row.at_ns for row in silent]),
        out_s=_since(lost_ns, out),
        given_up_s=_since(lost_ns, [row.at_ns for row in given_up]),
        replaced_s=_since(lost_ns, became[-1:] if stayed else became),
        stayed=stayed,
        requests=len(asked),
        failed=sum(row.outcome is not Outcome.OK for row in asked),
        failed_after_out=sum(row.outcome is not Outcome.OK and row.due_ns >= out_ns for row in asked),
        dark_windows=dark,
        unknown_windows=unknown_windows,
        unasked_windows=_unasked(part, did, asked),
        missing=len(lost_rows),
        early=_tally(asked, lost_rows, lost_ns, out_ns),
        late=_tally(asked, lost_rows, out_ns + WINDOW_S * NS, end_ns),
    )


def _tally(asked: Sequence[RequestRow], missing_ns: Iterable[int], since_ns: int, until_ns: int) -> FailureTally:
    good = [row.outcome is Outcome.OK for row in asked if since_ns <= row.due_ns < until_ns]
    missing = sum(since_ns <= at_ns < until_ns for at_ns in missing_ns)
    return FailureTally(len(good) + missing, good.count(False), missing)


def facts(fact: FactsOf, part: ScalingPart, loss: ZoneLoss, *, spread: bool) -> Iterator[Fact]:
    """Which zones carried the pods, how many requests failed against what the pods of the lost one had to answer, and
    once those were no endpoints; and when the pods were back, to stay. Without requests, or a node that was called
    silent, nothing is known; nor of a window in which nothing was due, or of which what is due and not in evidence may
    have been answered, or failed. ``spread``: the Deployment asks for a spread over zones.
    """
    if why := _unseen(loss):
        yield fact.every(void=(message("the zone {zone} lost: {why}", zone=loss.zone or "?", why=why),))
        return
    counts = {zone: list(loss.placed.values()).count(zone) for zone in sorted(set(loss.placed.values()))}
    placed = ", ".join(f"{zone} {count}" for zone, count in counts.items())
    alone = () if spread else (message("the Deployment asks for no spread over zones"),)
    yield fact("zones.carrying", len(counts), of=loss.requests, zones=placed, besides=(*_failed_words(loss), *alone))
    yield fact("zones.spread_asked", int(spread))
    dark, untold = loss.dark_windows, loss.unknown_windows + loss.unasked_windows
    unasked = {"count": str(loss.unasked_windows), "seconds": str(WINDOW_S)}
    nothing = (message("in {count} windows of {seconds} s nothing was due", **unasked),) if loss.unasked_windows else ()
    yield fact("windows.dark", dark, high=dark + untold, seconds=str(WINDOW_S), besides=nothing)
    yield from _served(fact, loss, void=nothing or lost_words(loss.missing, loss.requests) if untold else ())
    yield _back(fact, part, loss)


def _served(fact: FactsOf, loss: ZoneLoss, *, void: Told) -> Iterator[Fact]:
    """Whether the other zones' pods answered. Of requests that come to pods by chance, more than the share of the lost
    ones has to be shown; that hardly any fails later has to be carried."""
    early, late = loss.early, loss.late
    share = list(loss.placed.values()).count(loss.zone) / len(loss.placed)
    lower, most = (early.lower(some, _CONFIDENCE) for some in (early.failed, early.failed + early.missing))
    yield fact(
        "early.failed_ratio", lower, high=most, of=early.due, void=void,
        failed=str(early.failed), all=str(early.due), edge=f"{lower * 100:.1f} %",
    )  # fmt: skip
    yield fact("early.share_ratio", share)
    upper = ratio_upper(late.failed + late.missing, late.due) if late.due else 1.0
    yield fact(
        "late.failed_ratio", late.failed / (late.due or 1), low=late.lower(late.failed), high=upper, of=late.due,
        void=void, seconds=str(WINDOW_S), failed=str(late.failed), all=str(late.due), edge=f"{upper * 100:.2f} %",
    )  # fmt: skip


def _wanted(part: ScalingPart, placed: Mapping[str, str]) -> int:
    """Pods that have to be back: as many as there were, where manifests of somebody's own have more than the plan."""
    return max(part.high, len(placed))


def _unseen(loss: ZoneLoss) -> Message | None:
    if not loss.requests:
        return message("no requests")
    if loss.unreachable_s is None or not loss.placed or "" in loss.placed.values():
        return message("no node of it was called not ready, or no zone is known")
    return None


def _failed_words(loss: ZoneLoss) -> Told:
    failed = message(
        "{zone} lost: {failed} of {all} requests failed, {later} of them after its pods were no endpoints any more "
        "({out})",
        zone=loss.zone,
        failed=str(loss.failed),
        all=str(loss.requests),
        later=str(loss.failed_after_out),
        out=_after(loss.out_s),
    )
    return (failed, *lost_words(loss.missing, loss.requests))


def _back(fact: FactsOf, part: ScalingPart, loss: ZoneLoss) -> Fact:
    """Pods that were back and did not stay were not back."""
    end = None if loss.stayed and loss.replaced_s is not None else math.inf
    left = () if loss.stayed or loss.replaced_s is None else (message("at the end they were not there any more"),)
    silent, out, given_up = (_after(each) for each in (loss.unreachable_s, loss.out_s, loss.given_up_s))
    count = str(_wanted(part, loss.placed))
    return fact(
        "back_s", loss.replaced_s, low=end, high=end, silent=silent, out=out, given_up=given_up, count=count,
        besides=left,
    )  # fmt: skip


def _due_ns(part: ScalingPart, did: ZoneLost) -> list[int]:
    """When requests were due from the loss of the zone on; none where it is not known when the load began."""
    due_ns = None if did.load_ns is None else due_of_step(step_of(part), 0, did.load_ns)
    return [at_ns for at_ns in due_ns or () if did.lost_ns <= at_ns < did.end_ns]


def _dark(requests: Sequence[RequestRow], missing_ns: Sequence[int], since_ns: int) -> tuple[int, int]:
    """How many windows had no answer, and of how many that is not known: calls due at ``missing_ns`` have no row."""
    answered: dict[int, bool] = {}
    for row in requests:
        window = (row.due_ns - since_ns) // (WINDOW_S * NS)
        answered[window] = answered.get(window, False) or row.outcome is Outcome.OK
    dark = {window for window, some in answered.items() if not some}
    lit = set(answered) - dark
    unknown_windows = {(at_ns - since_ns) // (WINDOW_S * NS) for at_ns in missing_ns} - lit
    return len(dark - unknown_windows), len(unknown_windows)


def _unasked(part: ScalingPart, did: ZoneLost, requests: Sequence[RequestRow]) -> int:
    """How many whole windows of a closed loop had no request; none where it is not known when the load began."""
    if did.load_ns is None or step_of(part).arrivals is not Arrivals.CLOSED:
        return 0
    until_ns = min(did.end_ns, did.load_ns + round(part.load_s * NS))
    asked = {(row.due_ns - did.lost_ns) // (WINDOW_S * NS) for row in requests}
    return len(set(range((until_ns - did.lost_ns) // (WINDOW_S * NS))) - asked)


def _since(begin_ns: int, moments: Sequence[int]) -> float | None:
    return (min(moments) - begin_ns) / NS if moments else None


def _after(value: float | None) -> Message:
    return message("never") if value is None else message("after {seconds} s", seconds=f"{value:.0f}")


PHRASES = {
    **_COMMANDS_PHRASES,
    **_ZONES_PHRASES,
    "before.pods": gettext_noop("{seen} pods were ready before"),
    "before.most": gettext_noop("a rise is seen from at most {seen} pods"),
    "high.pods": gettext_noop("{seen} pods were ready before it went down"),
    "up_s": gettext_noop("{what}: {seen}"),
    "down_s": gettext_noop("{what}: {seen}"),
    "command_s": gettext_noop("{what}: {seen}"),
    "manifest_s": gettext_noop("{what}: {seen}"),
    "evictions.breaching": gettext_noop(
        "{of} evicted, {refused} times refused; ready pods beside each: {ready}; minAvailable: {least}; {seen} breaches"
    ),
    "taken_back_s": gettext_noop(
        "kubectl scale did set {count}; the autoscaler took it to {size} after {seen} ({reason})"
    ),
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


def manual(fact: FactsOf, part: ScalingPart, did: Manual, rows: Sequence[EventRow]) -> Iterator[Fact]:
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


def applied(fact: FactsOf, part: ScalingPart, did: Applied, rows: Sequence[EventRow]) -> Fact:
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


def taken_back(fact: FactsOf, part: ScalingPart, did: TakenBack, rows: Sequence[EventRow]) -> Fact:
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

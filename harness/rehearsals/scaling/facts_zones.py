"""Facts of the loss of a zone, from the cluster's own words and the users' requests.

Pure. Rows are in the order they were seen; all times are of one clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from harness.base.message import marked
from harness.judge.bounds import CONFIDENCE, ratio_lower, ratio_upper
from harness.judge.lacking import lacking
from harness.judge.planned import lost_words
from harness.judge.window import NS
from harness.judge.zones import nodes_of, placement, zones
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import EventRow, Outcome, RequestRow
from harness.model.message import Message, Told, message
from harness.model.stack import PodState
from harness.model.step import Arrivals
from harness.rehearsals.scaling.types import Part, ZoneLost, step_of
from harness.rules.fact import Fact, FactsOf

PHRASES = {
    "zones.carrying": marked("pods by zone: {zones}"),
    "zones.spread_asked": marked("the Deployment asks for {seen} spreads over zones"),
    "windows.dark": marked("{seen} windows of {seconds} s without any answer"),
    "early.failed_ratio": marked("{failed} of {all} failed until then, shown to be above {edge}"),
    "early.share_ratio": marked("the zone's pods had to answer {seen}"),
    "late.failed_ratio": marked("{failed} of {all} failed from {seconds} s later on, shown to be below {edge}"),
    "back_s": marked(
        "node called not ready {silent}, endpoints gone {out}, pods given up {given_up}, {count} ready in other zones "
        "after {seen}"
    ),
}
WINDOW_S = 10
#: A share that chance alone gives is called too high in at most 0.5 % of runs.
_CONFIDENCE = 0.995


class Tally(NamedTuple):
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
    early: Tally = Tally(0, 0, 0)  # as long as pods of the zone were endpoints
    late: Tally = Tally(0, 0, 0)  # from ``WINDOW_S`` after that


def seen(part: Part, did: ZoneLost, rows: Sequence[EventRow], requests: Iterable[RequestRow]) -> ZoneLoss:
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
    lost_rows = lacking(_due_ns(part, did), (row.due_ns for row in asked))
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


def _tally(asked: Sequence[RequestRow], missing_ns: Iterable[int], since_ns: int, until_ns: int) -> Tally:
    good = [row.outcome is Outcome.OK for row in asked if since_ns <= row.due_ns < until_ns]
    missing = sum(since_ns <= at_ns < until_ns for at_ns in missing_ns)
    return Tally(len(good) + missing, good.count(False), missing)


def facts(fact: FactsOf, part: Part, loss: ZoneLoss, *, spread: bool) -> Iterator[Fact]:
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
    yield fact("zones.carrying", len(counts), of=loss.requests, zones=placed, besides=(*_failed(loss), *alone))
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


def _wanted(part: Part, placed: Mapping[str, str]) -> int:
    """Pods that have to be back: as many as there were, where manifests of somebody's own have more than the plan."""
    return max(part.high, len(placed))


def _unseen(loss: ZoneLoss) -> Message | None:
    if not loss.requests:
        return message("no requests")
    if loss.unreachable_s is None or not loss.placed or "" in loss.placed.values():
        return message("no node of it was called not ready, or no zone is known")
    return None


def _failed(loss: ZoneLoss) -> Told:
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


def _back(fact: FactsOf, part: Part, loss: ZoneLoss) -> Fact:
    """Pods that were back and did not stay were not back."""
    end = None if loss.stayed and loss.replaced_s is not None else math.inf
    left = () if loss.stayed or loss.replaced_s is None else (message("at the end they were not there any more"),)
    silent, out, given_up = (_after(each) for each in (loss.unreachable_s, loss.out_s, loss.given_up_s))
    count = str(_wanted(part, loss.placed))
    return fact(
        "back_s", loss.replaced_s, low=end, high=end, silent=silent, out=out, given_up=given_up, count=count,
        besides=left,
    )  # fmt: skip


def _due_ns(part: Part, did: ZoneLost) -> list[int]:
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


def _unasked(part: Part, did: ZoneLost, requests: Sequence[RequestRow]) -> int:
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

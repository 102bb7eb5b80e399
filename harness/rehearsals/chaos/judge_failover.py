"""What a failover of the database cost its users, and what it lost. Pure.

The steps come from the stack's events of kind ``failover`` (``harness/stack/failover.py``), the outage from writes:
reads tell nothing of whether the database takes commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.evidence.gathered import Gathered
from harness.judge.window import NS
from harness.model.evidence import WRITES, EventRow, Outcome, ProbeRow, RequestRow, Side
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.judge import adding
from harness.rehearsals.chaos.types import Failover, FailoverSeen, Made

_FOR_EVER = 2**63 - 1
_STEPS = ("begun", "killed", "detected", "promoted", "led")


class Write(msgspec.Struct, frozen=True):
    """A write of a user's or a canary's: monotonic ns, and whether it was acknowledged."""

    sent_ns: int
    done_ns: int
    good: bool


def writes(requests: Iterable[RequestRow], probes: Iterable[ProbeRow], since_ns: int) -> list[Write]:
    """Those answered, or given up, after ``since_ns``."""
    found = [
        Write(row.sent_ns, row.done_ns, row.outcome is Outcome.OK and row.acknowledged)
        for row in requests
        if row.side is Side.API and row.operation in WRITES and row.done_ns > since_ns
    ]
    found += [
        Write(row.sent_ns, row.done_ns, row.good) for row in probes if row.method == "PUT" and row.done_ns > since_ns
    ]
    return found


def failover_of(made: Made, failover: Failover, evidence: Gathered, missing_ns: Sequence[int]) -> FailoverSeen | None:
    """How the failover of the experiment went, by what was in evidence when it had ended; ``None`` as of ``seen``."""
    until_ns = made.answered_ns
    return seen(
        steps(evidence.events, made.begun_ns, until_ns),
        [row for row in evidence.requests if row.done_ns <= until_ns],
        [row for row in evidence.probes if row.done_ns <= until_ns],
        synchronous=failover.synchronous,
        missing_ns=missing_ns,
    )


def steps(events: Iterable[EventRow], since_ns: int, until_ns: int = _FOR_EVER) -> dict[str, int]:
    """When each step of the first failover in the time came: monotonic ns by the step's name."""
    found: dict[str, int] = {}
    for event in events:
        if event.kind == "failover" and since_ns <= event.at_ns <= until_ns:
            found.setdefault(str(event.data.get("step")), event.at_ns)
    return found


def seen(
    at: dict[str, int],
    requests: Iterable[RequestRow],
    probes: Iterable[ProbeRow],
    *,
    synchronous: bool,
    missing_ns: Sequence[int] = (),
) -> FailoverSeen | None:
    """``None`` when a step is missing. ``outage_s`` is ``None`` when no write failed, or none was good again. Calls due
    at ``missing_ns`` are not in evidence: any of them may be a write, good or not.
    """
    if any(step not in at for step in _STEPS):
        return None
    begun_ns, killed_ns, detected_ns, promoted_ns, led_ns = (at[step] for step in _STEPS)
    around = writes(requests, probes, begun_ns)
    # The primary died at some moment between the two: what it still acknowledged is no end of the outage.
    last_ns = max((write.done_ns for write in around if write.good and write.done_ns <= detected_ns), default=begun_ns)
    bad = [write for write in around if not write.good and write.done_ns >= last_ns]
    # Until the standby is promoted no database takes writes: what is acknowledged before that is no end of it either.
    good_ns = min((write.done_ns for write in around if write.good and write.done_ns > promoted_ns), default=None)
    during = [write for write in bad if good_ns is None or write.sent_ns < good_ns]
    first_bad_ns = min((write.sent_ns for write in during), default=None)
    outage_ns = None if first_bad_ns is None or good_ns is None else good_ns - first_bad_ns
    after_ns = [write.done_ns for write in bad if good_ns is not None and write.sent_ns >= good_ns]
    return FailoverSeen(
        synchronous=synchronous,
        detect_s=(detected_ns - killed_ns) / NS,
        promote_s=(promoted_ns - detected_ns) / NS,
        lead_s=(led_ns - promoted_ns) / NS,
        outage_s=None if outage_ns is None else outage_ns / NS,
        failed_writes=len(during),
        still_s=None if first_bad_ns is None or not after_ns else (max(after_ns) - first_bad_ns) / NS,
        most_s=None if good_ns is None else (good_ns - last_ns) / NS,
        missing=0 if good_ns is None else sum(last_ns <= at_ns <= good_ns for at_ns in missing_ns),
        lost_s=()
        if good_ns is None or first_bad_ns is None
        else tuple((at_ns - first_bad_ns) / NS for at_ns in missing_ns if at_ns > good_ns),
    )


def judged_failover(expects: Failover, found: FailoverSeen | None, judged: Judgement) -> Judgement:
    """The experiment's verdict with the failover's own: it falls when writes failed for too long, be it some alone
    beside good ones, and is inconclusive when nobody wrote meanwhile.
    """
    if found is None:
        return adding(judged, message("the failover did not finish"), verdict=Verdict.INCONCLUSIVE)
    went = {"detect": f"{found.detect_s:.1f}", "promote": f"{found.promote_s:.2f}", "lead": f"{found.lead_s:.2f}"}
    steps_told = (
        message(
            "synchronous commit: detected after {detect} s, promoted in {promote} s, pods switched in {lead} s",
            **went,
        )
        if found.synchronous
        else message(
            "asynchronous commit: detected after {detect} s, promoted in {promote} s, pods switched in {lead} s",
            **went,
        )
    )
    if found.outage_s is None:
        nothing = message("no write failed, or none was good again: no outage to measure")
        return adding(judged, steps_told, nothing, verdict=Verdict.INCONCLUSIVE)
    failed = {"seconds": f"{found.outage_s:.1f}", "count": str(found.failed_writes)}
    outage = message("users' writes failed for {seconds} s ({count} of them)", **failed)
    told = [steps_told, outage]
    if found.still_s is not None:
        still = message("some failed still, the last {seconds} s after the first", seconds=f"{found.still_s:.1f}")
        told.append(still)
    most_s, unseen_s = expects.most_outage_s, found.most_s or 0.0
    longer, lingers = found.outage_s > most_s, (found.still_s or 0.0) > most_s
    lost = found.missing if longer or unseen_s > most_s else 0
    lost += 0 if longer else sum(at_s > most_s for at_s in found.lost_s)
    if judged.verdict.good and lost and not lingers:
        gone = message("{count} calls that were due meanwhile are not in evidence", count=str(lost))
        return adding(judged, *told, gone, verdict=Verdict.INCONCLUSIVE)
    if judged.verdict.good and (longer or lingers):
        limit = message("longer than {limit} s", limit=f"{most_s:g}")
        return adding(judged, *told, limit, verdict=Verdict.FAIL)
    return adding(judged, *told)


def on_server(judged: Judgement, server: str) -> Judgement:
    """The same with the server that it was seen on, where the rung names one."""
    return adding(judged, message("on {server}", server=server)) if server else judged


def as_counterexample(checks: Sequence[Judgement], wanted: str, follow: Sequence[str]) -> list[Judgement]:
    """The checks of a run that had to lose acknowledged writes: the checker ``wanted`` passes when it found them, which
    is a word on the checker, and on no claim.

    Checkers in ``follow`` see the same loss elsewhere, so what they find is told and counts for nothing.
    """
    found = message("the counterexample's loss was found, as it has to be")
    missed = message("the counterexample has to lose acknowledged writes, and nothing was found")
    turned = []
    for check in checks:
        changed = check
        if check.id == wanted and check.verdict is Verdict.FAIL:
            changed = _of_checker(check, Verdict.PASS, found)
        elif check.id == wanted and check.verdict is Verdict.PASS:
            changed = _of_checker(check, Verdict.FAIL, missed)
        elif check.id in follow and check.verdict is Verdict.FAIL:
            after = message("after the counterexample's loss")
            told = (after, *check.told)
            changed = msgspec.structs.replace(check, verdict=Verdict.NOT_EXERCISED, told=told, gates=False)
        turned.append(changed)
    return turned


def _of_checker(check: Judgement, verdict: Verdict, why: Message) -> Judgement:
    return msgspec.structs.replace(check, verdict=verdict, told=(why, *check.told), claim="", also=())

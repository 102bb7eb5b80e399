"""What a failover of the database cost its users, and what it lost. Pure.

The steps come from the stack's events of kind ``failover`` (``harness/stack/failover.py``), the outage from writes:
reads tell nothing of whether the database takes commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.judge.chaos import Judged
from harness.judge.window import NS
from harness.model.chaos import CheckSummary, Failover, FailoverSeen
from harness.model.evidence import WRITES, EventRow, Outcome, ProbeRow, RequestRow, Side
from harness.model.verdict import Verdict

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


def steps(events: Iterable[EventRow], since_ns: int) -> dict[str, int]:
    """When each step of the first failover after ``since_ns`` came: monotonic ns by the step's name."""
    found: dict[str, int] = {}
    for event in events:
        if event.kind == "failover" and event.at_ns >= since_ns:
            found.setdefault(str(event.data.get("step")), event.at_ns)
    return found


def seen(
    at: dict[str, int], requests: Iterable[RequestRow], probes: Iterable[ProbeRow], *, synchronous: bool
) -> FailoverSeen | None:
    """``None`` when a step is missing. ``outage_s`` is ``None`` when no write failed, or none was good again."""
    if any(step not in at for step in _STEPS):
        return None
    begun_ns, killed_ns, detected_ns, promoted_ns, led_ns = (at[step] for step in _STEPS)
    around = writes(requests, probes, begun_ns)
    # The primary died at some moment between the two: what it still acknowledged is no end of the outage.
    last_ns = max((write.done_ns for write in around if write.good and write.done_ns <= detected_ns), default=begun_ns)
    bad = [write for write in around if not write.good and write.done_ns >= last_ns]
    good_ns = min((write.done_ns for write in around if write.good and write.done_ns > detected_ns), default=None)
    during = [write for write in bad if good_ns is None or write.sent_ns < good_ns]
    first_bad_ns = min((write.sent_ns for write in during), default=None)
    outage_ns = None if first_bad_ns is None or good_ns is None else good_ns - first_bad_ns
    return FailoverSeen(
        synchronous=synchronous,
        detect_s=(detected_ns - killed_ns) / NS,
        promote_s=(promoted_ns - detected_ns) / NS,
        lead_s=(led_ns - promoted_ns) / NS,
        outage_s=None if outage_ns is None else outage_ns / NS,
        failed_writes=len(during),
    )


def judged_failover(expects: Failover, found: FailoverSeen | None, judged: Judged) -> Judged:
    """The experiment's verdict with the failover's own: it falls when writes failed for too long, and is inconclusive
    when nobody wrote meanwhile.
    """
    if found is None:
        told = "the failover did not come to its end"
        return msgspec.structs.replace(judged, verdict=Verdict.INCONCLUSIVE, reason=f"{judged.reason}; {told}")
    commit = "synchronous" if found.synchronous else "asynchronous"
    told = (
        f"{commit} commit: detected after {found.detect_s:.1f} s, promoted in {found.promote_s:.2f} s, pods led in "
        f"{found.lead_s:.2f} s"
    )
    if found.outage_s is None:
        verdict, told = Verdict.INCONCLUSIVE, f"{told}; no write failed, or none was good again: no outage to measure"
    else:
        told = f"{told}; users' writes failed for {found.outage_s:.1f} s ({found.failed_writes} of them)"
        verdict = judged.verdict
        if verdict is Verdict.PASS and found.outage_s > expects.most_outage_s:
            verdict, told = Verdict.FAIL, f"{told}, longer than {expects.most_outage_s:g} s"
    return msgspec.structs.replace(judged, verdict=verdict, reason=f"{judged.reason}; {told}")


def as_counterexample(checks: Sequence[CheckSummary], wanted: str, follow: Sequence[str]) -> list[CheckSummary]:
    """The checks of a run that had to lose acknowledged writes: the checker ``wanted`` passes when it found them.

    Checkers in ``follow`` see the same loss elsewhere, so what they find is told and counts for nothing.
    """
    turned = []
    for check in checks:
        changed = check
        if check.name == wanted and check.verdict is Verdict.FAIL:
            told = f"the counterexample's loss was found, as it has to be: {check.detail}"
            changed = msgspec.structs.replace(check, verdict=Verdict.PASS, detail=told)
        elif check.name == wanted and check.verdict is Verdict.PASS:
            told = f"the counterexample has to lose acknowledged writes, and nothing was found: {check.detail}"
            changed = msgspec.structs.replace(check, verdict=Verdict.FAIL, detail=told)
        elif check.name in follow and check.verdict is Verdict.FAIL:
            told = f"after the counterexample's loss: {check.detail}"
            changed = msgspec.structs.replace(check, verdict=Verdict.NOT_EXERCISED, detail=told)
        turned.append(changed)
    return turned

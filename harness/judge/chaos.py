"""Whether the steady state holds, and what an experiment came to. Pure."""

from __future__ import annotations

import msgspec
import numpy as np

from harness.judge.ledger import Calls, Ledger
from harness.judge.window import NS, Window
from harness.model.chaos import Expectation
from harness.model.evidence import Side
from harness.model.message import Message, Told, english, message
from harness.model.verdict import Verdict

#: The steady state: so long without a failed request or probe, with every pod of the Deployment ready.
STEADY_S = 5.0
#: Of the planned probes, this share must be in evidence for silence not to look like health.
COMPLETE = 0.8


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How an experiment went: monotonic ns; ``None`` for what did not come. ``steady_before`` is Chaos Toolkit's first
    look; ``undone_ns`` the end of the method."""

    start_ns: int
    steady_before: bool
    undone_ns: int | None = None
    steady_ns: int | None = None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict with its figures."""

    verdict: Verdict
    reason: str
    calls: int
    failed: int
    outage_s: float | None
    recovered_s: float | None
    told: Told = ()  # the reason as messages


def steady(ledger: Ledger, now_ns: int, *, probes_per_s: float, wanted: int | None, settle_s: float) -> str:
    """Why the steady state does not hold; "" when it does.

    Looks at what was due in the ``STEADY_S`` before ``now_ns - settle_s``, by when its answers are in. ``wanted`` is
    the Deployment's replicas; ``None`` when the rung does not tell.
    """
    end_ns = now_ns - round(settle_s * NS)
    window = Window(start_ns=end_ns - round(STEADY_S * NS), end_ns=end_ns)
    probes, requests = ledger.probe_rows_due(window), ledger.requests_due(window, Side.API)
    if len(probes) < COMPLETE * probes_per_s * STEADY_S:
        return f"only {len(probes)} of {probes_per_s * STEADY_S:.0f} probes answered"
    failed = _failed(probes) + _failed(requests)
    if failed:
        return f"{failed} failed in the last {STEADY_S:g} s"
    ready = [value for _, _, value in ledger.samples["ready_replicas"][-1:]]
    if wanted is not None and ready and round(ready[0]) < wanted:
        return f"{ready[0]:.0f} of {wanted} pods are ready"
    return ""


def judge(ledger: Ledger, course: Course, expects: Expectation, end_ns: int) -> Judged:
    """Of what was due from the first fault to the steady state (or to ``end_ns`` when that did not come back)."""
    until_ns = course.steady_ns or end_ns
    window = Window(start_ns=course.start_ns, end_ns=max(until_ns, course.start_ns + 1))
    rows = np.concatenate([ledger.probe_rows_due(window), ledger.requests_due(window, Side.API)])
    failures = np.sort(rows["due_ns"][~rows["ok"]])
    outage_s = float(failures[-1] - failures[0]) / NS if len(failures) else None
    recovered_s = None
    if course.steady_ns is not None and course.undone_ns is not None:
        recovered_s = max(0.0, (course.steady_ns - course.undone_ns) / NS)

    def judged(verdict: Verdict, *told: Message) -> Judged:
        return Judged(
            verdict=verdict,
            reason=english(told),
            told=told,
            calls=len(rows),
            failed=len(failures),
            outage_s=outage_s,
            recovered_s=recovered_s,
        )

    if not course.steady_before:
        return judged(Verdict.INCONCLUSIVE, message("there was no steady state to begin with"))
    if len(rows) < expects.least_calls:
        due, needed = str(len(rows)), str(expects.least_calls)
        few = message("{due} requests and probes were due, and {needed} are needed", due=due, needed=needed)
        return judged(Verdict.INCONCLUSIVE, few)
    share = len(failures) / len(rows)
    counts = {"failed": str(len(failures)), "all": str(len(rows)), "share": f"{share * 100:.1f}"}
    told = message("{failed} of {all} requests and probes failed ({share} %)", **counts)
    if course.steady_ns is None:
        limit = f"{expects.recover_within_s:g}"
        return judged(Verdict.FAIL, told, message("the steady state did not come back in {limit} s", limit=limit))
    if share > expects.most_failed:
        most = f"{expects.most_failed * 100:g}"
        return judged(Verdict.FAIL, told, message("at most {most} % are allowed", most=most))
    if recovered_s is not None and recovered_s > expects.recover_within_s:
        return judged(Verdict.FAIL, told, message("steady again only after {seconds} s", seconds=f"{recovered_s:.1f}"))
    seconds = f"{recovered_s or 0:.1f}"
    return judged(Verdict.PASS, told, message("steady again {seconds} s after the undo", seconds=seconds))


def _failed(rows: Calls) -> int:
    return int(np.count_nonzero(~rows["ok"]))

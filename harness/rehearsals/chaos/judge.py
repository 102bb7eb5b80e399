"""Whether the steady state holds, and what an experiment came to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np

from harness.judge.figures import Figure, clears, figure
from harness.judge.ledger import Calls, Ledger
from harness.judge.planned import Planned, lacking_words, planned_in
from harness.judge.window import NS, Window
from harness.model.due import Due, DueList
from harness.model.evidence import Outcome, RequestRow, Side
from harness.model.message import Message, Told, english, message
from harness.model.scenario import Criterion, Metric
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.types import Expectation

#: The steady state: so long without a failed request or probe, every pod of the Deployment ready, the criteria kept.
STEADY_S = 5.0
#: Fewer answers than these have no p95 but their slowest.
LEAST_FOR_P95 = 20
#: An operation of which fewer requests were due, all failed, is not named for it.
LEAST_OUTRIGHT = 5


#: The probes that the plan has in a window.
ProbesDue = Callable[[Window], Sequence[Due]]


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


def steady(
    ledger: Ledger,
    now_ns: int,
    *,
    due: ProbesDue,
    wanted: int | None,
    settle_s: float,
    criteria: Sequence[Criterion] = (),
) -> str:
    """Why the steady state does not hold; "" when it does. A probe that is ``due`` and not in evidence breaks it.

    Looks at what was due in the ``STEADY_S`` before ``now_ns - settle_s``, by when its answers are in. ``wanted`` is
    the Deployment's replicas; ``None`` when the rung does not tell. ``criteria`` are the scenario's, each by its value:
    five seconds carry no bound. No failure at all is more than any of its shares asks for.
    """
    end_ns = now_ns - round(settle_s * NS)
    window = Window(start_ns=end_ns - round(STEADY_S * NS), end_ns=end_ns)
    probes, requests = ledger.probe_rows_due(window), ledger.requests_due(window, Side.API)
    planned = planned_in(ledger, DueList(requests=(), probes=tuple(due(window))), window)[1]
    if planned.missing or not planned.count:
        return f"only {planned.count - planned.missing} of {planned.count} probes are in evidence"
    failed = _failed(probes) + _failed(requests)
    if failed:
        return f"{failed} failed in the last {STEADY_S:g} s"
    ready = [value for _, _, value in ledger.samples["ready_replicas"][-1:]]
    if wanted is not None and ready and round(ready[0]) < wanted:
        return f"{ready[0]:.0f} of {wanted} pods are ready"
    for criterion in criteria:
        rows = probes if criterion.metric is Metric.AVAILABILITY else requests
        if len(rows) < LEAST_FOR_P95 and criterion.metric is Metric.LATENCY_P95:
            continue
        measured = figure(criterion, rows)
        if measured is not None and not clears(criterion.comparison, measured.value, criterion.threshold):
            return f"{measured.words} in the last {STEADY_S:g} s ({criterion.claim})"
    return ""


def span(course: Course, end_ns: int) -> Window:
    """What is judged: from the first fault to the steady state, or to ``end_ns`` when that did not come back."""
    return Window(start_ns=course.start_ns, end_ns=max(course.steady_ns or end_ns, course.start_ns + 1))


def judge(
    ledger: Ledger,
    course: Course,
    expects: Expectation,
    end_ns: int,
    criteria: Sequence[Criterion] = (),
    *,
    due: DueList,
) -> Judged:
    """Of what was due in ``span``. What is ``due`` there and not in evidence counts as failed where it would pass.

    With ``expects.unharmed`` the latency of users' requests keeps ``criteria`` as well, by its bound, to the undo.
    """
    window = span(course, end_ns)
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
        there, needed = str(len(rows)), str(expects.least_calls)
        few = message("{due} requests and probes were due, and {needed} are needed", due=there, needed=needed)
        return judged(Verdict.INCONCLUSIVE, few)
    share = len(failures) / len(rows)
    counts = {"failed": str(len(failures)), "all": str(len(rows)), "share": f"{share * 100:.1f}"}
    told: Told = (message("{failed} of {all} requests and probes failed ({share} %)", **counts),)
    broken = _broken(expects, share, recovered_s)
    if broken is not None:
        return judged(Verdict.FAIL, *told, broken)
    planned = planned_in(ledger, due, window)
    missing = sum(each.missing for each in planned)
    if missing:
        told = (*told, lacking_words(missing, sum(each.count for each in planned)))
    if (len(failures) + missing) / (len(rows) + missing) > expects.most_failed:
        return judged(Verdict.INCONCLUSIVE, *told, _allowance(expects))
    again = message("steady again {seconds} s after the undo", seconds=f"{recovered_s or 0:.1f}")
    allowed = [_allowance(expects)] if len(failures) else []
    if not expects.unharmed:
        shown = bool(expects.erratum) and len(failures) > 0
        return judged(Verdict.ERRATUM_SHOWN if shown else Verdict.PASS, *told, *allowed, again)
    faulty = Window(start_ns=course.start_ns, end_ns=course.undone_ns or window.end_ns)
    verdict, *harm = _latency(ledger.requests_due(faulty, Side.API), criteria)
    if verdict is Verdict.PASS:
        verdict, *harm = _latency(_proving(planned[0], faulty), criteria)
        verdict = Verdict.PASS if verdict is Verdict.PASS else Verdict.INCONCLUSIVE
    return judged(verdict, *told, *allowed, again, *harm)


def _proving(requests: Planned, faulty: Window) -> Calls:
    """Those to the API, with what is due and not in evidence, to the undo: what a pass must rest on."""
    rows = requests.proving
    found: Calls = rows[rows["api"] & (rows["due_ns"] < faulty.end_ns)]
    return found


def _allowance(expects: Expectation) -> Message:
    """How many failures the verdict lets pass: a pass says no more than that there were not more of them."""
    if expects.most_failed >= 1:
        return message("here all of them may fail: how many do is measured, not judged")
    return message("at most {most} % are allowed", most=f"{expects.most_failed * 100:g}")


def outright(requests: Iterable[RequestRow], start_ns: int, until_ns: int) -> Message | None:
    """The operations of users to the API of which every request that was due in the time failed, and at least
    ``LEAST_OUTRIGHT`` were; ``None`` when there is none. A share over all operations hides them.
    """
    due: dict[str, list[bool]] = {}
    for row in requests:
        if row.side is Side.API and start_ns <= row.due_ns < until_ns:
            due.setdefault(str(row.operation), []).append(row.outcome is Outcome.OK)
    lost = {name: len(good) for name, good in due.items() if len(good) >= LEAST_OUTRIGHT and not any(good)}
    if not lost:
        return None
    named = ", ".join(f"{name} {count} of {count}" for name, count in sorted(lost.items()))
    return message("meanwhile every request of these operations failed: {operations}", operations=named)


def _broken(expects: Expectation, share: float, recovered_s: float | None) -> Message | None:
    """What was not kept; ``None`` when all was. ``recovered_s`` is ``None`` when the steady state did not come back."""
    if recovered_s is None:
        return message("the steady state did not come back in {limit} s", limit=f"{expects.recover_within_s:g}")
    if share > expects.most_failed:
        return message("at most {most} % are allowed", most=f"{expects.most_failed * 100:g}")
    if recovered_s > expects.recover_within_s:
        return message("steady again only after {seconds} s", seconds=f"{recovered_s:.1f}")
    return None


def _latency(rows: Calls, criteria: Sequence[Criterion]) -> tuple[Verdict, *tuple[Message, ...]]:
    """Whether p95 keeps its limit while the fault lasts: by its bounds, with 95 % confidence."""
    for criterion in criteria:
        if criterion.metric is not Metric.LATENCY_P95:
            continue
        measured = figure(criterion, rows)
        if measured is None:
            return Verdict.INCONCLUSIVE, message("no request was answered meanwhile")
        return _by_bounds(criterion, measured), measured.words
    return (Verdict.PASS,)


def _by_bounds(criterion: Criterion, measured: Figure) -> Verdict:
    if measured.lower is not None and not clears(criterion.comparison, measured.lower, criterion.threshold):
        return Verdict.FAIL
    if measured.upper is not None and clears(criterion.comparison, measured.upper, criterion.threshold):
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def _failed(rows: Calls) -> int:
    return int(np.count_nonzero(~rows["ok"]))

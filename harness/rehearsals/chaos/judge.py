"""What an experiment came to: of what was due from its first fault until the steady state was back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from harness.base.units import Unit
from harness.judge.figures import Figure, clears, figure
from harness.judge.lag import on_time
from harness.judge.ledger import Calls, Ledger, those
from harness.judge.planned import Planned, lacking_words, planned_in, spared
from harness.judge.steady import STEADY_S
from harness.judge.window import NS, Window
from harness.judge.words import bounded, count, limit_quantity
from harness.model.due import DueList
from harness.model.evidence import Outcome, RequestRow, Side
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, message
from harness.model.scenario import Criterion, Metric
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.types import Expectation, Made

#: An operation of which fewer requests were due, all failed, is not named for it.
LEAST_OUTRIGHT = 5


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Users' requests to the API and probes together. ``outage_s`` is the time between the first and the last failure,
    ``recovered_s`` from the end of the method to the steady state; ``None`` when there was none."""

    calls: int
    failed: int
    outage_s: float | None
    recovered_s: float | None


def span(made: Made) -> Window:
    """What is judged: from the first fault to the steady state, or to the end when that did not come back."""
    return Window(start_ns=made.start_ns, end_ns=max(made.steady_ns or made.end_ns, made.start_ns + 1))


def stretch(made: Made) -> Window:
    """What was taken for the steady state afterwards; no time where that did not come back."""
    since_ns = span(made).end_ns
    seconds = 0.0 if made.steady_ns is None else STEADY_S
    return Window(start_ns=since_ns, end_ns=since_ns + max(1, round(seconds * NS)))


def figures(ledger: Ledger, made: Made) -> Figures:
    """Of what was due in ``span``."""
    rows = ledger.calls_due(span(made))
    failures = np.sort(rows["due_ns"][~rows["ok"]])
    recovered_s = None
    if made.steady_ns is not None and made.undone_ns is not None:
        recovered_s = max(0.0, (made.steady_ns - made.undone_ns) / NS)
    return Figures(
        calls=len(rows),
        failed=len(failures),
        outage_s=float(failures[-1] - failures[0]) / NS if len(failures) else None,
        recovered_s=recovered_s,
    )


def judge(
    ledger: Ledger, made: Made, expects: Expectation, criteria: Sequence[Criterion] = (), *, due: DueList,
    steady: DueList,
) -> Judgement:  # fmt: skip
    """Of what was due in ``span``. What is ``due`` there and not in evidence counts as failed where it would pass, and
    as good where it would fail. A steady state in which something failed, as is known later, did not come back then;
    nor where something that was due in that ``stretch``, by ``steady``, is not in evidence.

    With ``expects.unharmed`` the latency of users' requests keeps ``criteria`` as well, by its bound, to the undo.
    The id is left to the caller.
    """
    seen, window = figures(ledger, made), span(made)

    def judged(verdict: Verdict, *told: Message) -> Judgement:
        return Judgement(
            id="experiment",
            verdict=verdict,
            told=told,
            value=float(seen.failed),
            unit=Unit.FLAWS,
            samples=seen.calls,
            erratum=expects.erratum if verdict is Verdict.ERRATUM_SHOWN else "",
        )

    if not made.steady_before:
        return judged(Verdict.INCONCLUSIVE, message("there was no steady state to begin with"))
    if seen.calls < expects.least_calls:
        there, needed = str(seen.calls), str(expects.least_calls)
        few = message("{due} requests and probes were due, and {needed} are needed", due=there, needed=needed)
        return judged(Verdict.INCONCLUSIVE, few)
    share = seen.failed / seen.calls
    counts = {"failed": str(seen.failed), "all": str(seen.calls), "share": f"{share * 100:.1f}"}
    told: Told = (message("{failed} of {all} requests and probes failed ({share} %)", **counts),)
    planned = planned_in(ledger, due, window)
    missing = sum(each.missing for each in planned)
    if missing:
        told = (*told, lacking_words(missing, sum(each.count for each in planned)))
    short = _short(ledger, made, expects, seen, missing=missing, due=due)
    if short is not None:
        return judged(short[0], *told, short[1])
    if (most := (seen.failed + missing) / (seen.calls + missing)) > expects.most_failed:
        with_them = message("with those {share} % failed", share=f"{most * 100:.1f}")
        return judged(Verdict.INCONCLUSIVE, *told, with_them, _allowance(expects))
    again = message("steady again {seconds} s after the undo", seconds=f"{seen.recovered_s or 0:.1f}")
    doubt = _not_steady_after_all(ledger, made, steady)
    told = (*told, *([_allowance(expects)] if seen.failed else []), again if doubt is None else doubt)
    verdict, *harm = _unharmed(ledger, made, planned[0], criteria) if expects.unharmed else (Verdict.PASS,)
    if verdict is Verdict.PASS and doubt is not None:
        verdict = Verdict.INCONCLUSIVE
    elif verdict is Verdict.PASS and expects.erratum and seen.failed and not expects.unharmed:
        verdict = Verdict.ERRATUM_SHOWN
    return judged(verdict, *told, *harm)


def _short(
    ledger: Ledger, made: Made, expects: Expectation, seen: Figures, *, missing: int, due: DueList
) -> tuple[Verdict, Message] | None:
    """What was not kept; ``None`` when all was. That the steady state did not come back is no fail where nobody looked
    for it, or where of the last seconds all that is in evidence was good, and more was ``due``: else it is one, as are
    too many failures.
    """
    if made.undone_ns is None and made.steady_ns is None:
        return Verdict.INCONCLUSIVE, message("whether the steady state came back was not looked at")
    broken = _broken(expects, seen.failed / (seen.calls + missing), seen.recovered_s)
    if broken is None:
        return None
    last = Window(start_ns=made.end_ns - round(STEADY_S * NS), end_ns=made.end_ns)
    calls = [each for each in (*due.requests, *due.probes) if last.start_ns <= each.due_ns < last.end_ns]
    lost = any(each.id not in ledger.calls for each in calls)
    few = seen.failed / (seen.calls + missing) <= expects.most_failed
    void = lost and few and seen.recovered_s is None and ledger.calls_due(last)["ok"].all()
    return (Verdict.INCONCLUSIVE if void else Verdict.FAIL), broken


def _unharmed(
    ledger: Ledger, made: Made, requests: Planned, criteria: Sequence[Criterion]
) -> tuple[Verdict, *tuple[Message, ...]]:
    """Whether requests were as fast as ``criteria`` want them while the fault lasted."""
    faulty = Window(start_ns=made.start_ns, end_ns=made.undone_ns or span(made).end_ns)
    verdict, *harm = _latency(ledger.requests_due(faulty, Side.API), criteria)
    timely, late_ones = _by_lag(ledger, faulty)
    if verdict is Verdict.FAIL and _latency(timely, criteria)[0] is not Verdict.FAIL:
        late = count(late_ones)
        void = message("void: {late} were sent late by the generator, and without them it does not fail", late=late)
        verdict, harm = Verdict.INCONCLUSIVE, [*harm, void]
    if verdict is Verdict.PASS:
        verdict, *harm = _latency(_proving(requests, faulty), criteria)
        verdict = Verdict.PASS if verdict is Verdict.PASS else Verdict.INCONCLUSIVE
    elif verdict is Verdict.FAIL and _latency(spared(_proving(requests, faulty)), criteria)[0] is not Verdict.FAIL:
        verdict = Verdict.INCONCLUSIVE
    return verdict, *harm


def _by_lag(ledger: Ledger, window: Window) -> tuple[Calls, int]:
    """The requests to the API that were due in ``window`` and sent on time, and how many were not."""
    rows, timely = ledger.requests, on_time(ledger.requests)
    due = rows["api"] & (rows["due_ns"] >= window.start_ns) & (rows["due_ns"] < window.end_ns)
    return those(ledger.requests_due(window, Side.API), timely[due]), int(np.count_nonzero(due & ~timely))


def _not_steady_after_all(ledger: Ledger, made: Made, steady: DueList) -> Message | None:
    """What failed of what was due in the stretch that was taken for steady: it was on its way as that was looked at. Or
    what is not in evidence of it, and may have failed."""
    if made.steady_ns is None:
        return None
    window = stretch(made)
    seconds = f"{STEADY_S:g}"
    if failed := int(np.count_nonzero(~ledger.calls_due(window)["ok"])):
        return message(
            "{count} requests and probes that were due in the {seconds} s of the steady state failed after all",
            count=str(failed), seconds=seconds,
        )  # fmt: skip
    if missing := sum(each.missing for each in planned_in(ledger, steady, window)):
        return message(
            "{count} calls that were due in the {seconds} s of the steady state are not in evidence",
            count=str(missing), seconds=seconds,
        )  # fmt: skip
    return None


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
    named = ", ".join(f"{name} {count}/{count}" for name, count in sorted(lost.items()))
    return message("meanwhile every request of these operations failed: {operations}", operations=named)


def adding(judgement: Judgement, *told: Message, verdict: Verdict | None = None) -> Judgement:
    """The same with more said, and with another verdict where one is given."""
    changed = judgement.verdict if verdict is None else verdict
    erratum = judgement.erratum if changed is Verdict.ERRATUM_SHOWN else ""
    return msgspec.structs.replace(judgement, verdict=changed, told=(*judgement.told, *told), erratum=erratum)


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
        verdict = _by_bounds(criterion, measured)
        why = () if verdict is Verdict.PASS else (_left_open(criterion, measured, verdict),)
        return verdict, *why, measured.words
    return (Verdict.PASS,)


def _left_open(criterion: Criterion, measured: Figure, verdict: Verdict) -> Message:
    """Which bound, held against the limit, keeps the latency from a pass."""
    bound = measured.lower if verdict is Verdict.FAIL else measured.upper
    if bound is None or np.isinf(bound):
        return message("too few requests for a bound of p95, limit {limit}", limit=limit_quantity(criterion))
    return bounded(criterion, bound, upper=verdict is not Verdict.FAIL)


def _by_bounds(criterion: Criterion, measured: Figure) -> Verdict:
    if measured.lower is not None and not clears(criterion.comparison, measured.lower, criterion.threshold):
        return Verdict.FAIL
    if measured.upper is not None and clears(criterion.comparison, measured.upper, criterion.threshold):
        return Verdict.PASS
    return Verdict.INCONCLUSIVE

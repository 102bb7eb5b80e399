"""The facts of experiments: of what users met, how long the steady state was away, how far each fault reached. Pure.

How fast users' requests were while a fault lasted: p95 and the interval in which the truth lies. Pure.
How far a fault reaches: whether anything is answered while it lasts, and which operations it makes slower. Pure.
What was measured of an experiment: of what was due from its first fault until the steady state was back. Pure.

What a failover of the database cost its users, and what it lost. Pure.

The steps come from the stack's events of kind ``failover`` (``harness.stack.database``), the outage from writes:
reads tell nothing of whether the database takes commits.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.checks.agreement import DUAL_WRITE
from harness.checks.whole_run import EXPECTED, of_whole_run
from harness.evidence.store import Gathered
from harness.load.population.schedule import due_within
from harness.model.evidence import WRITES, DueList, EventRow, Outcome, ProbeRow, RequestRow, Side, Window
from harness.model.judgement import Judgement, Verdict, lacking_words
from harness.model.message import Message, Told, message, raw_text
from harness.model.scenario import Criterion, Metric
from harness.model.stack import lacks
from harness.rehearsals.chaos.kill_series import ExpectedFailures, expected
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, Expectation, Failover, FailoverSeen, MadeExperiment
from harness.rules.figures import figure
from harness.rules.leaving import NO_PRESTOP, failed_while_leaving
from harness.rules.ledger import OPERATIONS, WRITING, Calls, Ledger, on_time, those
from harness.rules.planned import PlannedSample, lost_words, optimistic, planned_in
from harness.rules.rule import Fact, FactsOf
from harness.rules.steady import STEADY_S
from harness.run.result import accounted

_FOR_EVER = 2**63 - 1
_STEPS = ("begun", "killed", "detected", "promoted", "led")


class TimedWrite(msgspec.Struct, frozen=True):
    """A write of a user's or a canary's: monotonic ns, and whether it was acknowledged."""

    sent_ns: int
    done_ns: int
    good: bool


def writes(requests: Iterable[RequestRow], probes: Iterable[ProbeRow], since_ns: int) -> list[TimedWrite]:
    """Those answered, or given up, after ``since_ns``."""
    found = [
        TimedWrite(row.sent_ns, row.done_ns, row.outcome is Outcome.OK and row.acknowledged)
        for row in requests
        if row.side is Side.API and row.operation in WRITES and row.done_ns > since_ns
    ]
    found += [
        TimedWrite(row.sent_ns, row.done_ns, row.good)
        for row in probes
        if row.method == "PUT" and row.done_ns > since_ns
    ]
    return found


def failover_of(
    made: MadeExperiment, failover: Failover, evidence: Gathered, missing_ns: Sequence[int]
) -> FailoverSeen | None:
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


def of_latency(
    fact: FactsOf, ledger: Ledger, faulty: Window, requests: PlannedSample, criteria: Sequence[Criterion]
) -> Iterator[Fact]:
    """Of ``requests`` to the API that were due in ``faulty``, where the scenario promises a p95. The truth lies in the
    interval with 95 % confidence at each end, whether what is not in evidence was good or slow."""
    promised = next((each for each in criteria if each.metric is Metric.LATENCY_P95), None)
    if promised is None:
        return
    yield fact("limit_ms", promised.threshold)
    rows, proving = ledger.requests_due(faulty, Side.API), _proving(requests, faulty)
    timely, late = _by_lag(ledger, faulty)
    measured = figure(promised, rows)
    if measured is None:
        yield from fact.none("p95_ms", void=(message("no request was answered meanwhile"),))
        return
    lows = [figure(promised, each) for each in (rows, timely, optimistic(proving))]
    highs = [figure(promised, each) for each in (rows, proving)]
    low = min(0.0 if each is None or each.lower is None else each.lower for each in lows)
    high = max(math.inf if each is None or each.upper is None else each.upper for each in highs)
    told = (message("{late} requests were sent late by the load generator", late=str(late)),) if late else ()
    yield fact("p95_ms", measured.value, low=low, high=high, of=measured.samples, besides=told)


def _by_lag(ledger: Ledger, window: Window) -> tuple[Calls, int]:
    """The requests to the API that were due in ``window`` and sent on time, and how many were not."""
    rows, timely = ledger.requests, on_time(ledger.requests)
    due = rows["api"] & (rows["due_ns"] >= window.start_ns) & (rows["due_ns"] < window.end_ns)
    return those(ledger.requests_due(window, Side.API), timely[due]), int(np.count_nonzero(due & ~timely))


def _proving(requests: PlannedSample, faulty: Window) -> Calls:
    """Those to the API, with what is due and not in evidence, to the undo: what a pass must rest on."""
    rows = requests.pessimistic
    found: Calls = rows[rows["api"] & (rows["due_ns"] < faulty.end_ns)]
    return found


#: What was sent sooner after the first fault may have been on its way before every part was cut.
SET_IN_S = 1.0
#: Fewer requests of an operation, with the fault or without, tell nothing of it.
LEAST_OF_OPERATION = 5
#: The chance of calling an operation slower that is not, or as quick that is slower by half.
_LEVEL, _NOTICED = 0.05, 1.5
_MS = 1_000_000

Times = NDArray[np.int64]
Chosen = NDArray[np.bool_]


def of_cut(fact: FactsOf, ledger: Ledger, made: MadeExperiment, missing_ns: Sequence[int]) -> Fact:
    """What was sent and answered well while the way was cut; each call due then that is not in evidence may have been.
    ``missing_ns`` is when each was due."""
    begun_ns, undone_ns = made.start_ns + round(SET_IN_S * NS), made.undone_ns or made.end_ns
    rows = ledger.calls_due(span(made))
    sent = rows[(rows["sent_ns"] >= begun_ns) & (rows["sent_ns"] < undone_ns)]
    missing = sum(begun_ns <= at_ns < undone_ns for at_ns in missing_ns)
    good = int(np.count_nonzero(sent["ok"] & (sent["done_ns"] < undone_ns)))
    return fact("cut.answered", good, high=good + missing, of=len(sent), besides=lost_words(missing, len(sent)))


def of_both(fact: FactsOf, ledger: Ledger, made: MadeExperiment) -> Iterator[Fact]:
    """How many of users' reads and of their writes were answered well by the API while the fault lasted."""
    undone_ns = made.undone_ns or made.end_ns
    rows = ledger.requests_due(Window(start_ns=made.start_ns, end_ns=undone_ns), Side.API)
    good = rows[rows["ok"] & (rows["done_ns"] < undone_ns)]
    writes = int(np.count_nonzero(np.isin(good["operation"], WRITING)))
    yield fact("reads.well", len(good) - writes)
    yield fact("writes.well", writes)


def of_reach(
    fact: FactsOf, ledger: Ledger, made: MadeExperiment, every: Sequence[MadeExperiment], missing_ns: Sequence[int]
) -> Iterator[Fact]:
    """How many operations of users on the API are slower while the fault lasts than while none of ``every``
    experiment's lasts, by the ranks of latencies at a level of 5 %. One that is neither shown to be slower, nor to be
    slower by less than half, may be slower. Calls due at ``missing_ns`` are not in evidence: they may be the quick
    ones, or the slow."""
    good = ledger.requests["api"] & ledger.requests["ok"]
    rows, timely = ledger.requests[good], on_time(ledger.requests)[good]
    lost_ns = np.array(missing_ns, dtype=np.int64)
    faulty, calm = _faulty(rows["due_ns"], made), _calm(rows["due_ns"], every)
    found = [*_operations(rows[calm], rows[faulty])]
    void: Told = ()
    if len(found) < 2:
        void = (message("of fewer than two operations there were {least} requests", least=str(LEAST_OF_OPERATION)),)
    # What the generator sent late was slow before it was sent; that it was left out makes no pass.
    elif _spreads([*_operations(rows[timely & calm], rows[timely & faulty])]) is not _spreads(found):
        late = str(np.count_nonzero(~timely))
        void = (message("{late} requests were sent late by the load generator", late=late),)
    missing = int(np.count_nonzero(_faulty(lost_ns, made) | _calm(lost_ns, every)))
    void = (*void, *lost_words(missing, int(np.count_nonzero(faulty | calm))))
    shown, told, all_ = [each for each, _ in found], tuple(each for _, each in found), str(len(found))
    slower, most, of = shown.count(True), len(shown) - shown.count(False), int(np.count_nonzero(faulty))
    yield fact("slower", slower, high=most, sampled=True, of=of, void=void, besides=told, all=all_)
    yield fact("slower.all", len(found))


def _spreads(found: Sequence[tuple[bool | None, Message]]) -> bool | None:
    """Whether every operation is slower; ``None`` of fewer than two, and where nobody can tell."""
    shown = {each for each, _ in found}
    return None if len(found) < 2 or (None in shown and False not in shown) else False not in shown


def ended_ns(every: Sequence[MadeExperiment]) -> int:
    """When nothing more of any was waited for; of what is due later nobody knows that it was answered."""
    return max(each.end_ns for each in every)


def _faulty(due_ns: Times, made: MadeExperiment) -> Chosen:
    return (due_ns >= made.start_ns) & (due_ns < (made.undone_ns or made.end_ns))


def _calm(due_ns: Times, every: Sequence[MadeExperiment]) -> Chosen:
    """Until the last of ``every`` experiment ended, while none was felt."""
    calm: Chosen = due_ns < ended_ns(every)
    for each in every:
        calm &= (due_ns < each.start_ns) | (due_ns >= (each.steady_ns or each.end_ns))
    return calm


def _operations(calm: Calls, faulty: Calls) -> Iterator[tuple[bool | None, Message]]:
    """Of each operation with enough requests: whether it is slower (``None``: nobody can tell), and how much."""
    from scipy.stats import mannwhitneyu  # slow to import

    for operation, number in OPERATIONS.items():
        before, meanwhile = (_latencies_ms(rows[rows["operation"] == number]) for rows in (calm, faulty))
        if min(len(before), len(meanwhile)) < LEAST_OF_OPERATION:
            continue
        slower = mannwhitneyu(meanwhile, before, alternative="greater").pvalue < _LEVEL
        quick = mannwhitneyu(meanwhile, before * _NOTICED, alternative="less").pvalue < _LEVEL
        told = message(
            "{operation}: p50 {meanwhile} ms, without the fault {before} ms",
            operation=str(operation),
            meanwhile=f"{float(np.median(meanwhile)):.0f}",
            before=f"{float(np.median(before)):.0f}",
        )
        yield True if slower else False if quick else None, told


def _latencies_ms(rows: Calls) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = (rows["done_ns"] - rows["due_ns"]) / _MS
    return found


#: An operation of which fewer requests were due, all failed, is not named for it.
LEAST_OUTRIGHT = 5


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Users' requests to the API and probes together. ``outage_s`` is the time between the first and the last failure,
    ``recovered_s`` from the end of the method to the steady state; ``None`` when there was none."""

    calls: int
    failed: int
    outage_s: float | None
    recovered_s: float | None


def span(made: MadeExperiment) -> Window:
    """What is judged: from the first fault to the steady state, or to the end when that did not come back."""
    return Window(start_ns=made.start_ns, end_ns=max(made.steady_ns or made.end_ns, made.start_ns + 1))


def stretch(made: MadeExperiment) -> Window:
    """What was taken for the steady state afterwards; no time where that did not come back."""
    since_ns = span(made).end_ns
    seconds = 0.0 if made.steady_ns is None else STEADY_S
    return Window(start_ns=since_ns, end_ns=since_ns + max(1, round(seconds * NS)))


def figures(ledger: Ledger, made: MadeExperiment) -> Figures:
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


#: Each fact of an experiment, in a sentence.
PHRASES = {
    "calls": gettext_noop("{seen} requests and probes were due"),
    "calls.needed": gettext_noop("{seen} requests and probes are needed"),
    "calls.failed": gettext_noop("{seen} of {of} requests and probes failed ({share} %)"),
    "calls.may_fail": gettext_noop("{seen} may fail"),
    "recovered_s": gettext_noop("from the undo to the steady state: {seen}"),
    "allowed_s": gettext_noop("{seen} are allowed for the way back"),
    "steady.failed": gettext_noop("{seen} calls of the {seconds} s of the steady state failed after all"),
    "p95_ms": gettext_noop("p95 of {of} requests {seen}"),
    "limit_ms": gettext_noop("the scenario promises {seen}"),
    "reads.well": gettext_noop("reads that were answered well while it lasted: {seen}"),
    "writes.well": gettext_noop("writes that were answered well while it lasted: {seen}"),
    "cut.answered": gettext_noop("answered well while the way was cut: {seen} of {of}"),
    "mirror.wrong": gettext_noop("documents of the mirror that are wrong: {seen}"),
    "kills.made": gettext_noop("{seen} kills were made"),
    "kills.wanted": gettext_noop("{seen} kills were computed with"),
    "series.failed": gettext_noop("{seen} failed of {computed}"),
    "series.least": gettext_noop("at least {seen} were computed"),
    "series.most": gettext_noop("at most {seen} were computed"),
    "outage_s": gettext_noop("users' writes failed for {seen} ({count} of them)"),
    "outage.allowed_s": gettext_noop("{seen} are allowed for the outage"),
    "still_failed_s": gettext_noop("from the first failed write to the last one beside good writes: {seen}"),
    "failed.unexplained": gettext_noop("failures that no leaving pod explains: {seen}"),
    "slower": gettext_noop("{seen} of {all} operations are slower while it lasts"),
    "slower.all": gettext_noop("{seen} operations were compared"),
}
#: An experiment of a claim that begins so shows when the mirror is written.
_OF_MIRROR = "dual_write."


def facts(
    plan: ChaosPlan, number: int, details: ChaosDetails, evidence: Gathered, *, seed: int, capabilities: Collection[str]
) -> Iterator[Fact]:
    """Of the experiment ``number``, which is the part, if it was made or cannot be made in the environment."""
    fact, expects = FactsOf(PHRASES, str(number)), plan.experiments[number - 1].experiment.expects
    if missing := lacks(expects.needs, capabilities):
        yield fact.every(lacks=(lacking_words(missing),))
        return
    for made in details.made:
        if made.number == number:
            yield from ExperimentView(plan, details, made, evidence, seed).facts(fact)


class ExperimentView:
    """The evidence of one experiment that was made."""

    def __init__(
        self, plan: ChaosPlan, details: ChaosDetails, made: MadeExperiment, evidence: Gathered, seed: int
    ) -> None:
        self._plan, self._details, self._made, self._evidence, self._seed = plan, details, made, evidence, seed
        self._expects = plan.experiments[made.number - 1].experiment.expects

    def facts(self, fact: FactsOf) -> Iterator[Fact]:
        """What decides on it, then how far it reached."""
        made, expects = self._made, self._expects
        if why := _nothing(made, expects):
            yield fact.every(void=(why,))
            return
        due = self._due(span(made))
        missing_ns = _missing_ns(due, self._evidence)
        yield from of_calls(fact, self._evidence, made, expects, due=due, steady=self._due(stretch(made)))
        if expects.unharmed:
            yield from of_both(fact, self._evidence.ledger, made)
            until = Window(start_ns=made.start_ns, end_ns=made.undone_ns or span(made).end_ns)
            requests = planned_in(self._evidence.ledger, due, span(made))[0]
            yield from of_latency(fact, self._evidence.ledger, until, requests, self._plan.criteria)
        if expects.answers_none:
            yield of_cut(fact, self._evidence.ledger, made, missing_ns)
        if is_of_mirror(expects):
            yield self._of_mirror(fact)
        if expects.repeated is not None and made.series is not None:
            failed, times = figures(self._evidence.ledger, made).failed, expects.repeated.times
            yield from of_series(fact, expected(made.series), failed, len(missing_ns), made=made.repeated, times=times)
        if expects.failover is not None:
            found = failover_of(made, expects.failover, self._evidence, missing_ns)
            yield from of_failover(fact, found, expects.failover.most_outage_s, server=made.server)
        if expects.spreads:
            yield from self._of_reach(fact)

    def _due(self, window: Window) -> DueList:
        """What was due in ``window``."""
        return due_within(self._plan.scenario, self._seed, self._details.origin_ns, window.start_ns, window.end_ns)

    def _of_mirror(self, fact: FactsOf) -> Fact:
        """A target that wrote no documents shows nothing of when it writes them."""
        of_run = accounted(EXPECTED, of_whole_run(self._evidence.events))
        return of_checker(fact, next(each for each in of_run if each.id == DUAL_WRITE))

    def _of_reach(self, fact: FactsOf) -> Iterator[Fact]:
        """What users had due until the last experiment had ended: what one reaches is told from all that it did not."""
        every = self._details.made
        due = self._due(Window(start_ns=0, end_ns=ended_ns(every)))
        missing_ns = _missing_ns(DueList(requests=due.requests, probes=()), self._evidence)
        return of_reach(fact, self._evidence.ledger, self._made, every, missing_ns)


def is_of_mirror(expects: Expectation) -> bool:
    """Whether it shows when the mirror is written."""
    return any(claim.startswith(_OF_MIRROR) for claim in expects.claims)


def _nothing(made: MadeExperiment, expects: Expectation) -> Message | None:
    """Why an experiment that was made shows nothing."""
    if expects.repeated is not None and made.tried == ():
        return message("there was no steady state to try the detection from")
    if made.broken:
        return message("the experiment could not be made: {why}", why=raw_text(made.broken))
    if expects.repeated is not None and made.series is None:
        return message("the run left no word of the series of kills that was to be made")
    if not made.steady_before:
        return message("there was no steady state to begin with")
    if made.undone_ns is None and made.steady_ns is None:
        return message("whether the steady state came back was not looked at")
    return None


def _missing_ns(due: DueList, evidence: Gathered) -> list[int]:
    """When each call of the list was due that is not in evidence."""
    return [each.due_ns for each in (*due.requests, *due.probes) if each.id not in evidence.ledger.calls]


# -- what users met ----------------------------------------------------------------------------------------------


def of_calls(
    fact: FactsOf, evidence: Gathered, made: MadeExperiment, expects: Expectation, *, due: DueList, steady: DueList
) -> Iterator[Fact]:
    """Of what was due from the first fault until the steady state was back. Each call of ``due`` that is not in
    evidence may have failed, and so may each of ``steady``, which is what was due in the steady state afterwards."""
    ledger, window = evidence.ledger, span(made)
    seen, planned = figures(ledger, made), planned_in(ledger, due, window)
    missing = sum(each.missing for each in planned)
    share = f"{100 * seen.failed / max(seen.calls, 1):.1f}"
    lost = outright(evidence.requests, made.start_ns, made.undone_ns or made.end_ns)
    besides: Told = (_allowance(expects),) if seen.failed else ()
    besides += lost_words(missing, sum(each.count for each in planned) - missing) + (() if lost is None else (lost,))
    yield fact("calls", seen.calls)
    yield fact("calls.needed", expects.least_calls)
    yield fact("calls.failed", seen.failed, high=seen.failed + missing, of=seen.calls, share=share, besides=besides)
    yield fact("calls.may_fail", math.floor(expects.most_failed * (seen.calls + missing) + 1e-9))
    yield _recovered(fact, ledger, made, seen, due)
    yield fact("allowed_s", expects.recover_within_s)
    yield _steady(fact, ledger, made, steady)
    # of no other erratum is known what shows it
    explained = failed_while_leaving(ledger, evidence.events, window) if expects.erratum == NO_PRESTOP else 0
    yield fact("failed.unexplained", max(0, seen.failed - explained))


def _allowance(expects: Expectation) -> Message:
    """How many failures the verdict lets pass: a pass says no more than that there were not more of them."""
    if expects.most_failed >= 1:
        return message("here all of them may fail: how many do is measured, not judged")
    return message("at most {most} % are allowed", most=f"{expects.most_failed * 100:g}")


def _recovered(fact: FactsOf, ledger: Ledger, made: MadeExperiment, seen: Figures, due: DueList) -> Fact:
    """That it did not come back may be for what is not in evidence of the last seconds, where all else was good."""
    if seen.recovered_s is not None:
        return fact("recovered_s", seen.recovered_s)
    last = Window(start_ns=made.end_ns - round(STEADY_S * NS), end_ns=made.end_ns)
    calls = [each for each in (*due.requests, *due.probes) if last.start_ns <= each.due_ns < last.end_ns]
    lost = any(each.id not in ledger.calls for each in calls)
    may_have = lost and bool(ledger.calls_due(last)["ok"].all())
    return fact("recovered_s", low=0 if may_have else math.inf, high=math.inf)


def _steady(fact: FactsOf, ledger: Ledger, made: MadeExperiment, steady: DueList) -> Fact:
    """What failed of what was on its way as the steady state was looked at."""
    failed = missing = 0
    if made.steady_ns is not None:
        failed = int(np.count_nonzero(~ledger.calls_due(stretch(made))["ok"]))
        missing = sum(each.missing for each in planned_in(ledger, steady, stretch(made)))
    return fact("steady.failed", failed, high=failed + missing, seconds=f"{STEADY_S:g}")


# -- of some experiments -----------------------------------------------------------------------------------------


def of_checker(fact: FactsOf, found: Judgement) -> Fact:
    """What a checker of the whole run found; nothing where it has no word."""
    if not found.holds:
        return fact("mirror.wrong", 0)
    none = found.told if found.verdict is Verdict.NOT_EXERCISED else ()
    void = found.told if found.verdict is Verdict.INCONCLUSIVE else ()
    return fact("mirror.wrong", max(1.0, found.value or 0), void=void, lacks=none)


def of_series(
    fact: FactsOf, computed: ExpectedFailures, failed: int, missing: int, *, made: int, times: int
) -> Iterator[Fact]:
    """A series of kills beside what was computed before it began."""
    yield fact("kills.made", made)
    yield fact("kills.wanted", times)
    yield fact("series.failed", failed, high=failed + missing, computed=computed.told)
    yield fact("series.least", computed.least)
    yield fact("series.most", computed.most)


def of_failover(fact: FactsOf, found: FailoverSeen | None, most_s: float, *, server: str = "") -> Iterator[Fact]:
    """How long writes failed. A call that is not in evidence may be a write: one between the last good one and the next
    may be the outage's end, or as long; one behind it may have failed still."""
    on = (message("on {server}", server=server),) if server else ()
    yield fact("outage.allowed_s", most_s)
    if found is None or found.outage_s is None:
        none = message("no write failed, or none was good again: no outage to measure")
        why = (message("the failover did not finish"),) if found is None else (_steps(found), none)
        yield from fact.none("outage_s", "still_failed_s", void=(*why, *on))
        return
    low, high = (0.0, max(found.outage_s, found.most_s or 0.0)) if found.missing else (None, None)
    lost = message("{count} calls that were due meanwhile are not in evidence", count=str(found.missing))
    besides = (_steps(found), *((lost,) if found.missing else ()), *on)
    count, still_s = str(found.failed_writes), found.still_s or 0.0
    yield fact("outage_s", found.outage_s, low=low, high=high, count=count, besides=besides)
    yield fact("still_failed_s", still_s, high=max(still_s, *found.lost_s, 0.0))


def _steps(found: FailoverSeen) -> Message:
    went = {"detect": f"{found.detect_s:.1f}", "promote": f"{found.promote_s:.2f}", "lead": f"{found.lead_s:.2f}"}
    if found.synchronous:
        return message(
            "synchronous commit: detected after {detect} s, promoted in {promote} s, pods switched in {lead} s", **went
        )
    return message(
        "asynchronous commit: detected after {detect} s, promoted in {promote} s, pods switched in {lead} s", **went
    )

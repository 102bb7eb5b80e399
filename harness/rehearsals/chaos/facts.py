"""The facts of experiments: of what users met, how long the steady state was away, how far each fault reached. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import numpy as np

from harness.base.message import marked
from harness.checks.agreement import DUAL_WRITE
from harness.checks.whole_run import EXPECTED, of_whole_run
from harness.evidence.gathered import Gathered
from harness.judge.leaving import NO_PRESTOP, failed_while_leaving
from harness.judge.ledger import Ledger
from harness.judge.planned import lost_words, planned_in
from harness.judge.steady import STEADY_S
from harness.judge.window import NS, Window
from harness.load.population.due import due_within
from harness.model.due import DueList
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, message, verbatim
from harness.model.stack import lacks
from harness.model.verdict import Verdict
from harness.model.words import lacking_words
from harness.rehearsal.conclude import accounted
from harness.rehearsals.chaos import reach
from harness.rehearsals.chaos.failovers import failover_of
from harness.rehearsals.chaos.kill_series import Expected, expected
from harness.rehearsals.chaos.latency import of_latency
from harness.rehearsals.chaos.measures import Figures, figures, outright, span, stretch
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, Expectation, FailoverSeen, Made
from harness.rules.fact import Fact, FactsOf

#: Each fact of an experiment, in a sentence.
PHRASES = {
    "calls": marked("{seen} requests and probes were due"),
    "calls.needed": marked("{seen} requests and probes are needed"),
    "calls.failed": marked("{seen} of {of} requests and probes failed ({share} %)"),
    "calls.may_fail": marked("{seen} may fail"),
    "recovered_s": marked("from the undo to the steady state: {seen}"),
    "allowed_s": marked("{seen} are allowed for the way back"),
    "steady.failed": marked("{seen} calls of the {seconds} s of the steady state failed after all"),
    "p95_ms": marked("p95 of {of} requests {seen}"),
    "limit_ms": marked("the scenario promises {seen}"),
    "reads.well": marked("reads that were answered well while it lasted: {seen}"),
    "writes.well": marked("writes that were answered well while it lasted: {seen}"),
    "cut.answered": marked("answered well while the way was cut: {seen} of {of}"),
    "mirror.wrong": marked("documents of the mirror that are wrong: {seen}"),
    "kills.made": marked("{seen} kills were made"),
    "kills.wanted": marked("{seen} kills were computed with"),
    "series.failed": marked("{seen} failed of {computed}"),
    "series.least": marked("at least {seen} were computed"),
    "series.most": marked("at most {seen} were computed"),
    "outage_s": marked("users' writes failed for {seen} ({count} of them)"),
    "outage.allowed_s": marked("{seen} are allowed for the outage"),
    "still_failed_s": marked("from the first failed write to the last one beside good writes: {seen}"),
    "failed.unexplained": marked("failures of a time in which no pod left: {seen}"),
    "slower": marked("{seen} of {all} operations are slower while it lasts"),
    "slower.all": marked("{seen} operations were compared"),
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
            yield from View(plan, details, made, evidence, seed).facts(fact)


class View:
    """The evidence of one experiment that was made."""

    def __init__(self, plan: ChaosPlan, details: ChaosDetails, made: Made, evidence: Gathered, seed: int) -> None:
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
            yield from reach.of_both(fact, self._evidence.ledger, made)
            until = Window(start_ns=made.start_ns, end_ns=made.undone_ns or span(made).end_ns)
            requests = planned_in(self._evidence.ledger, due, span(made))[0]
            yield from of_latency(fact, self._evidence.ledger, until, requests, self._plan.criteria)
        if expects.answers_none:
            yield reach.of_cut(fact, self._evidence.ledger, made, missing_ns)
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
        due = self._due(Window(start_ns=0, end_ns=reach.ended_ns(every)))
        missing_ns = _missing_ns(DueList(requests=due.requests, probes=()), self._evidence)
        return reach.of_reach(fact, self._evidence.ledger, self._made, every, missing_ns)


def is_of_mirror(expects: Expectation) -> bool:
    """Whether it shows when the mirror is written."""
    return any(claim.startswith(_OF_MIRROR) for claim in expects.claims)


def _nothing(made: Made, expects: Expectation) -> Message | None:
    """Why an experiment that was made shows nothing."""
    if expects.repeated is not None and made.tried == ():
        return message("there was no steady state to try the detection from")
    if made.broken:
        return message("the experiment could not be made: {why}", why=verbatim(made.broken))
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
    fact: FactsOf, evidence: Gathered, made: Made, expects: Expectation, *, due: DueList, steady: DueList
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
    explained = expects.erratum != NO_PRESTOP or failed_while_leaving(ledger, evidence.events, window)
    yield fact("failed.unexplained", 0 if explained else seen.failed)


def _allowance(expects: Expectation) -> Message:
    """How many failures the verdict lets pass: a pass says no more than that there were not more of them."""
    if expects.most_failed >= 1:
        return message("here all of them may fail: how many do is measured, not judged")
    return message("at most {most} % are allowed", most=f"{expects.most_failed * 100:g}")


def _recovered(fact: FactsOf, ledger: Ledger, made: Made, seen: Figures, due: DueList) -> Fact:
    """That it did not come back may be for what is not in evidence of the last seconds, where all else was good."""
    if seen.recovered_s is not None:
        return fact("recovered_s", seen.recovered_s)
    last = Window(start_ns=made.end_ns - round(STEADY_S * NS), end_ns=made.end_ns)
    calls = [each for each in (*due.requests, *due.probes) if last.start_ns <= each.due_ns < last.end_ns]
    lost = any(each.id not in ledger.calls for each in calls)
    may_have = lost and bool(ledger.calls_due(last)["ok"].all())
    return fact("recovered_s", low=0 if may_have else math.inf, high=math.inf)


def _steady(fact: FactsOf, ledger: Ledger, made: Made, steady: DueList) -> Fact:
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


def of_series(fact: FactsOf, computed: Expected, failed: int, missing: int, *, made: int, times: int) -> Iterator[Fact]:
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

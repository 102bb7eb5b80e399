"""Success criteria on samples: passed when the bound clears the threshold, failed when the opposite bound breaks it.
One that is judged by value passes when the measured value clears it, and fails by the bound all the same.

A fail is read on what was seen, and void where all that is due and not in evidence, were it good, could undo it. A pass
must clear with all of that counted as failed: what is missing may be just what failed.

The exact criteria: counted over the whole window, so that the count is its own bound. "Rate" and "Concurrency".

A pass is counted on calls that the schedule holds; a fail stands only where what is due and not in evidence cannot
undo it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.base.ticks import NS
from harness.base.units import Unit
from harness.model.evidence import Window
from harness.model.judgement import Judgement, Verdict
from harness.model.message import Message, message, worded
from harness.model.scenario import QUANTILE, By, Comparison, Criterion, Metric, Sample
from harness.rules.bounds import samples_needed
from harness.rules.figures import Figure, bad_calls, clears, counting, figure
from harness.rules.finding import CriterionFinding, error_words, nothing
from harness.rules.ledger import Calls, those
from harness.rules.machine_share import CROWDED_FROM
from harness.rules.planned import missing_words, void_reason
from harness.rules.sentences import (
    NONE_IN_EVIDENCE,
    as_written,
    beside,
    bounded,
    count,
    judged_by_value,
    limit_quantity,
    nothing_counts,
)
from harness.rules.view import WindowView

_NAMED_USERS = 3


def request_rate(criterion: Criterion, view: WindowView) -> CriterionFinding:
    """Good answers of the API that came in the window, over the window; judged only while enough was offered."""
    window_s = view.window.seconds
    if not len(view.requests):
        return nothing(NONE_IN_EVIDENCE[Sample.USERS])
    good = len(_good_answers(view))
    value = good / window_s
    planned = view.planned(criterion.asks)
    offered = planned.count / window_s
    finding = CriterionFinding(
        verdict=Verdict.PASS if clears(criterion.comparison, value, criterion.threshold) else Verdict.FAIL,
        value=value,
        bound=value,
        samples=good,
        told=(
            message(
                "{good} good answers in {seconds} s: {rate}, limit {limit}",
                good=count(good),
                seconds=f"{window_s:g}",
                rate=worded(beside(value, criterion.threshold, Unit.PER_SECOND), Unit.PER_SECOND),
                limit=limit_quantity(criterion),
            ),
        ),
    )
    wanted = view.scenario.offered_rate_per_s
    if offered < wanted:
        return finding.void(
            message(
                "only {offered} were offered; it is judged when at least {wanted} are",
                offered=worded(beside(offered, wanted, Unit.PER_SECOND), Unit.PER_SECOND),
                wanted=worded(as_written(wanted, Unit.PER_SECOND), Unit.PER_SECOND),
            )
        )
    if finding.verdict is Verdict.FAIL:
        if clears(criterion.comparison, (good + planned.missing) / window_s, criterion.threshold):
            return finding.void(void_reason(planned))
        late = _late(criterion, view)
        lost = planned.missing + int(np.count_nonzero(~(late["ok"] & (late["done_ns"] < view.window.end_ns))))
        if clears(criterion.comparison, (good + lost) / window_s, criterion.threshold):
            return finding.void(message("void: {late} requests were sent late by the generator", late=count(lost)))
    return finding


def concurrent_users(criterion: Criterion, view: WindowView) -> CriterionFinding:
    """Users with a live session for the whole window and a good answer of the API in every stretch of it."""
    window = view.window
    live = view.ledger.live_throughout(window)
    if not live.any() or not len(view.requests):
        return nothing(message("no live session with requests in evidence"))
    stretch_ns = round(view.scenario.good_answer_every_s * NS)
    good = _good_answers(view)
    offered = live & _covered(view.requests["user"], view.requests["due_ns"], window, stretch_ns, len(live))
    served = live & _covered(good["user"], good["done_ns"], window, stretch_ns, len(live))
    value = int(np.count_nonzero(served))
    finding = CriterionFinding(
        verdict=Verdict.PASS if clears(criterion.comparison, value, criterion.threshold) else Verdict.FAIL,
        value=float(value),
        bound=float(value),
        samples=int(np.count_nonzero(offered)),
        told=(
            message(
                "{users} users had a live session and a good answer in every {seconds} s, limit {limit}",
                users=count(value),
                seconds=f"{view.scenario.good_answer_every_s:g}",
                limit=limit_quantity(criterion),
            ),
        ),
    )
    if finding.verdict is Verdict.PASS or view.glance:
        return finding
    if not clears(criterion.comparison, finding.samples, criterion.threshold):
        return finding.void(message("the load offered only {users} such users", users=count(finding.samples)))
    planned = view.planned(criterion.asks)
    if clears(criterion.comparison, value + planned.missing, criterion.threshold):  # each may be a user's good answer
        return finding.void(void_reason(planned))
    late = _late(criterion, view)
    users = np.concatenate((good["user"], late["user"]))
    times = np.concatenate((good["done_ns"], late["due_ns"]))
    spared = live & _covered(users, times, window, stretch_ns, len(live))
    if clears(criterion.comparison, int(np.count_nonzero(spared)), criterion.threshold):
        return finding.void(message("void: the generator sent the missing users' requests late"))
    return _naming(finding, view, offered & ~served)


def _good_answers(view: WindowView) -> Calls:
    """Good answers of the API that came in the window, to what the schedule holds; at a ``glance``, and without a due
    list, to anything."""
    rows = None if view.glance else view.planned(Sample.USERS).listed
    rows = view.ledger.requests if rows is None else rows
    done = (rows["done_ns"] >= view.window.start_ns) & (rows["done_ns"] < view.window.end_ns)
    return those(rows, done & rows["api"] & rows["ok"])


def _late(criterion: Criterion, view: WindowView) -> Calls:
    """Of the requests whose good answer would have counted, those that the generator did not send on time."""
    late, listed = view.late(criterion), view.planned(criterion.asks).listed
    return late if listed is None else those(late, np.isin(late["id"], listed["id"]))


def _covered(
    user: NDArray[np.int32], at_ns: NDArray[np.int64], window: Window, stretch_ns: int, users: int
) -> NDArray[np.bool_]:
    """By user's number: whether the user's times leave no stretch of ``window`` empty; at least one time each."""
    order = np.lexsort((at_ns, user))
    user, at_ns = user[order], at_ns[order]
    first, last = np.ones((2, len(user)), dtype=bool)
    first[1:] = last[:-1] = user[1:] != user[:-1]
    # Half-open stretches: one that begins with the window is empty when the first time lies a whole stretch on.
    gap = first & (at_ns - window.start_ns >= stretch_ns)
    gap |= last & (window.end_ns - at_ns > stretch_ns)
    gap[1:] |= ~first[1:] & (at_ns[1:] - at_ns[:-1] > stretch_ns)
    covered = np.zeros(users, dtype=bool)
    covered[user] = True
    covered[user[gap]] = False
    return covered


def _naming(finding: CriterionFinding, view: WindowView, missing: NDArray[np.bool_]) -> CriterionFinding:
    names = sorted(name for name, number in view.ledger.users.items() if missing[number])
    if not names:
        return finding
    named, more = ", ".join(names[:_NAMED_USERS]), len(names) - _NAMED_USERS
    if more > 0:
        return finding.adding(message("without: {users} and {more} more", users=named, more=str(more)))
    return finding.adding(message("without: {users}", users=named))


def success(criterion: Criterion, view: WindowView) -> CriterionFinding:
    """The finding on a success criterion; inconclusive until the whole window has passed."""
    if criterion.metric is Metric.REQUEST_RATE:
        finding = request_rate(criterion, view)
    elif criterion.metric is Metric.CONCURRENT_USERS:
        finding = concurrent_users(criterion, view)
    else:
        finding = _sampled(criterion, view)
    if crowded := crowded_words(criterion, finding, view):
        finding = finding.void(crowded)
    errors = view.measurement_errors(criterion.asks)
    if errors:
        finding = finding.void(error_words(errors))
    if view.to_go_ns and finding.value is not None:
        left = f"{view.to_go_ns / NS:.0f}"
        finding = finding.void(message("{seconds} s of the window were not measured", seconds=left))
    return finding


def crowded_words(criterion: Criterion, finding: CriterionFinding | Judgement, view: WindowView) -> Message | None:
    """Why a latency that did not pass may be the machine's: others than the target crowded it, and what was measured
    is not above ``Criterion.crowded_limit_ms``; ``None`` where the finding stands."""
    most = criterion.crowded_limit_ms
    if finding.verdict is Verdict.PASS or most is None or finding.value is None or finding.value > most:
        return None
    share = view.crowded_share  # looked for only where it can matter: the judge is asked every second
    if share is None or share < CROWDED_FROM:
        return None
    return message(
        "for {share} of the window processes outside the target's pods kept this machine's processors waiting",
        share=f"{share:.0%}",
    )


def _sampled(criterion: Criterion, view: WindowView) -> CriterionFinding:
    rows = view.calls(criterion)
    measured = figure(criterion, rows)
    if measured is None:
        return nothing(nothing_counts(criterion, some=len(rows) > 0))
    finding = _by_bounds(criterion, measured)
    # Those too that failed too soon to count towards a latency: a failure more must not undo a fail.
    if len(rows) < criterion.smallest_sample:
        return finding.void(message("the smallest sample is {samples}", samples=count(criterion.smallest_sample)))
    if finding.verdict is Verdict.PASS or view.glance:
        why = None if view.glance else _unproved(criterion, view)
        return finding.void(why) if why else finding
    if finding.verdict is Verdict.FAIL and not _fails(criterion, view.timely(criterion)):
        late = count(len(view.late(criterion)))
        return finding.void(
            message("void: {late} were sent late by the generator, and without them it does not fail", late=late)
        )
    planned = view.planned(criterion.asks)
    if finding.verdict is Verdict.FAIL and planned.missing and not _fails(criterion, view.sparing(criterion)):
        return finding.void(void_reason(planned))
    return finding


def _by_bounds(criterion: Criterion, measured: Figure) -> CriterionFinding:
    upper_clears = criterion.comparison is Comparison.BELOW
    clearing, breaking = (measured.upper, measured.lower) if upper_clears else (measured.lower, measured.upper)

    def found(verdict: Verdict, bound: float | None, *, upper: bool) -> CriterionFinding:
        if criterion.by is By.VALUE and verdict is not Verdict.FAIL:
            bound, said = None, judged_by_value(criterion, measured.value)
        else:
            said = bounded(criterion, bound, upper=upper) if bound is not None else message("too few for a bound")
        return CriterionFinding(
            verdict=verdict, value=measured.value, bound=bound, samples=measured.samples, told=(measured.words, said)
        )

    if criterion.by is By.VALUE:
        clearing = measured.value
    if clearing is not None and clears(criterion.comparison, clearing, criterion.threshold):
        return found(Verdict.PASS, clearing, upper=upper_clears)
    if breaking is not None and not clears(criterion.comparison, breaking, criterion.threshold):
        return found(Verdict.FAIL, breaking, upper=not upper_clears)
    finding = found(Verdict.INCONCLUSIVE, clearing, upper=upper_clears)
    more = _more_needed(criterion, measured) if criterion.by is By.BOUND else None
    return finding.adding(more) if more else finding


def _more_needed(criterion: Criterion, measured: Figure) -> Message | None:
    """How many samples would carry the claim with the failures seen; None where the value itself does not keep it."""
    if criterion.metric in QUANTILE or not clears(criterion.comparison, measured.value, criterion.threshold):
        return None
    limit = failure_limit(criterion)
    ratio = 1 - measured.value if criterion.metric is Metric.AVAILABILITY else measured.value
    failed = round(ratio * measured.samples)
    needed = count(samples_needed(limit, failed))
    return message("with {failed} failed, {needed} are needed", failed=count(failed), needed=needed)


def failure_limit(criterion: Criterion) -> float:
    """The criterion's limit as a ratio of failures: availability > 99.5 % is failures < 0.5 %."""
    if criterion.metric is Metric.AVAILABILITY:
        return round(1 - criterion.threshold, 12)
    return criterion.threshold


def least_sample(criterion: Criterion) -> int:
    """From how many good calls on a pass is one: its own; by value as many as a bound needs without a failure."""
    if criterion.smallest_sample or criterion.by is By.BOUND:
        return criterion.smallest_sample
    return samples_needed(failure_limit(criterion))


def _unproved(criterion: Criterion, view: WindowView) -> Message | None:
    """Why what was seen passes, and what was planned does not; ``None`` when it does too."""
    silence = silence_words(view) if criterion.asks is Sample.PROBES else None
    if silence is not None:
        return silence
    planned = view.planned(criterion.asks)
    proving = view.pessimistic(criterion)
    if planned.pessimistic is not planned.calls:  # else it is what was seen
        measured = figure(criterion, proving)
        if measured is None or _by_bounds(criterion, measured).verdict is not Verdict.PASS:
            return missing_words(planned)
    good = int(np.count_nonzero(counting(criterion, proving) & ~bad_calls(criterion, proving)))
    if good < (least := least_sample(criterion)):
        return message("the smallest sample is {samples}", samples=count(least))
    return None


def silence_words(view: WindowView) -> Message | None:
    """Says that the probe generator fell silent; None when it did not."""
    if not view.silent_s:
        return None
    return message("the measurement failed: no probe was made for {seconds} s", seconds=f"{view.silent_s:.1f}")


def _fails(criterion: Criterion, rows: Calls) -> bool:
    measured = figure(criterion, rows)
    return measured is not None and _by_bounds(criterion, measured).verdict is Verdict.FAIL

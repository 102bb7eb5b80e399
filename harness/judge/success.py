"""Success criteria on samples: passed when the bound clears the threshold, failed when the opposite bound breaks it.
One that is judged by value passes when the measured value clears it, and fails by the bound all the same.

A fail is read on what was seen, and void where all that is due and not in evidence, were it good, could undo it. A pass
must clear with all of that counted as failed: what is missing may be just what failed.
"""

from __future__ import annotations

import numpy as np

from harness.judge.bounds import samples_needed
from harness.judge.exact import concurrent_users, request_rate
from harness.judge.figures import Figure, bad_calls, clears, counting, figure
from harness.judge.finding import Finding, error_words, nothing
from harness.judge.ledger import Calls
from harness.judge.machine_share import CROWDED_FROM
from harness.judge.planned import missing_words, undone_words
from harness.judge.view import View
from harness.judge.window import NS
from harness.judge.words import bounded, count, judged_by_value, nothing_counts
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.scenario import QUANTILE, By, Comparison, Criterion, Metric, Sample
from harness.model.verdict import Verdict


def success(criterion: Criterion, view: View) -> Finding:
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


def crowded_words(criterion: Criterion, finding: Finding | Judgement, view: View) -> Message | None:
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


def _sampled(criterion: Criterion, view: View) -> Finding:
    rows = view.calls(criterion)
    measured = figure(criterion, rows)
    if measured is None:
        return nothing(nothing_counts(criterion, some=len(rows) > 0))
    finding = _by_bounds(criterion, measured)
    # Those too that failed too soon to count towards a latency: a failure more must not undo a fail.
    if len(rows) < criterion.smallest_sample:
        return finding.void(message("the smallest sample is {samples}", samples=count(criterion.smallest_sample)))
    if finding.verdict is Verdict.PASS:
        why = _unproved(criterion, view)
        return finding.void(why) if why else finding
    if finding.verdict is Verdict.FAIL and not _fails(criterion, view.timely(criterion)):
        late = count(len(view.late(criterion)))
        return finding.void(
            message("void: {late} were sent late by the generator, and without them it does not fail", late=late)
        )
    planned = view.planned(criterion.asks)
    if finding.verdict is Verdict.FAIL and planned.missing and not _fails(criterion, view.sparing(criterion)):
        return finding.void(undone_words(planned))
    return finding


def _by_bounds(criterion: Criterion, measured: Figure) -> Finding:
    upper_clears = criterion.comparison is Comparison.BELOW
    clearing, breaking = (measured.upper, measured.lower) if upper_clears else (measured.lower, measured.upper)

    def found(verdict: Verdict, bound: float | None, *, upper: bool) -> Finding:
        if criterion.by is By.VALUE and verdict is not Verdict.FAIL:
            bound, said = None, judged_by_value(criterion, measured.value)
        else:
            said = bounded(criterion, bound, upper=upper) if bound is not None else message("too few for a bound")
        return Finding(
            verdict=verdict,
            value=measured.value,
            bound=bound,
            samples=measured.samples,
            told=(measured.words, said),
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


def _unproved(criterion: Criterion, view: View) -> Message | None:
    """Why what was seen passes, and what was planned does not; ``None`` when it does too."""
    silence = silence_words(view) if criterion.asks is Sample.PROBES else None
    if silence is not None:
        return silence
    planned = view.planned(criterion.asks)
    proving = view.proving(criterion)
    if planned.proving is not planned.calls:  # else it is what was seen
        measured = figure(criterion, proving)
        if measured is None or _by_bounds(criterion, measured).verdict is not Verdict.PASS:
            return missing_words(planned)
    good = int(np.count_nonzero(counting(criterion, proving) & ~bad_calls(criterion, proving)))
    if good < (least := least_sample(criterion)):
        return message("the smallest sample is {samples}", samples=count(least))
    return None


def silence_words(view: View) -> Message | None:
    """Says that the probe generator fell silent; None when it did not."""
    if not view.silent_s:
        return None
    return message("the measurement failed: no probe was made for {seconds} s", seconds=f"{view.silent_s:.1f}")


def _fails(criterion: Criterion, rows: Calls) -> bool:
    measured = figure(criterion, rows)
    return measured is not None and _by_bounds(criterion, measured).verdict is Verdict.FAIL

"""Rollback limits: read on the measured value since the phase began, at every answer, once the sample is large enough.

A limit fires on what was seen. That it did not fire is a pass only where it would not have with everything that is due
and not in evidence counted as failed.

Reading it at every answer (in the order in which answers came) and not only now makes a limit that has fired stay
fired: the same evidence, judged again later, fires at the same instant.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.model.judgement import Verdict
from harness.model.message import Message, Told, gettext_noop, message, worded
from harness.model.scenario import QUANTILE, Comparison, Criterion, Metric, Sample
from harness.rules.figures import SAMPLED, bad_calls, counting, figure
from harness.rules.finding import CriterionFinding, error_words, nothing
from harness.rules.ledger import Calls
from harness.rules.planned import missing_words
from harness.rules.sentences import beside, bounded, count, limit, limit_quantity, nothing_counts
from harness.rules.silence import Blackout, blackout, longest_dark_s
from harness.rules.success import failure_limit, silence_words
from harness.rules.view import WindowView

#: Without a failure, about 3 / limit samples carry "below limit" with 95 % confidence (the rule of three).
_RULE_OF_THREE = 3

#: Of how many values one may lie above each quantile: the measured p95 of n is above the limit when more than n // 20
#: values are.
_ONE_IN = {metric: round(1 / (1 - quantile)) for metric, quantile in QUANTILE.items()}


_FIRED_WORDS = {
    (Metric.ERROR_RATIO, Sample.USERS): gettext_noop("{value} of the first {samples} requests failed, limit {limit}"),
    (Metric.ERROR_RATIO, Sample.PROBES): gettext_noop("{value} of the first {samples} probes failed, limit {limit}"),
    (Metric.AVAILABILITY, Sample.USERS): gettext_noop(
        "{value} of the first {samples} requests were good, limit {limit}"
    ),
    (Metric.AVAILABILITY, Sample.PROBES): gettext_noop(
        "{value} of the first {samples} probes were good, limit {limit}"
    ),
    (Metric.LATENCY_P50, Sample.USERS): gettext_noop("p50 of the first {samples} requests {value}, limit {limit}"),
    (Metric.LATENCY_P95, Sample.USERS): gettext_noop("p95 of the first {samples} requests {value}, limit {limit}"),
    (Metric.LATENCY_P99, Sample.USERS): gettext_noop("p99 of the first {samples} requests {value}, limit {limit}"),
}


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """The answer with which a limit was first broken, the value measured then, and how far it is off for sure;
    ``completing``: requests that failed too soon to count, where ``samples`` alone are too few.
    """

    at_ns: int
    samples: int
    completing: int
    value: float
    bound: float | None


def smallest_sample(criterion: Criterion) -> int:
    """From how many samples on a rollback limit is read: its own, ceil(3 / limit), or 6, 60 and 300 for a
    p50, p95 and p99 (3 / (1 - quantile)).

    Raises ``BadInput`` for a rollback limit that no metric or comparison of the document has.
    """
    sensible = Comparison.BELOW if criterion.metric is Metric.AVAILABILITY else Comparison.ABOVE
    if criterion.metric not in SAMPLED or criterion.comparison is not sensible:
        raise BadInput(
            f"no rollback limit can say {criterion.metric} {criterion.comparison} ...",
            where=f"criterion {criterion.id}",
            remedy="a rollback limit is availability < x, error_ratio > x or latency_p95 > x (p50, p99)",
        )
    if criterion.smallest_sample:
        return criterion.smallest_sample
    if criterion.metric in QUANTILE:
        return _RULE_OF_THREE * _ONE_IN[criterion.metric]
    ratio = failure_limit(criterion)
    if not 0 < ratio < 1:
        raise BadInput(
            f"a limit of {limit(criterion)} has no smallest sample",
            where=f"criterion {criterion.id}",
            remedy="give a threshold between 0 % and 100 %",
        )
    return math.ceil(round(_RULE_OF_THREE / ratio, 6))


def rollback(criterion: Criterion, view: WindowView) -> CriterionFinding:
    """The finding on a rollback limit: FAIL when it fired, PASS when its sample is reached and it did not."""
    metric = criterion.metric
    needed = smallest_sample(criterion)
    rows = view.calls(criterion)
    measured = figure(criterion, rows)
    if measured is None:
        return nothing(nothing_counts(criterion, some=len(rows) > 0))
    fired = first_break(criterion, rows, needed)
    dark = _blackout(criterion, view)
    bound = measured.lower if metric is Metric.AVAILABILITY else measured.upper
    said = message("limit {limit}", limit=limit_quantity(criterion))
    if bound is not None:
        said = bounded(criterion, bound, upper=metric is not Metric.AVAILABILITY)
    finding = CriterionFinding(
        verdict=Verdict.PASS if _good(criterion, rows) >= needed else Verdict.INCONCLUSIVE,
        value=measured.value,
        bound=bound,
        samples=measured.samples,
        told=(measured.words, said, message("not fired")),
    )
    if fired is not None or dark is not None:
        finding = _fired(criterion, finding, fired, dark)
    if finding.verdict is Verdict.INCONCLUSIVE:
        few = message("judged once there are {needed} samples", needed=count(needed))
        bad = message("a pass needs {needed} that keep the limit", needed=count(needed))
        return finding.void(few if len(rows) < needed else bad)
    return _void(criterion, view, finding, needed)


def first_break(criterion: Criterion, rows: Calls, needed: int) -> Fired | None:
    """The first answer, from the one numbered ``needed`` on, at which the value of all answers so far broke the limit.

    A request that failed too soon to count towards a latency completes a smallest sample all the same, as though it had
    been answered at once: a failure more must not put off what fires without it.
    """
    bad = bad_calls(criterion, rows)
    if not bad.any():
        return None
    order = np.argsort(rows["done_ns"], kind="stable")
    done_ns, seen = rows["done_ns"][order], np.cumsum(counting(criterion, rows)[order], dtype=np.int64)
    broken = _broken(criterion, np.cumsum(bad[order]), np.maximum(seen, needed))
    # Answers of the same instant count together, whatever their order in evidence.
    broken[:-1] &= done_ns[1:] != done_ns[:-1]
    broken[: needed - 1] = False
    if not broken.any():
        return None
    first = int(np.argmax(broken))
    at_break = figure(criterion, rows[order[: first + 1]])
    assert at_break is not None
    bound = at_break.upper if criterion.metric is Metric.AVAILABILITY else at_break.lower
    too_soon = first + 1 - at_break.samples
    return Fired(
        at_ns=int(done_ns[first]),
        samples=at_break.samples,
        completing=too_soon if at_break.samples < needed else 0,
        value=at_break.value,
        bound=bound,
    )


def _good(criterion: Criterion, rows: Calls) -> int:
    return int(np.count_nonzero(counting(criterion, rows) & ~bad_calls(criterion, rows)))


def _broken(criterion: Criterion, bad: NDArray[np.int64], seen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each n, whether the first n answers, of which ``bad[n - 1]`` of the ``seen[n - 1]`` that count are bad, break
    the limit.
    """
    broken: NDArray[np.bool_]
    if criterion.metric in QUANTILE:
        # The measured p95 of n has rank ceil(0.95 n): it is above the limit when n // 20 + 1 values are.
        broken = bad > seen // _ONE_IN[criterion.metric]
    elif criterion.metric is Metric.AVAILABILITY:
        broken = (seen - bad) / np.maximum(seen, 1) < criterion.threshold
    else:
        broken = bad / np.maximum(seen, 1) > criterion.threshold
    return broken


def _blackout(criterion: Criterion, view: WindowView) -> Blackout | None:
    if not _blacks_out(criterion):
        return None
    return blackout(view.probes, view.window.start_ns, view.scenario.blackout_s, view.scenario.probes)


def _blacks_out(criterion: Criterion) -> bool:
    """Whether five seconds without one good probe fire the limit: one on the availability of the probes."""
    return criterion.metric is Metric.AVAILABILITY and criterion.asks is Sample.PROBES


def _fired(
    criterion: Criterion, finding: CriterionFinding, fired: Fired | None, dark: Blackout | None
) -> CriterionFinding:
    """FAIL, by whichever of the two came first."""
    if dark is not None and (fired is None or dark.at_ns < fired.at_ns):
        seconds, failed = f"{dark.length_s:.1f}", count(dark.failed)
        told = message(
            "{seconds} s without one good probe, {failed} failed in that time", seconds=seconds, failed=failed
        )
        # Beside the availability so far, which may be within its limit.
        shown = (message("{seconds} s without one good probe", seconds=seconds),)
        return msgspec.structs.replace(finding, verdict=Verdict.FAIL, told=(told,), shown=shown, fired_at_ns=dark.at_ns)
    assert fired is not None
    return msgspec.structs.replace(
        finding,
        verdict=Verdict.FAIL,
        value=fired.value,
        bound=fired.bound,
        samples=fired.samples,
        told=_fired_words(criterion, fired),
        fired_at_ns=fired.at_ns,
    )


def _fired_words(criterion: Criterion, fired: Fired) -> Told:
    value = worded(beside(fired.value, criterion.threshold, criterion.unit), criterion.unit)
    values = {"value": value, "samples": count(fired.samples), "limit": limit_quantity(criterion)}
    said = Message(text=_FIRED_WORDS[criterion.metric, criterion.asks], values=values)
    if not fired.completing:
        return (said,)
    return said, message("{failed} more failed too soon to count", failed=count(fired.completing))


def _void(criterion: Criterion, view: WindowView, finding: CriterionFinding, needed: int) -> CriterionFinding:
    """Takes back what the measurement's own errors or the generator's lag may have made."""
    errors = view.measurement_errors(criterion.asks)
    if errors and (finding.fired_at_ns is None or errors[0].at_ns <= finding.fired_at_ns):
        return finding.void(error_words(errors))
    if finding.verdict is Verdict.PASS:
        why = None if view.glance else _unproved(criterion, view, needed)
        return finding.void(why) if why else finding
    latency_fired = finding.verdict is Verdict.FAIL and criterion.metric in QUANTILE
    if latency_fired and first_break(criterion, view.timely(criterion), needed) is None:
        late = count(len(view.late(criterion)))
        return finding.void(
            message("void: {late} were sent late by the generator, and without them it does not fire", late=late)
        )
    return finding


def _unproved(criterion: Criterion, view: WindowView, needed: int) -> Message | None:
    """Why a limit that what was seen kept may have been broken by what is missing; ``None`` when it cannot."""
    silence = silence_words(view) if criterion.asks is Sample.PROBES else None
    if silence is not None:
        return silence
    planned = view.planned(criterion.asks)
    if planned.pessimistic is planned.calls:
        return None
    proving = view.pessimistic(criterion)
    fires = first_break(criterion, proving, needed) is not None
    dark = _blacks_out(criterion) and planned.missing > 0
    if dark:
        dark = longest_dark_s(view.probes, view.window) >= view.scenario.blackout_s
    if fires or dark or _good(criterion, proving) < needed:
        return missing_words(planned)
    return None

"""The sentences of verdicts: counts, figures and bounds as a person reads them."""

from __future__ import annotations

import math

from harness.base.units import Unit, plain, show, too_full
from harness.model.message import Message, gettext_noop, message, worded
from harness.model.scenario import QUANTILE, Comparison, Criterion, Metric, Sample, usual_sample

SUBJECT = {Sample.PROBES: gettext_noop("probes"), Sample.USERS: gettext_noop("requests")}

_WHOSE = {
    Sample.USERS: gettext_noop("{metric} of the users' requests"),
    Sample.PROBES: gettext_noop("{metric} of the probes"),
}

METRIC = {
    Metric.ERROR_RATIO: gettext_noop("error ratio"),
    Metric.AVAILABILITY: gettext_noop("availability"),
    Metric.LATENCY_P50: gettext_noop("latency p50"),
    Metric.LATENCY_P95: gettext_noop("latency p95"),
    Metric.LATENCY_P99: gettext_noop("latency p99"),
    Metric.REQUEST_RATE: gettext_noop("requests/s"),
    Metric.CONCURRENT_USERS: gettext_noop("concurrent users"),
}

NONE_IN_EVIDENCE = {Sample.PROBES: message("no probes in evidence"), Sample.USERS: message("no requests in evidence")}

#: Units of which ``show`` leaves out no digit that matters: whole numbers; cents, which tell any two amounts apart.
_WHOLE = (Unit.DOLLARS, Unit.FLAWS)
#: By what a number is multiplied where it is shown, and what stands behind it.
_FORM = {Unit.RATIO: (100.0, " %"), Unit.PER_SECOND: (1.0, "/s")}
#: Nobody writes a limit with more significant digits.
_MOST_WRITTEN = 8

_TOO_SOON = message("every request failed sooner than the limit: none says how long an answer takes")


def nothing_counts(criterion: Criterion, *, some: bool) -> Message:
    """Why a sample is empty; ``some``: there are calls that the criterion is about, and none belongs to it."""
    if some and criterion.metric in QUANTILE:
        return _TOO_SOON
    if criterion.operation is not None:
        return message("no requests for {operation} in evidence", operation=criterion.operation)
    if criterion.step_s is not None:
        return message("no requests of the step in evidence")
    return NONE_IN_EVIDENCE[criterion.asks]


def count(number: int) -> str:
    """``1200`` as "1,200"."""
    return f"{number:,}"


def beside(value: float, threshold: float, unit: Unit) -> str:
    """``value`` with as many digits as tell it from ``threshold``: 99.4996 % beside 99.5 % is not "99.5 %"."""
    if value == threshold:
        return as_written(threshold, unit)
    if unit in _WHOLE:
        return show(value, unit)
    factor, suffix = _FORM.get(unit, (1.0, f" {unit}"))
    for digits in range(4, 16):
        shown = plain(value * factor, digits)
        if shown != plain(threshold * factor, digits) and not too_full(shown, value, unit):
            return shown + suffix
    return show(value, unit)


def as_written(threshold: float, unit: Unit) -> str:
    """A limit with every digit that somebody wrote: 99.995 % is not "100 %". One that was computed has no end of them,
    and is shown as any other figure."""
    factor, suffix = _FORM.get(unit, (1.0, f" {unit}"))
    for digits in range(4, _MOST_WRITTEN + 1):
        shown = plain(threshold * factor, digits)
        if unit not in _WHOLE and math.isclose(float(shown), threshold * factor, rel_tol=1e-12):
            return (shown + suffix).rstrip()
    return show(threshold, unit)


def limit(criterion: Criterion) -> str:
    """The criterion's threshold with its unit."""
    return as_written(criterion.threshold, criterion.unit)


def rule(criterion: Criterion) -> str:
    """The criterion as the claim says it: "availability > 99.5 %"."""
    of = f" of {criterion.operation}" if criterion.operation else ""
    of += f" in the step from {criterion.step_s:g} s" if criterion.step_s is not None else ""
    of += f" of the {criterion.asks}" if criterion.asks is not usual_sample(criterion.metric) else ""
    return f"{criterion.metric.value.replace('_', ' ')}{of} {criterion.comparison.value} {limit(criterion)}"


def asked(criterion: Criterion) -> Message:
    """Metric and threshold as a person reads them: "availability > 99.5 %"; of a rollback limit, when it fires."""
    comparison = "≥" if criterion.comparison is Comparison.AT_LEAST else criterion.comparison.value
    return message(
        "{metric} {comparison} {limit}", metric=about(criterion), comparison=comparison, limit=limit_quantity(criterion)
    )


def about(criterion: Criterion) -> Message:
    """What a criterion is about: "latency p95 of get_walk"."""
    metric = Message(text=METRIC[criterion.metric])
    if criterion.asks is not usual_sample(criterion.metric):
        metric = Message(text=_WHOSE[criterion.asks], values={"metric": metric})
    if criterion.operation is not None:
        metric = message("{metric} of {operation}", metric=metric, operation=criterion.operation)
    if criterion.step_s is not None:
        metric = message("{metric} in the step from {at} s", metric=metric, at=f"{criterion.step_s:g}")
    return metric


def limit_quantity(criterion: Criterion) -> str | Message:
    """The criterion's threshold, for a message."""
    return worded(as_written(criterion.threshold, criterion.unit), criterion.unit)


def bounded(criterion: Criterion, bound: float, *, upper: bool) -> Message:
    """What a bound says, with the threshold it is held against."""
    shown = worded(beside(bound, criterion.threshold, criterion.unit), criterion.unit)
    if upper:
        return message(
            "at most {bound} with 95 % confidence, limit {limit}", bound=shown, limit=limit_quantity(criterion)
        )
    return message("at least {bound} with 95 % confidence, limit {limit}", bound=shown, limit=limit_quantity(criterion))


def judged_by_value(criterion: Criterion, value: float) -> Message:
    """Says that the measured value decides, with the threshold it is held against."""
    shown = worded(beside(value, criterion.threshold, criterion.unit), criterion.unit)
    return message("measured {value}, limit {limit}", value=shown, limit=limit_quantity(criterion))

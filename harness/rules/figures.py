"""A metric measured on a sample: its value, both bounds, and the words for it. Definitions: docs/judging.md#metrics."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.base.units import Unit
from harness.model.message import Message, gettext_noop
from harness.model.scenario import QUANTILE, Comparison, Criterion, Metric, Sample
from harness.rules.bounds import nearest_rank, quantile_bounds, ratio_lower, ratio_upper
from harness.rules.ledger import NO_OPERATION, OPERATIONS, Calls, those
from harness.rules.planned import MISSING
from harness.rules.sentences import beside, count

MS = 1_000_000

#: The metrics whose evidence is a sample with a bound; the others are exact counts over the window.
SAMPLED = frozenset({Metric.ERROR_RATIO, Metric.AVAILABILITY, *QUANTILE})

_FAILED = {
    Sample.PROBES: gettext_noop("{failed} of {total} probes failed"),
    Sample.USERS: gettext_noop("{failed} of {total} requests failed"),
}
_MEASURED = {
    Metric.LATENCY_P50: gettext_noop("p50 of {samples} requests {value}"),
    Metric.LATENCY_P95: gettext_noop("p95 of {samples} requests {value}"),
    Metric.LATENCY_P99: gettext_noop("p99 of {samples} requests {value}"),
}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """``value`` in the metric's unit, and what the true value is at least and at most, each with 95 % confidence.

    A bound is ``None`` when the sample is too small to have one. An exact figure is its own bound.
    """

    value: float
    lower: float | None
    upper: float | None
    samples: int
    words: Message


def latencies_ms(rows: Calls) -> NDArray[np.float64]:
    """From when each request was due to when it ended, however it ended, in milliseconds, unsorted; of one that is due
    and not in evidence without end.
    """
    latency: NDArray[np.float64] = np.where(rows["status"] == MISSING, np.inf, (rows["done_ns"] - rows["due_ns"]) / MS)
    return latency


def of_operation(criterion: Criterion, rows: Calls) -> Calls:
    """Those of ``rows`` that the criterion is about: all, or of its operation and of no operation that is known."""
    if criterion.operation is None:
        return rows
    chosen: Calls = rows[np.isin(rows["operation"], (OPERATIONS[criterion.operation], NO_OPERATION))]
    return chosen


def bad_calls(criterion: Criterion, rows: Calls) -> NDArray[np.bool_]:
    """By row: whether it speaks against the criterion."""
    if criterion.metric in QUANTILE:
        slow: NDArray[np.bool_] = latencies_ms(rows) > criterion.threshold
        return slow
    return ~rows["ok"]


def counting(criterion: Criterion, rows: Calls) -> NDArray[np.bool_]:
    """By row: whether it belongs to the criterion's sample.

    A request that failed sooner than the limit on latency says nothing of how long an answer takes: in the sample it
    would make the others look faster.
    """
    if criterion.metric in QUANTILE:
        return rows["ok"] | bad_calls(criterion, rows)
    return np.ones(len(rows), dtype=bool)


def figure(criterion: Criterion, rows: Calls) -> Figure | None:
    """The criterion's figure on its sample of the requests or probes ``rows``; ``None`` when that is empty."""
    quantile = criterion.metric in QUANTILE
    if quantile:  # of any other metric every row counts
        rows = those(rows, counting(criterion, rows))
    if not len(rows):
        return None
    if quantile:
        return _quantile(criterion, rows)
    return _ratio(criterion, int(np.count_nonzero(~rows["ok"])), len(rows))


def _ratio(criterion: Criterion, failed: int, total: int) -> Figure:
    events = total - failed if criterion.metric is Metric.AVAILABILITY else failed
    return Figure(
        value=events / total,
        lower=ratio_lower(events, total),
        upper=ratio_upper(events, total),
        samples=total,
        words=Message(text=_FAILED[criterion.asks], values={"failed": count(failed), "total": count(total)}),
    )


def _quantile(criterion: Criterion, rows: Calls) -> Figure:
    metric, ascending = criterion.metric, np.sort(latencies_ms(rows))
    lower, upper = quantile_bounds(ascending, QUANTILE[metric])
    value = float(ascending[nearest_rank(len(ascending), QUANTILE[metric]) - 1])
    return Figure(
        value=value,
        lower=lower,
        upper=upper,
        samples=len(ascending),
        words=Message(
            text=_MEASURED[metric],
            values={"samples": count(len(ascending)), "value": beside(value, criterion.threshold, Unit.MILLISECONDS)},
        ),
    )


def clears(comparison: Comparison, value: float, threshold: float) -> bool:
    """Whether ``value`` stands in the comparison's relation to ``threshold``, exactly."""
    if comparison is Comparison.ABOVE:
        return value > threshold
    if comparison is Comparison.BELOW:
        return value < threshold
    return value >= threshold

"""The SQL that reproduces a criterion's value from ``evidence.sqlite``, to be read and run by whoever doubts it.

Numbers are the judge's own: rows count by when they were due in the window, and only those that were known when the
decision was made (``seq`` numbers the rows of the whole run in the order in which they arrived). A rollback limit that
fired is read on the answers up to the one that broke it: the first ``samples`` in the order of the answers.
"""

from __future__ import annotations

import math

from harness.model.evidence import Side
from harness.model.run import Run, WindowSummary
from harness.model.scenario import Metric
from harness.model.verdict import CriterionResult

NS = 1_000_000_000

_KNOWN = "seq < (SELECT COALESCE(MIN(seq), 9e18) FROM events WHERE kind = 'decision')"

_SAMPLE = """\
WITH sample AS (
  SELECT outcome, latency_ms FROM {table}
  WHERE {only}due_ns >= {start} AND due_ns < {end}
    AND {known}
  ORDER BY done_ns, seq
  LIMIT {samples}
)
"""

_SHARE = "SELECT 1.0 * SUM(outcome {which} 'ok') / COUNT(*) AS value, COUNT(*) AS samples FROM sample;"

_P95 = """\
SELECT latency_ms AS value, (SELECT COUNT(*) FROM sample) AS samples FROM sample
ORDER BY latency_ms LIMIT 1 OFFSET {rank};"""

_RATE = """\
SELECT COUNT(*) / {seconds} AS value, COUNT(*) AS samples FROM requests
WHERE side = 'api' AND outcome = 'ok' AND done_ns >= {start} AND done_ns < {end}
  AND {known};"""

_USERS = """\
WITH live AS (
  SELECT user FROM sessions AS began
  WHERE live AND at_ns <= {start}
    AND NOT EXISTS (
      SELECT 1 FROM sessions AS ended
      WHERE ended.user = began.user AND NOT ended.live AND ended.at_ns >= began.at_ns AND ended.at_ns < {end}
    )
), good AS (
  SELECT user, done_ns, LAG(done_ns) OVER (PARTITION BY user ORDER BY done_ns) AS before FROM requests
  WHERE side = 'api' AND outcome = 'ok' AND done_ns >= {start} AND done_ns < {end}
    AND {known}
), served AS (
  SELECT user FROM good WHERE user IN (SELECT user FROM live) GROUP BY user
  HAVING MIN(done_ns) - {start} < {stretch} AND {end} - MAX(done_ns) <= {stretch}
    AND COALESCE(MAX(done_ns - before), 0) <= {stretch}
)
SELECT COUNT(*) AS value FROM served;"""


def window_of(run: Run) -> WindowSummary | None:
    """The window that the criteria were judged on; ``None`` when the run broke before it began."""
    return next((window for window in run.windows if window.side == Side.API), None)


def value_query(run: Run, criterion: CriterionResult, *, stretch_s: float) -> str | None:
    """SQL whose first column is ``criterion.value``; ``None`` where there was nothing to measure.

    ``stretch_s`` is the scenario's ``good_answer_every_s``.
    """
    window = window_of(run)
    if window is None or criterion.value is None:
        return None
    span = {"start": window.start_ns, "end": window.end_ns, "known": _KNOWN}
    if criterion.metric == Metric.REQUEST_RATE:
        return _RATE.format(seconds=repr((window.end_ns - window.start_ns) / NS), **span)
    if criterion.metric == Metric.CONCURRENT_USERS:
        return _USERS.format(stretch=round(stretch_s * NS), **span)
    probes = criterion.metric == Metric.AVAILABILITY
    sample = _SAMPLE.format(
        table="probes" if probes else "requests",
        only="" if probes else "side = 'api' AND ",
        samples=criterion.samples,
        **span,
    )
    if criterion.metric == Metric.LATENCY_P95:
        return sample + _P95.format(rank=max(0, math.ceil(0.95 * criterion.samples) - 1))
    if criterion.metric in {Metric.ERROR_RATIO, Metric.AVAILABILITY}:
        return sample + _SHARE.format(which="=" if probes else "<>")
    return None

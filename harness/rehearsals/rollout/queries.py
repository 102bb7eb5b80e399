"""The SQL that reproduces a criterion's value from ``evidence.sqlite``, to be read and run by whoever doubts it.

Numbers are the judge's own: rows count by when they were due in the window, and only those that were known when the
decision was made (``seq`` numbers the rows of the whole run in the order in which they arrived). A rollback limit that
fired is read on the answers up to the one that broke it: the first ``samples`` in the order of the answers.
"""

from __future__ import annotations

from harness.base.ticks import NS
from harness.model.judgement import Judgement
from harness.model.scenario import QUANTILE, Criterion, Metric, Sample
from harness.rules.bounds import nearest_rank
from harness.rules.ledger import MOST_RETRIED
from harness.rules.window import Window

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

_QUANTILE = """\
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

_COUNTED = """\
WITH counted AS (
  SELECT seq, user, side, operation, due_ns, done_ns, latency_ms, CASE WHEN retried AND (
    SELECT SUM(retried) > {most} * MAX({of}, COUNT(*)) FROM requests WHERE side = 'api' AND {within}
  ) THEN 'retried' ELSE outcome END AS outcome FROM requests
)"""


def as_counted(query: str, window: Window, rows: int, of: int) -> str:
    """The query of a run that sent requests twice, which are failures where they are too many of the ``of`` that are
    due in the whole window."""
    within = f"due_ns >= {window.start_ns} AND due_ns < {window.end_ns} AND seq <= {rows}"
    joined = ", " if query.startswith("WITH ") else "\n"
    query = query.removeprefix("WITH ").replace("FROM requests", "FROM counted")
    return _COUNTED.format(most=MOST_RETRIED, of=of, within=within) + joined + query


def value_query(criterion: Criterion, judged: Judgement, window: Window, *, rows: int, stretch_s: float) -> str:
    """SQL whose first column is ``judged.value``; "" where there was nothing to measure.

    ``rows`` is how many rows there were when it was judged, ``stretch_s`` the scenario's ``good_answer_every_s``.
    """
    if judged.value is None:
        return ""
    span = {"start": window.start_ns, "end": window.end_ns, "known": f"seq <= {rows}"}
    if criterion.metric == Metric.REQUEST_RATE:
        return _RATE.format(seconds=repr((window.end_ns - window.start_ns) / NS), **span)
    if criterion.metric == Metric.CONCURRENT_USERS:
        return _USERS.format(stretch=round(stretch_s * NS), **span)
    probes = criterion.asks is Sample.PROBES
    only = "" if probes else "side = 'api' AND "
    only += f"operation = '{criterion.operation}' AND " if criterion.operation else ""
    if criterion.metric in QUANTILE:  # what failed sooner than the limit says nothing of how long an answer takes
        only += f"(outcome = 'ok' OR latency_ms > {criterion.threshold!r}) AND "
    sample = _SAMPLE.format(
        table="probes" if probes else "requests",
        only=only,
        samples=judged.samples,
        **span,
    )
    if criterion.metric in QUANTILE:
        rank = nearest_rank(max(1, judged.samples), QUANTILE[criterion.metric]) - 1
        return sample + _QUANTILE.format(rank=rank)
    return sample + _SHARE.format(which="=" if criterion.metric is Metric.AVAILABILITY else "<>")

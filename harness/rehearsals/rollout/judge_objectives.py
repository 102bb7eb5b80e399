"""The document's objectives (SLO定義) by the window of a week that has everybody on the API: the judge's own criteria,
and how fast that window burns the budget. Pure. Nothing of it gates the week, whose criteria are the rollout table's.

A window is minutes, and the objectives are of 30 and 7 days: each reason says so first. What a bound of minutes proves
holds for minutes: kept that long, an objective was not exercised; broken, it is broken. By the burn rate one sees what
the month would be at that rate.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from harness.base.units import DAY_S
from harness.judge.figures import bad_calls, counting
from harness.judge.judge import judge
from harness.judge.ledger import Ledger
from harness.judge.view import View
from harness.judge.window import Window
from harness.model.due import DueList
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, message
from harness.model.scenario import Comparison, Criterion, Metric, Scenario
from harness.model.verdict import Verdict
from harness.objectives.budget import AVAILABILITY, MONTH_DAYS, burn_rate, line, spent

_WEEK_DAYS = 7


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """An objective: at least ``target`` of the events are good over ``days``; ``criterion`` says it of a window."""

    target: float
    days: int
    criterion: Criterion


def _promised(claim: str, metric: Metric, comparison: Comparison, threshold: float, target: float) -> Promised:
    criterion = Criterion(
        id=claim, claim=claim, kind=Kind.CRITERION, metric=metric, comparison=comparison, threshold=threshold
    )  # fmt: skip
    days = MONTH_DAYS if metric is Metric.AVAILABILITY else _WEEK_DAYS
    return Promised(target=target, days=days, criterion=criterion)


PROMISED = (
    _promised("slo.availability", Metric.AVAILABILITY, Comparison.ABOVE, AVAILABILITY, AVAILABILITY),
    _promised("slo.latency_p95", Metric.LATENCY_P95, Comparison.BELOW, 500.0, 0.95),
    _promised("slo.error_ratio", Metric.ERROR_RATIO, Comparison.BELOW, 0.01, 0.99),
)


def objectives(plan: Scenario, ledger: Ledger, window: Window, at_ns: int, due: DueList) -> Iterator[Judgement]:
    """Each objective of a week in which everybody is on the API and nothing is broken on purpose; none of another. By
    the part of ``window`` that had passed at ``at_ns``: a roll back ends it early."""
    if plan.population.flag_on != plan.population.users or plan.faults:
        return
    asked = msgspec.structs.replace(plan, criteria=tuple(each.criterion for each in PROMISED))
    view = View(asked, ledger, window, at_ns, due)
    for promised, found in zip(PROMISED, judge(asked, ledger, window, at_ns, due=due), strict=True):
        rows = view.calls(promised.criterion)
        rows = rows[counting(promised.criterion, rows)]
        bad = int(np.count_nonzero(bad_calls(promised.criterion, rows)))
        verdict = Verdict.NOT_EXERCISED if _kept_in_part(promised, found, view.window) else found.verdict
        cost = (line(spent(bad, len(rows), view.window.seconds)),)
        yield msgspec.structs.replace(
            found, kind=Kind.CHECK, gates=False, verdict=verdict,
            told=(_burning(promised, bad, len(rows), view.window), *found.told),
            notes=cost if promised.criterion.metric is Metric.AVAILABILITY else (),
        )  # fmt: skip


def _kept_in_part(promised: Promised, found: Judgement, window: Window) -> bool:
    """Whether it was kept in a window that is shorter than its own, and so is not known to be kept in that."""
    return found.verdict is Verdict.PASS and window.seconds < promised.days * DAY_S


def _burning(promised: Promised, bad: int, of: int, window: Window) -> Message:
    minutes = f"{window.seconds / 60:.1f}"
    if not of:
        return message("of {minutes} minutes, not of {days} days", minutes=minutes, days=str(promised.days))
    return message(
        "of {minutes} minutes, not of {days} days: the budget burned {burn} times as fast as it may",
        minutes=minutes,
        days=str(promised.days),
        burn=f"{burn_rate(bad / of, promised.target):.2g}",
    )

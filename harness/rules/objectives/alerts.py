"""The document's four alerts (SLO定義/list 1, list 2) as written: each is a share of bad events over a window.

What the document leaves open is decided here and said in each alert's ``decided``: no window is named for the
availability and the budgets (the objectives' own are taken), nor over what the p95 and the error ratio are measured
before they are held for 10 and 5 minutes (one minute: four scrapes, and well below what is held).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from harness.base.units import DAY_S
from harness.rules.objectives.sloth import Objective

RATE_WINDOW_S = 60.0
#: The requests that count: those of the API's own routes, not health checks.
ROUTES = 'route=~"/v1/.*"'
LATENCY = "http_request_duration_seconds_bucket"
P95 = 0.95
FAILED = 'status=~"5..|429|0"'  # 0: nothing was answered, where who counts can see that


class Route(StrEnum):
    """Whom an alert reaches."""

    SLACK = "slack"
    EMAIL = "email"
    PAGERDUTY = "pagerduty"


class Urgency(msgspec.Struct, frozen=True):
    """Of a burn-rate alert: its label ``severity``, and whom it reaches."""

    severity: str
    routes: tuple[Route, ...]


#: By whether it pages.
BURN_URGENCY = {True: Urgency("critical", (Route.PAGERDUTY, Route.SLACK)), False: Urgency("warning", (Route.SLACK,))}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert: ``expr`` holds while the bad share over ``window_s`` is above ``limit``; it fires after ``for_s``."""

    name: str
    claim: str
    quotation: str
    expr: str
    limit: float
    window_s: float
    for_s: float
    routes: tuple[Route, ...]
    severity: str
    summary: str
    decided: str = ""
    objective: str = ""


def promql_duration(seconds: float) -> str:
    """Such as ``30d``, ``1m``, ``250ms``."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{round(seconds * 1000)}ms"


def latency_expr(window_s: float, quantile: float = P95, series: str = f"{LATENCY}{{{ROUTES}}}") -> str:
    """The ``quantile`` of each job's requests over ``window_s``, in seconds: the p95, unless told otherwise."""
    return f"histogram_quantile({quantile:g}, sum by (job, le) (rate({series}[{promql_duration(window_s)}])))"


def error_expr(window_s: float, limit: float) -> str:
    """The failed share of each job's requests over ``window_s``, above ``limit``."""
    window = promql_duration(window_s)
    failed = f"sum by (job) (rate(http_requests_total{{{ROUTES},{FAILED}}}[{window}]))"
    return f"{failed}\n/\nsum by (job) (rate(http_requests_total{{{ROUTES}}}[{window}]))\n> {limit:g}"


def four(objectives: Sequence[Objective], scale: float = 1.0) -> Iterator[Alert]:
    """The alerts, that of the budget once for each objective. ``scale`` divides minutes, never the days' windows."""
    minute_s = RATE_WINDOW_S / scale
    available = next(each for each in objectives if each.name == "availability")
    window_s = available.days * DAY_S
    yield Alert(
        name="AvailabilityBelow99_5Percent",
        claim="alert.availability",
        quotation="可用性 < 99.5% → Slack通知 + メール",
        expr=f"1 -\n{available.bad_over(f'{available.days}d')}\n< 0.995",
        limit=0.005,
        window_s=window_s,
        for_s=0.0,
        routes=(Route.SLACK, Route.EMAIL),
        severity="warning",
        summary="availability over 30 days is below 99.5 %",
        decided="over the objective's 30 days: the document names no window",
        objective=available.name,
    )
    yield Alert(
        name="LatencyP95Above600ms",
        claim="alert.latency_p95",
        quotation="p95レイテンシ > 600ms （10分継続）→ Slack通知",
        expr=f"{latency_expr(minute_s)} > 0.6",
        limit=0.05,
        window_s=minute_s,
        for_s=600.0 / scale,
        routes=(Route.SLACK,),
        severity="warning",
        summary="p95 latency is above 600 ms",
        decided="p95 over one minute: the document says how long it lasts, not over what it is measured",
    )
    yield Alert(
        name="ErrorRateAbove3Percent",
        claim="alert.error_ratio",
        quotation="エラー率 > 3% （5分継続）→ PagerDuty + Slack",
        expr=error_expr(minute_s, 0.03),
        limit=0.03,
        window_s=minute_s,
        for_s=300.0 / scale,
        routes=(Route.PAGERDUTY, Route.SLACK),
        severity="critical",
        summary="more than 3 % of requests fail",
        decided="over one minute; failed: 5xx and 429, and whatever was not answered where that is counted",
    )
    for objective in objectives:
        yield Alert(
            name="ErrorBudgetAbove80Percent",
            claim="alert.error_budget",
            quotation="Error Budget消費率 > 80% → Slack警告",
            expr=f"({objective.bad_over(f'{objective.days}d')}) / {objective.budget:g} > 0.8",
            limit=round(0.8 * objective.budget, 12),
            window_s=objective.days * DAY_S,
            for_s=0.0,
            routes=(Route.SLACK,),
            severity="warning",
            summary=f"more than 80 % of the error budget of {objective.name} is spent",
            decided="of each objective, over its own window",
            objective=objective.name,
        )

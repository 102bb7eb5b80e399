"""The rule of prometheus-adapter in Prometheus' own evaluation: the p95 of the alert, 0 when nobody asks, else nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.rules.objectives.alerts import RATE_WINDOW_S, four, latency_expr
from harness.rules.objectives.files import defined
from harness.rules.objectives.render import external_metrics
from harness.stack.kind.images import binaries
from tests.objectives import promtool

STEP_S = 15
SERIES = 'http_request_duration_seconds_bucket{job="tekutoko-api",namespace="%s",route="%s",le="%s"}'
(RULE,) = external_metrics()["externalRules"]


def counted(namespace: str, route: str, quick: int, all_of_them: int) -> list[dict[str, str]]:
    """Two minutes of requests, quick within 0.5 s and the others within a second; two without any; then no scrape."""
    return [
        {"series": SERIES % (namespace, route, bound), "values": f"0+{each}x8 {8 * each}x8 _x20"}
        for bound, each in (("0.5", quick), ("1", all_of_them), ("+Inf", all_of_them))
    ]


def test_it_is_the_alert_s_figure() -> None:
    alert = next(each for each in four(defined()) if each.claim == "alert.latency_p95")
    figure = latency_expr(RATE_WINDOW_S)
    assert alert.expr == f"{figure} > 0.6"
    assert RULE["metricsQuery"].replace(",<<.LabelMatchers>>", "").startswith(f"{figure} >= 0\n")
    assert RULE["seriesQuery"] in figure


@pytest.mark.process
def test_what_prometheus_makes_of_it(tmp_path: Path) -> None:
    """Of this namespace and of the API's own routes alone."""
    asyncio.run(binaries.ensure(binaries.PROMETHEUS, print, only=("promtool",)))
    expr = RULE["metricsQuery"].replace("<<.LabelMatchers>>", 'namespace="here"')
    assert "<<" not in expr
    moments = {120: [0.75], 240: [0.0], 420: []}
    case = {
        "interval": f"{STEP_S}s",
        "input_series": [
            *counted("here", "/v1/walks", 90, 100),
            *counted("here", "/health", 0, 9000),
            *counted("elsewhere", "/v1/walks", 0, 9000),
        ],
        "promql_expr_test": [
            {
                "expr": f"round({expr}, 0.001)",
                "eval_time": f"{at_s}s",
                "exp_samples": [{"labels": '{job="tekutoko-api"}', "value": value} for value in expected],
            }
            for at_s, expected in moments.items()
        ],
    }
    assert promtool.said(tmp_path, {"tests": [case]}) == ""

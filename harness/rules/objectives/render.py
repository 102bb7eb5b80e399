"""What is rendered of the objectives and alerts: Prometheus rules, Cloud Monitoring policies, a Grafana dashboard.

As plain data; ``rendered.py`` has the files of it. The burn-rate rules are Sloth's own (``deploy/monitoring``).

The files below ``deploy/monitoring`` that are ours to render, as text.
Rules that Sloth rendered, with a digest of what they were rendered of: whether they are of the objectives as these
now are is known without Sloth, a program that has to be built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base import yamltext
from harness.base.yamltext import written
from harness.rules.objectives.alerts import (
    BURN_URGENCY,
    LATENCY,
    RATE_WINDOW_S,
    ROUTES,
    Alert,
    error_expr,
    four,
    latency_expr,
    promql_duration,
)
from harness.rules.objectives.files import BLACKBOX, by_blackbox, defined
from harness.rules.objectives.sloth import BURNS, Burn, Objective

RULES = "prometheus/rules"


def _json(data: Any) -> str:
    return (msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n").decode()


def rendered() -> dict[str, str]:
    """The text of each by its path below ``deploy/monitoring``; below ``blackbox`` of those that are otherwise where
    blackbox exporter probes. Raises ``BadInput``."""
    found = _rendered(defined())
    other = {name: text for name, text in _rendered(by_blackbox()).items() if text != found[name]}
    return found | {f"{BLACKBOX.name}/{name}": text for name, text in other.items()}


def _rendered(known: Sequence[Objective]) -> dict[str, str]:
    alerts = tuple(four(known))
    policies = [policy(alert) for alert in alerts]
    policies += [burn_policy(each, pages=pages) for each in known for pages in (True, False)]
    return {
        f"{RULES}/as-written.yaml": MADE + written(rules(alerts)),
        "prometheus-adapter/config.yaml": MADE + written(external_metrics()),
        "grafana/objectives.json": _json(dashboard(known)),
        **{f"cloud-monitoring/{policy['displayName'].rpartition('/')[2]}.json": _json(policy) for policy in policies},
    }


MADE = "# Made by `python -m harness.cli.monitoring`. Change deploy/monitoring/slo or harness/rules/objectives.\n"


def windows_of(objectives: Path) -> Path:
    """The burn-rate windows of a file ``slo/<days>d/NAME.yaml``; Sloth's own where there is no such file."""
    return objectives.parents[1] / "windows" / f"{objectives.parent.name}.yaml"


def sealed(objectives: Path, sloth_version: str, rules: str) -> str:
    """The rules behind a line that names their file of objectives and holds a digest of these, their windows, Sloth's
    version and the rules: a change of any of them alone gives another line. Comments do not count."""
    sources = [each for each in (objectives, windows_of(objectives)) if each.exists()]
    read = [[data for data, _ in yamltext.documents(yamltext.read(each), str(each))] for each in sources]
    facts = [sloth_version.encode(), msgspec.json.encode(read, order="sorted"), rules.encode()]
    digest = hashlib.sha256(b"".join(hashlib.sha256(fact).digest() for fact in facts)).hexdigest()[:16]
    return f"{MADE.strip()} slo/{objectives.parent.name}/{objectives.name} {digest}\n{rules}"


def unsealed(text: str) -> str:
    """The rules as Sloth wrote them."""
    return text.partition("\n")[2]


GROUP = "tekutoko-as-written"
EVALUATION_S = 15.0
#: 5. HPA設定/code 1. The document leaves its unit open; it is the second here, of which ``500m`` is half a one.
EXTERNAL_P95 = "custom.googleapis.com|request_latency_p95"
_CLOUD_SEVERITY = {"critical": "CRITICAL", "warning": "WARNING"}
#: Cloud Monitoring evaluates no more often.
_CLOUD_EVALUATION_S = 30
_WIDTH, _HEIGHT = 12, 8
_PERCENTILES = (0.5, 0.95, 0.99)
#: The platform's own: the pods by their Deployment's name; cAdvisor's counters may come once a minute.
_DEPLOYMENT, _PODS, _CPU_WINDOW = 'deployment="tekutoko-api"', 'pod=~"tekutoko-api-.+"', "5m"


def rules(alerts: Iterable[Alert], every_s: float = EVALUATION_S) -> dict[str, Any]:
    """The Prometheus rules of the alerts as written. The label ``routes`` says whom Alertmanager tells."""
    return {"groups": [{"name": GROUP, "interval": promql_duration(every_s), "rules": [_rule(a) for a in alerts]}]}


def _rule(alert: Alert) -> dict[str, Any]:
    held = {"for": promql_duration(alert.for_s)} if alert.for_s else {}
    objective = {"objective": alert.objective} if alert.objective else {}
    # Such as ``pagerduty,slack``: what Alertmanager's routes match
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **held,
        "labels": {"severity": alert.severity, "routes": ",".join(sorted(alert.routes)), **objective},
        "annotations": {"summary": alert.summary, "document": alert.quotation, "decided": alert.decided},
    }


def policy(alert: Alert) -> dict[str, Any]:
    """The Cloud Monitoring alert policy (``projects.alertPolicies``) of an alert as written. ``${...}`` is to be filled
    in: the project, and the channels that a person makes."""
    return _policy(
        alert.name + (f"-{alert.objective}" if alert.objective else ""),
        alert.expr,
        alert.for_s,
        alert.severity,
        routes=alert.routes,
        told=f"{alert.summary}. The document: {alert.quotation}. Decided here: {alert.decided}.",
    )


def burn_policy(objective: Objective, *, pages: bool) -> dict[str, Any]:
    """The policy of an objective's burn-rate alert, which corrects an alert without a window."""
    burns = [burn for burn in BURNS[objective.days] if burn.pages is pages]
    held = "\nor\n".join(f"({burning(objective, burn)})" for burn in burns)
    told = " or ".join(f"{burn.rate(objective.days):g}x over {promql_duration(burn.long_s)}" for burn in burns)
    kind, urgency = "Page" if pages else "Ticket", BURN_URGENCY[pages]
    said = f"The error budget of {objective.name} burns {told}. {objective.description}."
    name = f"{objective.name.capitalize()}BudgetBurns-{kind}"
    return _policy(name, held, 0.0, urgency.severity, routes=urgency.routes, told=said)


def burning(objective: Objective, burn: Burn) -> str:
    """PromQL: the budget burns too fast over both of the windows."""
    limit = f"{burn.rate(objective.days) * objective.budget:.6g}"
    long_, short = promql_duration(burn.long_s), promql_duration(burn.short_s)
    return f"{objective.bad_over(long_)}\n> {limit}\nand\n{objective.bad_over(short)}\n> {limit}"


def _policy(name: str, query: str, for_s: float, severity: str, *, routes: Iterable[str], told: str) -> dict[str, Any]:
    return {
        "displayName": f"{GROUP}/{name}",
        "documentation": {"content": told, "mimeType": "text/markdown"},
        "userLabels": {"service": "tekutoko-api"},
        "combiner": "OR",
        "severity": _CLOUD_SEVERITY[severity],
        "conditions": [
            {
                "displayName": name,
                "conditionPrometheusQueryLanguage": {
                    "query": query,
                    "duration": f"{for_s:g}s",
                    "evaluationInterval": f"{_CLOUD_EVALUATION_S}s",
                    "ruleGroup": GROUP,
                    "alertRule": name.partition("-")[0],
                },
            }
        ],
        "notificationChannels": [
            f"projects/${{PROJECT_ID}}/notificationChannels/${{CHANNEL_{route.upper()}}}" for route in sorted(routes)
        ],
        "alertStrategy": {"autoClose": "1800s"},
    }


def dashboard(objectives: Sequence[Objective]) -> dict[str, Any]:
    """The Grafana dashboard: the document's five indicators, and the budget and burn rate of each objective."""
    window = promql_duration(RATE_WINDOW_S)
    quantiles = [(f"p{quantile * 100:g}", latency_expr(RATE_WINDOW_S, quantile)) for quantile in _PERCENTILES]
    failed = error_expr(RATE_WINDOW_S, 0).removesuffix("\n> 0")
    by_status = f"sum by (status) (rate(http_requests_total{{{ROUTES}}}[{window}]))"
    panels = [
        ("Latency (limit 500 ms, alert 600 ms)", "s", quantiles),
        ("Failed share (limit 1 %, alert 3 %)", "percentunit", [("{{job}}", failed)]),
        ("Requests per second by status", "reqps", [("{{status}}", by_status)]),
        ("Requests in flight", "short", [("{{instance}}", "http_requests_in_flight")]),
        ("CPU of each pod, of its requests (HPA 70 %)", "percentunit", [("{{pod}}", _used("cpu"))]),
        ("Memory of each pod, of its requests (HPA 80 %)", "percentunit", [("{{pod}}", _used("memory"))]),
        (
            "Replicas",
            "short",
            [
                ("wanted", f"kube_deployment_spec_replicas{{{_DEPLOYMENT}}}"),
                ("available", f"kube_deployment_status_replicas_available{{{_DEPLOYMENT}}}"),
            ],
        ),
    ]
    for each in objectives:
        left = f'slo:period_error_budget_remaining:ratio{{sloth_id="{each.id}"}}'
        burn = f'slo:current_burn_rate:ratio{{sloth_id="{each.id}"}}'
        panels.append((f"Budget left of {each.name}, {each.days} days", "percentunit", [(each.name, left)]))
        panels.append((f"Burn rate of {each.name}", "short", [(each.name, burn)]))
    return {
        "title": "TekuToko API: objectives",
        "uid": "tekutoko-objectives",
        "schemaVersion": 39,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(number, *panel) for number, panel in enumerate(panels)],
    }


def _used(resource: str) -> str:
    """The share of what each pod requests that it uses, as the HPA reckons it: by cAdvisor and kube-state-metrics."""
    containers = f'{{{_PODS},container!=""}}'
    used = {
        "cpu": f"rate(container_cpu_usage_seconds_total{containers}[{_CPU_WINDOW}])",
        "memory": f"container_memory_working_set_bytes{containers}",
    }
    requested = f'kube_pod_container_resource_requests{{{_PODS},resource="{resource}"}}'
    return f"sum by (pod) ({used[resource]})\n/\nsum by (pod) ({requested})"


def external_metrics() -> dict[str, Any]:
    """prometheus-adapter's rules: the p95 of the alert, in seconds, by the name that the document's HPA asks for.

    0 while there is no request, of which Prometheus' quantile is no number; absent where nothing is scraped, and then
    the HPA takes no pod away.
    """
    series = f"{LATENCY}{{{ROUTES},<<.LabelMatchers>>}}"
    requests = f"sum by (job) (rate({series}[{promql_duration(RATE_WINDOW_S)}]))"
    return {
        "externalRules": [
            {
                "seriesQuery": f"{LATENCY}{{{ROUTES}}}",
                "resources": {"overrides": {"namespace": {"resource": "namespace"}}},
                "name": {"as": EXTERNAL_P95},
                "metricsQuery": f"{latency_expr(RATE_WINDOW_S, series=series)} >= 0\nor\n0 * {requests}",
            }
        ]
    }


def _panel(number: int, title: str, unit: str, queries: Sequence[tuple[str, str]]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": number % 2 * _WIDTH, "y": number // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expr, "legendFormat": legend, "datasource": source}
            for index, (legend, expr) in enumerate(queries)
        ],
    }

"""Two folders of a team's own, in both formats: one with faults, one without; and what a drill's course is to them."""

from __future__ import annotations

from pathlib import Path

RIGHT_RULES = """\
groups:
  - name: api
    interval: 15s
    rules:
      - record: job:http_errors:share1m
        expr: >-
          sum by (job) (rate(http_requests_total{status=~"5..|429"}[1m]))
          / sum by (job) (rate(http_requests_total[1m]))
      - alert: ErrorsAbove3Percent
        expr: job:http_errors:share1m > 0.03
        for: 5m
      - alert: Slow
        expr: histogram_quantile(0.95, sum by (job, le) (rate(http_request_duration_seconds_bucket[1m]))) > 0.6
        for: 10m
"""
RIGHT_POLICY = """\
displayName: Outside
combiner: OR
conditions:
  - displayName: probes fail
    conditionPrometheusQueryLanguage:
      query: |
        sum(rate(availability_probes_total{outcome="bad"}[5m])) / sum(rate(availability_probes_total[5m])) > 0.2
      duration: 60s
      evaluationInterval: 30s
notificationChannels: [projects/p/notificationChannels/1]
"""
#: Three faults: a value and a label that nobody emits, a metric that does not exist.
WRONG_RULES = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups:
    - name: api
      rules:
        - alert: Errors
          expr: sum(rate(http_requests_total{status="5xx"}[1m])) > 0.03
          for: 5m
        - alert: Label
          expr: sum(rate(http_requests_total{code="500"}[1m])) / sum(rate(http_requests_total[1m])) > 0.2
"""
WRONG_POLICY = """\
{
  "displayName": "Metric",
  "combiner": "OR",
  "conditions": [
    {
      "displayName": "misspelt",
      "conditionPrometheusQueryLanguage": {
        "query": "sum(rate(http_request_total[1m])) > 100",
        "duration": "60s"
      }
    }
  ],
  "notificationChannels": ["projects/p/notificationChannels/1"]
}
"""
#: By file and line what is told first.
WRONG = {
    "policy.json:8": "nobody emits the metric http_request_total; there is http_requests_total",
    "rules.yaml:7": 'no series of http_requests_total has status="5xx"',
    "rules.yaml:10": "no series of http_requests_total has the label code",
}


def right(folder: Path) -> Path:
    """Made there."""
    return _written(folder, {"rules.yaml": RIGHT_RULES, "policies/outside.yml": RIGHT_POLICY, "README.md": "# Ours"})


def wrong(folder: Path) -> Path:
    """Made there."""
    return _written(folder, {"rules.yaml": WRONG_RULES, "policy.json": WRONG_POLICY})


def _written(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder

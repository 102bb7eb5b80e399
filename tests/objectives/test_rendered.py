"""What is rendered of the objectives is current, and says what the document says."""

from __future__ import annotations

import pytest

from harness.base.data import MONITORING
from harness.cli.monitoring import RULES, rendered
from harness.objectives.alerts import four, promql_duration
from harness.objectives.files import defined


@pytest.mark.parametrize("name", sorted(rendered()))
def test_the_file_is_current(name: str) -> None:
    """``python -m harness.cli.monitoring`` writes it."""
    assert (MONITORING / name).read_text() == rendered()[name]


def test_nothing_else_lies_there() -> None:
    """A policy of an alert that was renamed would stay."""
    made = {*rendered(), *(f"{RULES}/{path.name}" for path in MONITORING.glob("slo/*d/*.yaml"))}
    folders = ("cloud-monitoring", "grafana", "prometheus-adapter", RULES)
    there = {str(path.relative_to(MONITORING)) for folder in folders for path in (MONITORING / folder).iterdir()}
    assert there == made


def test_the_objectives_are_the_document_s() -> None:
    """99.9 % over 30 days, 95 % within 500 ms and 99 % good over 7."""
    found = {each.name: (each.target, each.days) for each in defined()}
    assert found == {"availability": (0.999, 30), "latency": (0.95, 7), "errors": (0.99, 7)}


def test_the_alerts_are_held_as_the_document_says() -> None:
    """10 and 5 minutes; the availability has no duration."""
    held = {alert.name: promql_duration(alert.for_s) for alert in four(defined()) if alert.for_s}
    assert held == {"LatencyP95Above600ms": "10m", "ErrorRateAbove3Percent": "5m"}

"""What is rendered of the objectives is current, and says what the document says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from harness.base.clock import MachineClock
from harness.base.data import MONITORING
from harness.cli.monitoring import RULES, by_sloth, rendered
from harness.objectives.alerts import four, promql_duration
from harness.objectives.files import SLO, defined, objective_files
from harness.objectives.render import dashboard
from harness.objectives.sealing import sealed, unsealed
from harness.stack.kind.images import binaries
from tests.objectives import promtool


@pytest.mark.parametrize("name", sorted(rendered()))
def test_the_file_is_current(name: str) -> None:
    """``python -m harness.cli.monitoring`` writes it."""
    assert (MONITORING / name).read_text() == rendered()[name]


OBJECTIVES = {path.stem: path for path, _ in objective_files()}
SLOTH = binaries.SLOTH.version()


def kept(name: str) -> str:
    """Sloth's rules of an objective, as they lie there."""
    return (MONITORING / RULES / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_sloth_s_rules_are_of_the_objectives_as_they_are(name: str) -> None:
    """By the digest in their first line, without Sloth. Red? ``python -m harness.cli.monitoring``."""
    assert kept(name) == sealed(OBJECTIVES[name], SLOTH, unsealed(kept(name)))


@pytest.mark.parametrize(
    ("changed", "before", "after"),
    [
        ("7d/latency.yaml", 'le="0.5"', 'le="0.6"'),
        ("7d/latency.yaml", "objective: 95", "objective: 96"),
        ("windows/7d.yaml", "errorBudgetPercent: 42", "errorBudgetPercent: 40"),
    ],
)
def test_stale_rules_are_seen(changed: str, before: str, after: str, tmp_path: Path) -> None:
    """An objective or a window was changed, and the rules were not rendered again; a comment changes nothing."""
    slo = tmp_path / "slo"
    for part in (OBJECTIVES["latency"], SLO / "windows" / "7d.yaml"):
        into = slo / part.relative_to(SLO)
        into.parent.mkdir(parents=True)
        into.write_text("# another comment\n" + part.read_text())
    path, text = slo / "7d" / "latency.yaml", kept("latency")
    assert text == sealed(path, SLOTH, unsealed(text))
    whole = (slo / changed).read_text()
    assert before in whole
    (slo / changed).write_text(whole.replace(before, after))
    assert text != sealed(path, SLOTH, unsealed(text))


def test_rules_of_another_sloth_are_seen() -> None:
    """Its pinned version was raised."""
    assert kept("errors") != sealed(OBJECTIVES["errors"], "v0.0.0", unsealed(kept("errors")))


def test_rules_that_somebody_changed_by_hand_are_seen() -> None:
    """The digest is of the rules, too."""
    changed = kept("errors").replace("13.44", "14.4")
    assert changed != kept("errors")
    assert changed != sealed(OBJECTIVES["errors"], SLOTH, unsealed(changed))


@pytest.mark.process
@pytest.mark.nightly
def test_sloth_renders_what_lies_there(tmp_path: Path) -> None:
    """The real one, of the pinned version."""
    asyncio.run(by_sloth(tmp_path))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        f"{name}.yaml": kept(name) for name in OBJECTIVES
    }


def test_nothing_else_lies_there() -> None:
    """A policy of an alert that was renamed would stay."""
    made = {*rendered(), *(f"{RULES}/{name}.yaml" for name in OBJECTIVES)}
    folders = ("cloud-monitoring", "grafana", "prometheus-adapter", RULES)
    there = {str(path.relative_to(MONITORING)) for folder in folders for path in (MONITORING / folder).iterdir()}
    assert there == made


def test_the_dashboard_has_the_document_s_indicators() -> None:
    """SLI指標: latency, errors, requests, the pods' CPU and memory, replicas; then each objective's budget."""
    panels = dashboard(defined())["panels"]
    titles = [panel["title"].partition(" (")[0] for panel in panels[:7]]
    assert titles == [
        "Latency", "Failed share", "Requests per second by status", "Requests in flight",
        "CPU of each pod, of its requests", "Memory of each pod, of its requests", "Replicas",
    ]  # fmt: skip
    assert [query["legendFormat"] for query in panels[0]["targets"]] == ["p50", "p95", "p99"]
    assert len(panels) == 7 + 2 * len(defined())


@pytest.mark.process
def test_prometheus_parses_each_query_that_is_handed_over(tmp_path: Path) -> None:
    """The dashboard's and the policies', by promtool; a query that is broken is refused."""
    asyncio.run(binaries.ensure(binaries.PROMETHEUS, MachineClock(), print, only=("promtool",)))
    queries = [query["expr"] for panel in dashboard(defined())["panels"] for query in panel["targets"]]
    policies = [json.loads(path.read_text()) for path in sorted((MONITORING / "cloud-monitoring").iterdir())]
    conditions = [condition for policy in policies for condition in policy["conditions"]]
    queries += [each["conditionPrometheusQueryLanguage"]["query"] for each in conditions]
    assert promtool.parses(tmp_path, queries) == ""
    assert "could not parse" in promtool.parses(tmp_path, [*queries, "sum by (pod) rate(x[5m]"])


def test_the_objectives_are_the_document_s() -> None:
    """99.9 % over 30 days, 95 % within 500 ms and 99 % good over 7."""
    found = {each.name: (each.target, each.days) for each in defined()}
    assert found == {"availability": (0.999, 30), "latency": (0.95, 7), "errors": (0.99, 7)}


def test_the_alerts_are_held_as_the_document_says() -> None:
    """10 and 5 minutes; the availability has no duration."""
    held = {alert.name: promql_duration(alert.for_s) for alert in four(defined()) if alert.for_s}
    assert held == {"LatencyP95Above600ms": "10m", "ErrorRateAbove3Percent": "5m"}

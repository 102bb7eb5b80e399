"""What is rendered of the objectives is current, and says what the document says."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml

from harness.base.data import KUBERNETES, MONITORING
from harness.cli.monitoring import by_sloth
from harness.rehearsals.alert_drill.types import PROBES, SIDECARS, TARGET
from harness.rules.objectives.alerts import four, promql_duration
from harness.rules.objectives.files import BLACKBOX, SLO, by_blackbox, defined, objective_files
from harness.rules.objectives.render import RULES, dashboard, rendered, sealed, unsealed
from harness.stack.kind.images import binaries
from tests.objectives import promtool


@pytest.mark.parametrize("name", sorted(rendered()))
def test_the_file_is_current(name: str) -> None:
    """``python -m harness.cli.monitoring`` writes it."""
    assert (MONITORING / name).read_text() == rendered()[name]


OBJECTIVES = {path.stem: path for path, _ in objective_files()}
FOLDERS = (MONITORING, BLACKBOX)
SLOTH = binaries.SLOTH.version()


def kept(name: str, folder: Path = MONITORING) -> str:
    """Sloth's rules of an objective, as they lie there."""
    return (folder / RULES / f"{name}.yaml").read_text()


@pytest.mark.parametrize(
    ("folder", "path"), [(each, path) for each in FOLDERS for path, _ in objective_files(each / "slo")]
)
def test_sloth_s_rules_are_of_the_objectives_as_they_are(folder: Path, path: Path) -> None:
    """By the digest in their first line, without Sloth. Red? ``python -m harness.cli.monitoring``."""
    assert kept(path.stem, folder) == sealed(path, SLOTH, unsealed(kept(path.stem, folder)))


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
    for folder in FOLDERS:
        (into := tmp_path / folder.name).mkdir()
        asyncio.run(by_sloth(into, folder / "slo"))
        assert {path.name: path.read_text() for path in into.iterdir()} == {
            path.name: kept(path.stem, folder) for path, _ in objective_files(folder / "slo")
        }


def test_nothing_else_lies_there() -> None:
    """A policy of an alert that was renamed would stay."""
    made = {MONITORING / name for name in rendered()}
    made |= {each / RULES / path.name for each in FOLDERS for path, _ in objective_files(each / "slo")}
    folders = ("cloud-monitoring", "grafana", "prometheus-adapter", RULES)
    assert {path for each in FOLDERS for folder in folders for path in (each / folder).glob("*")} == made


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
    asyncio.run(binaries.ensure(binaries.PROMETHEUS, print, only=("promtool",)))
    queries = [query["expr"] for panel in dashboard(defined())["panels"] for query in panel["targets"]]
    policies = [json.loads(path.read_text()) for each in FOLDERS for path in (each / "cloud-monitoring").iterdir()]
    conditions = [condition for policy in policies for condition in policy["conditions"]]
    assert len(policies) == 12 + 4
    queries += [each["conditionPrometheusQueryLanguage"]["query"] for each in conditions]
    assert promtool.parses(tmp_path, queries) == ""
    assert "could not parse" in promtool.parses(tmp_path, [*queries, "sum by (pod) rate(x[5m]"])


@pytest.mark.process
def test_blackbox_exporter_s_probes_are_counted_by_prometheus(tmp_path: Path) -> None:
    """12 of the 240 probes of an hour failed: a share of 5 %, of however many exporters."""
    asyncio.run(binaries.ensure(binaries.PROMETHEUS, print, only=("promtool",)))
    query = next(each for each in by_blackbox() if each.name == "availability").bad_over("1h")
    series = [
        {"series": f'probe_success{{job="probes",instance="{name}"}}', "values": values}
        for name, values in (("a", "1x119 0x11 1x200"), ("b", "1x59 0x11 1x300"))
    ]
    expected = {"expr": query, "eval_time": "1h", "exp_samples": [{"value": 0.05}]}
    test = {"interval": "15s", "input_series": series, "promql_expr_test": [expected]}
    assert promtool.said(tmp_path, {"evaluation_interval": "15s", "tests": [test]}) == ""


def test_where_blackbox_exporter_probes_only_the_availability_is_otherwise() -> None:
    """Its name, its target and its days are the same."""
    for other, own in zip(by_blackbox(), defined(), strict=True):
        assert own == msgspec.structs.replace(other, bad=own.bad, total=own.total)
        assert (own != other) is (own.name == "availability") is ("probe_success" in other.bad)


def test_what_is_scraped_on_gke_has_the_names_that_the_rules_ask_for() -> None:
    """The name of a PodMonitoring is the label ``job``: each that Prometheus has, of the pods of the Deployment."""
    scraped = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    found = {
        each["metadata"]["name"]: each["spec"]
        for folder in FOLDERS
        for each in yaml.safe_load_all((folder / "managed-prometheus" / "pod-monitoring.yaml").read_text())
    }
    assert list(found) == [each["job_name"] for each in scraped] == [TARGET, SIDECARS, PROBES]
    deployment = yaml.safe_load((KUBERNETES / "document" / "deployment.yaml").read_text())
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert all(labels.items() >= found[name]["selector"]["matchLabels"].items() for name in (TARGET, SIDECARS))
    own = yaml.safe_load((BLACKBOX / "prometheus" / "probes.yaml").read_text())["scrape_configs"][0]
    asked = found[PROBES]["endpoints"][0]
    assert (own["job_name"], own["metrics_path"], own["params"]) == (PROBES, asked["path"], asked["params"])
    asked_for = set(re.findall(r'job="([^"]+)"', " ".join(rendered().values()).replace("\\", "")))
    assert asked_for == {TARGET, PROBES}


def test_the_page_says_the_same_of_every_folder_in_both_languages() -> None:
    """And who tells each metric that is asked for."""
    english, japanese = (MONITORING / "README.md").read_text().split("\n## 監視\n")
    literal = [
        set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page, flags=re.S))) for page in (english, japanese)
    ]
    assert literal[0] == literal[1]
    assert {f"{path.name}/" for path in MONITORING.iterdir() if path.is_dir()} <= literal[0]
    blocks = [re.findall(r"```\n(.*?)```", re.sub(r"    #.*", "", page), flags=re.S) for page in (english, japanese)]
    assert blocks[0] == blocks[1]
    asked_for = re.findall(r"\b(?:http|availability|probe|container|kube)_[a-z_]+\b", " ".join(rendered().values()))
    metrics = {re.sub("_(bucket|count)$", "", each) for each in asked_for}
    assert len(metrics) == 10 and metrics <= literal[0]
    deployed = re.findall(r"deploy/monitoring/[\w/.-]+", english)
    assert deployed and all((MONITORING.parents[1] / each).exists() for each in deployed)


def test_the_objectives_are_the_document_s() -> None:
    """99.9 % over 30 days, 95 % within 500 ms and 99 % good over 7."""
    found = {each.name: (each.target, each.days) for each in defined()}
    assert found == {"availability": (0.999, 30), "latency": (0.95, 7), "errors": (0.99, 7)}


def test_the_alerts_are_held_as_the_document_says() -> None:
    """10 and 5 minutes; the availability has no duration."""
    held = {alert.name: promql_duration(alert.for_s) for alert in four(defined()) if alert.for_s}
    assert held == {"LatencyP95Above600ms": "10m", "ErrorRateAbove3Percent": "5m"}

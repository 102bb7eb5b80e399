"""What serves external metrics to the HPA of a run: its documents, what it scrapes, what is left of it in a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from harness.base.clock import MachineClock
from harness.base.data import MONITORING, OVERLAYS
from harness.model.manifests import EnvVar, Manifests
from harness.model.stack import Target
from harness.rules.objectives.render import EXTERNAL_P95
from harness.stack.kind import addon, record
from harness.stack.kind.addon import ClusterWide
from harness.stack.kind.images import binaries, recipes
from harness.stack.kind.metrics_adapter import WIDE, documents
from harness.stack.kubernetes.labels import PART
from harness.stack.kubernetes.metrics import Scraped, scraped
from harness.stack.kubernetes.watching import metric_read
from harness.stack.manifests import load
from harness.stack.state.processes import identify
from tests.lines import Lines

WHERE = Scraped(selector="app=walks", port=9090, path="/metrics")
FOUND = documents("image:1", WHERE, "tekutoko-run")
BUNDLED = Target(name="walks", command=("walks",), bundled=True)


def of(kind: str) -> list[dict[str, Any]]:
    return [each for each in FOUND if each["kind"] == kind]


def config(name: str) -> Any:
    (found,) = of("ConfigMap")
    return yaml.safe_load(found["data"][name])


def test_what_is_of_the_whole_cluster_is_what_is_removed_from_it() -> None:
    """All else is in the run's namespace, and is none of the target's."""
    wide = [
        each
        for each in FOUND
        if each["kind"] in {"APIService", "ClusterRoleBinding"} or "namespace" in each["metadata"]
    ]
    assert {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in wide} == {*WIDE.things}
    assert {each["metadata"].get("namespace", "kube-system") for each in wide} == {"kube-system"}
    assert all(PART in each["metadata"]["labels"] for each in FOUND if each not in wide)
    (pod,) = (each["spec"]["template"] for each in of("Deployment"))
    assert PART in pod["metadata"]["labels"], "no pod of the target's"


def test_it_may_read_the_run_s_pods_and_ask_who_asks_it() -> None:
    (role,) = of("Role")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    bindings = of("RoleBinding") + of("ClusterRoleBinding")
    assert {each["roleRef"]["name"] for each in bindings} == {
        "prometheus-adapter", "extension-apiserver-authentication-reader", "system:auth-delegator",
    }  # fmt: skip
    assert {each["subjects"][0]["namespace"] for each in bindings} == {"tekutoko-run"}
    (api,) = of("APIService")
    assert api["spec"]["service"] == {"name": "prometheus-adapter", "namespace": "tekutoko-run"}


def test_it_scrapes_the_pods_as_deploy_monitoring_does_and_serves_its_rule() -> None:
    ours, theirs = (
        config("prometheus.yaml"),
        yaml.safe_load((MONITORING / "prometheus" / "prometheus.yaml").read_text()),
    )
    assert ours["global"] == theirs["global"]
    (job,) = ours["scrape_configs"]
    assert job["job_name"] == theirs["scrape_configs"][0]["job_name"]
    assert job["kubernetes_sd_configs"][0]["selectors"] == [{"role": "pod", "label": "app=walks"}]
    assert "$1:9090" in [each.get("replacement") for each in job["relabel_configs"]]
    (rule,) = config("adapter.yaml")["externalRules"]
    assert rule["name"] == {"as": EXTERNAL_P95}
    (pod,) = (each["spec"]["template"]["spec"] for each in of("Deployment"))
    assert {each["image"] for each in pod["containers"]} == {"image:1"} and pod["securityContext"]["runAsNonRoot"]
    assert "set-by-the-rung" not in str(FOUND)


def manifests(**environment: str) -> Manifests:
    found = load(OVERLAYS / "kind")
    container = found.deployment.template.containers[0]
    env = (*container.env, *(EnvVar(name=name, value=value, source="value") for name, value in environment.items()))
    template = msgspec.structs.replace(
        found.deployment.template, containers=(msgspec.structs.replace(container, env=env),)
    )
    return msgspec.structs.replace(found, deployment=msgspec.structs.replace(found.deployment, template=template))


@pytest.mark.parametrize(
    ("target", "environment", "port"),
    [
        (BUNDLED, {}, 9090),  # its image asks for it
        (Target(name="go", command=("go",)), {}, 8080),  # on the API's own
        (Target(name="go", command=("go",)), {"METRICS_PORT": "9100"}, 9100),
        (Target(name="go", command=("go",)), {"METRICS_PORT": "0"}, 8080),
    ],
)
def test_where_the_metrics_of_a_target_are(target: Target, environment: dict[str, str], port: int) -> None:
    expected = Scraped(selector="app=tekutoko-api", port=port, path="/metrics")
    assert scraped(manifests(**environment), target) == expected


@pytest.mark.process
def test_the_pinned_prometheus_is_one_and_an_ordinary_run_builds_neither() -> None:
    in_cluster, usual = binaries.PROMETHEUS_IN_CLUSTER, binaries.PROMETHEUS
    assert in_cluster.version() == usual.version() and in_cluster.folder() != usual.folder()
    assert binaries.PROMETHEUS_ADAPTER.version() == "v0.12.0"
    clock = MachineClock()
    recipe = recipes.metrics_adapter()
    assert recipe.name not in {each.name for each in recipes.ours(clock)}
    assert recipe.packages == recipes.api(clock).packages, "the API's base serves"


@pytest.mark.parametrize(
    ("status", "read"),
    [
        (
            {
                "type": "Resource",
                "resource": {"name": "cpu", "current": {"averageUtilization": 7, "averageValue": "30m"}},
            },
            {"name": "cpu", "utilization": 7, "average_m": 30},
        ),
        (
            {"type": "External", "external": {"metric": {"name": EXTERNAL_P95}, "current": {"value": "612m"}}},
            {"name": EXTERNAL_P95, "value_m": 612},
        ),
        (
            {"type": "External", "external": {"metric": {"name": EXTERNAL_P95}, "current": {"value": "2"}}},
            {"name": EXTERNAL_P95, "value_m": 2000},
        ),
        ({"type": "External", "external": {"metric": {"name": EXTERNAL_P95}, "current": {}}}, None),
        ({"type": ""}, None),  # one that could not be read
    ],
)
def test_what_an_hpa_s_status_says_of_a_metric(status: dict[str, Any], read: dict[str, Any] | None) -> None:
    assert metric_read(status) == read


async def test_what_a_killed_run_left_is_removed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    async def kubectl(control_plane: str, *arguments: str, **_: object) -> str:
        asked.append((control_plane, *arguments))
        return ""

    monkeypatch.setattr(record, "clusters_folder", lambda: tmp_path)
    monkeypatch.setattr(addon, "kubectl", kubectl)
    maker = identify(1)
    assert maker is not None
    found = record.Cluster(
        name="c", maker=maker, kept=True, complete=True, own_images=True, images=[], config_digest="", api_port=1,
        ports={}, nodes=["c-control-plane"],
    )  # fmt: skip
    told = Lines()
    await WIDE.sweep(found, told.tell)
    assert (asked, told) == ([], [])
    place = ClusterWide("c", WIDE.mark)
    await place.take(MachineClock(), told.tell)
    await WIDE.sweep(found, told.tell)
    assert asked == [], "a run has it"
    await place.release()  # as the end of its process does; the mark stays
    for _ in range(2):
        await WIDE.sweep(found, told.tell)
    assert told == ["removed the API of external metrics from c"]
    (words,) = asked
    assert words[0] == "c-control-plane" and {*WIDE.things} < {*words} and "--namespace=kube-system" in words

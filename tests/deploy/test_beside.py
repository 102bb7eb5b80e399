"""What a team has beside the API, and ordinary words of its own, as the API server takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from harness.base.errors import BadInput
from harness.model.autoscaling import MetricKind
from harness.model.manifests import Manifests
from harness.model.stack import EnvironmentKind
from harness.stack.manifests import load
from harness.stack.manifests.spec import picks
from harness.stack.manifests.unsupported_features import not_honoured_by_processes
from harness.stack.target.targets import bundled

Json = dict[str, Any]
RUNGS = [EnvironmentKind.LOCAL, EnvironmentKind.KIND]


def workload(name: str, kind: str = "Deployment", selector: Json | None = None, **container: Any) -> Json:
    labels = {"app": name}
    one = {"name": name, "image": f"{name}:1", "ports": [{"containerPort": 8080}], **container}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [one]}}
    spec = {"selector": selector or {"matchLabels": labels}, "template": template, "replicas": 2}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def service(name: str) -> Json:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def budget(name: str, selector: Json, **spec: Any) -> Json:
    given = {"selector": selector, **(spec or {"minAvailable": 1})}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": given}


def scaler(of: str, version: str = "v2", **spec: Any) -> Json:
    kind, _, name = of.partition("/")
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    given = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 5, **spec}
    return {"apiVersion": f"autoscaling/{version}", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name}, "spec": given}  # fmt: skip


def loaded(folder: Path, rung: EnvironmentKind, *documents: Json, keep: tuple[str, ...] = ()) -> Manifests:
    (folder / "all.yaml").write_text(yaml.safe_dump_all(documents))
    (folder / "kustomization.yaml").write_text("resources: [all.yaml]\n")
    target = msgspec.structs.replace(bundled(), deployment="api", keep=keep)
    return load(folder, rung, target)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("kind", ["StatefulSet", "Deployment"])
def test_another_workload_goes_with_its_budget_and_its_autoscaler(
    tmp_path: Path, rung: EnvironmentKind, kind: str
) -> None:
    found = loaded(
        tmp_path, rung, workload("redis", kind), budget("redis", {"matchLabels": {"app": "redis"}}),
        budget("by-expression", {"matchExpressions": [{"key": "app", "operator": "In", "values": ["redis"]}]}),
        scaler(f"{kind}/redis"), workload("api"), service("api"), scaler("Deployment/api"),
        budget("api", {"matchLabels": {"app": "api"}}, maxUnavailable=1),
    )  # fmt: skip
    assert found.pdb is not None and (found.pdb.name, found.pdb.max_unavailable) == ("api", 1)
    assert found.hpa is not None and found.hpa.name == "api"
    assert not [key for key in found.documents if key.endswith(("/redis", "/by-expression"))]
    left_out = {note.name for note in found.patches if note.forced}
    assert {f"{kind}/redis", "HorizontalPodAutoscaler/redis", "PodDisruptionBudget/redis"} <= left_out


def test_what_operators_and_cron_jobs_make_pods_of_goes_with_its_budget(tmp_path: Path) -> None:
    template = {"metadata": {"labels": {"app": "report"}}, "spec": {"containers": [{"name": "r", "image": "r:1"}]}}
    cron = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"},
            "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}  # fmt: skip
    cluster = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "db"},
               "spec": {"template": "{{ of another form }}"}}  # fmt: skip
    of_report, of_db = budget("report", {"matchLabels": {"app": "report"}}), budget("db", {"matchLabels": {"x": "db"}})
    argo = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}, "spec": {}}
    for beside in ([cron, of_report], [cluster, of_db], [argo, scaler("Rollout/web")]):
        found = loaded(tmp_path, EnvironmentKind.KIND, *beside, workload("api"), service("api"))
        assert (found.pdb, found.hpa) == (None, None)


def test_a_workload_that_is_kept_keeps_its_own(tmp_path: Path) -> None:
    found = loaded(
        tmp_path, EnvironmentKind.KIND, workload("worker"), budget("worker", {"matchLabels": {"app": "worker"}}),
        scaler("Deployment/worker"), workload("api"), service("api"), keep=("Deployment/worker",),
    )  # fmt: skip
    assert (found.pdb, found.hpa) == (None, None), "they are none of the API's"
    assert {"PodDisruptionBudget/worker", "HorizontalPodAutoscaler/worker"} <= found.documents.keys()


@pytest.mark.parametrize(
    "stray",
    [budget("stray", {"matchLabels": {"app": "ap"}}), scaler("Deployment/ap"), scaler("StatefulSet/never")],
    ids=["PDB", "HPA", "HPA of none"],
)
def test_what_belongs_to_nothing_that_is_there_is_a_mistake(tmp_path: Path, stray: Json) -> None:
    with pytest.raises(BadInput, match=r"does not select the pods|is not among the manifests"):
        loaded(tmp_path, EnvironmentKind.LOCAL, workload("api"), service("api"), stray)


def test_what_makes_no_pods_excuses_no_budget(tmp_path: Path) -> None:
    monitor = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"name": "api"},
               "spec": {}}  # fmt: skip
    with pytest.raises(BadInput, match="does not select the pods"):
        loaded(
            tmp_path,
            EnvironmentKind.KIND,
            workload("api"),
            service("api"),
            monitor,
            budget("api", {"matchLabels": {"app": "ap"}}),
        )


def test_a_deployment_may_select_by_expressions(tmp_path: Path) -> None:
    rules = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "walks"]}]}
    assert (
        loaded(tmp_path, EnvironmentKind.LOCAL, workload("api", selector=rules), service("api")).deployment.name
        == "api"
    )
    with pytest.raises(BadInput, match="does not select the pods"):
        no = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]}
        loaded(tmp_path, EnvironmentKind.LOCAL, workload("api", selector=no), service("api"))


@pytest.mark.parametrize(
    ("rule", "picked"),
    [
        ({"key": "app", "operator": "In", "values": ["api"]}, True),
        ({"key": "tier", "operator": "In", "values": ["api"]}, False),
        ({"key": "app", "operator": "NotIn", "values": ["api"]}, False),
        ({"key": "tier", "operator": "NotIn", "values": ["api"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "tier", "operator": "Exists"}, False),
        ({"key": "app", "operator": "DoesNotExist"}, False),
        ({"key": "tier", "operator": "DoesNotExist"}, True),
        ({"key": "app", "operator": "Gt", "values": ["1"]}, False),
    ],
)
def test_every_operator_of_a_selector(rule: Json, picked: bool) -> None:
    labels = {"app": "api"}
    assert picks({"matchExpressions": [rule]}, labels) is picked
    assert picks({"matchLabels": labels, "matchExpressions": [rule]}, labels) is picked
    assert not picks({"matchLabels": {"app": "other"}, "matchExpressions": [rule]}, labels)
    assert picks({}, labels) and not picks(None, labels)


def test_an_autoscaler_of_the_first_version_is_read_as_the_api_server_converts_it(tmp_path: Path) -> None:
    old = scaler("Deployment/api", "v1", targetCPUUtilizationPercentage=40)
    found = loaded(tmp_path, EnvironmentKind.LOCAL, workload("api"), service("api"), old)
    assert found.hpa is not None
    (metric,) = found.hpa.metrics
    assert (metric.kind, metric.name, metric.average_utilization) == (MetricKind.RESOURCE, "cpu", 40)


def test_what_says_nothing_is_the_default(tmp_path: Path) -> None:
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 0, "timeoutSeconds": 0,
             "successThreshold": 0, "failureThreshold": 0}  # fmt: skip
    whole = budget("api", {"matchLabels": {"app": "api"}})
    del whole["spec"]["minAvailable"]
    api = workload("api", readinessProbe=probe)
    roots = {"name": "roots", "configMap": {"name": "kube-root-ca.crt"}}
    api["spec"]["template"]["spec"]["volumes"] = [roots]
    found = loaded(tmp_path, EnvironmentKind.KIND, api, service("api"), whole)
    read = found.deployment.template.containers[0].readiness
    assert read is not None
    assert (read.period_s, read.timeout_s, read.success_threshold, read.failure_threshold) == (10, 1, 1, 3)
    assert found.pdb is not None and (found.pdb.min_available, found.pdb.max_unavailable) == (None, None)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"port": 8080, "scheme": "HTTPS"}, "plain HTTP"),
        ({"port": 8080, "httpHeaders": [{"name": "Host", "value": "x"}]}, "plain HTTP"),
        ({"port": 9000}, "the port of the target's first"),
        ({"port": 8080}, ""),
        ({"port": "http"}, ""),
    ],
)
def test_a_probe_that_local_asks_otherwise_is_told(tmp_path: Path, asked: Json, told: str) -> None:
    ports = [{"containerPort": 8080, "name": "http"}, {"containerPort": 9000}]
    api = workload("api", readinessProbe={"httpGet": {"path": "/ready", **asked}}, ports=ports)
    said = " / ".join(map(str, not_honoured_by_processes(loaded(tmp_path, EnvironmentKind.LOCAL, api, service("api")))))
    assert ("readinessProbe" in said) is bool(told) and told in said

"""The manifests' loader: what it reads, and that every mistake of a person's folder is named."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit
from harness.model.autoscaling import DEFAULT_UP, PolicyKind, SelectPolicy
from harness.model.manifests import Budget, EnvVar, Probe, RollingUpdate
from harness.report.language import Language
from harness.stack.manifests import digest, kustomize, load, quantity
from harness.stack.manifests import spec as forms
from harness.stack.manifests.change import with_env
from tests.report.marking import Lacking, english_of, messages_of
from tests.session.examples import examples

DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
KUBERNETES = ROOT / "deploy" / "kubernetes"
Change = Callable[[dict[str, dict[str, Any]]], object]


def folder(tmp_path: Path, change: Change, **kustomization: Any) -> Path:
    """A person's own folder: the local overlay rendered into one file, with ``change`` made to it."""
    documents = kustomize.render(KUBERNETES / "overlays" / "local").documents
    documents = copy.deepcopy(documents)
    change(documents)
    own = tmp_path / "own"
    own.mkdir(exist_ok=True)
    (own / "all.yaml").write_text(yaml.dump_all(documents.values(), Dumper=DUMPER), encoding="utf-8")
    (own / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["all.yaml"], **kustomization}), encoding="utf-8"
    )
    return own


def pod(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = documents["Deployment/tekutoko-api"]["spec"]["template"]["spec"]
    return spec


def api(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    container: dict[str, Any] = pod(documents)["containers"][0]
    return container


def test_what_a_run_s_folder_keeps_of_secrets_are_their_keys(tmp_path: Path) -> None:
    """The folder is handed on, and its files are anybody's to read."""

    def secret(documents: dict[str, dict[str, Any]]) -> None:
        documents["Secret/app-secret"].setdefault("data", {})["more"] = "aHVudGVyMg=="
        documents["Secret/app-secret"].setdefault("stringData", {})["db_password"] = "hunter2"
        applied = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "owner": "walks"}
        documents["Secret/app-secret"]["metadata"]["annotations"] = applied

    found = load(folder(tmp_path, secret))
    kept = msgspec.json.encode(found.without_values)
    assert b"hunter2" in msgspec.json.encode(found)
    assert b"hunter2" not in kept and b"aHVudGVyMg" not in kept
    assert found.without_values.documents["Secret/app-secret"]["stringData"]["db_password"] == ""
    assert found.without_values.documents["Secret/app-secret"]["metadata"]["annotations"] == {"owner": "walks"}
    assert found.without_values.deployment.name == found.deployment.name


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        load(path)
    assert caught.value.exit is Exit.USAGE
    assert caught.value.where
    assert caught.value.remedy
    assert english_of(caught.value) == []
    return caught.value


def test_the_documents_figures() -> None:
    manifests = load(KUBERNETES / "document")
    deployment = manifests.deployment
    container, sidecar = deployment.template.containers
    assert deployment.replicas == 2
    assert deployment.strategy == RollingUpdate(max_surge=1, max_unavailable=0)
    assert (container.request_cpu_m, container.limit_cpu_m) == (500, 1000)
    assert (container.request_memory_bytes, container.limit_memory_bytes) == (512 * 2**20, 2**30)
    assert container.liveness == Probe(path="/health", port=8080, initial_delay_s=10, period_s=30)
    assert container.readiness == Probe(path="/ready", port=8080, initial_delay_s=5, period_s=10)
    assert (sidecar.request_cpu_m, sidecar.request_memory_bytes, sidecar.limit_cpu_m) == (100, 128 * 2**20, None)
    assert sidecar.args == ("--structured-logs", "--port=5432", "PROJECT_ID:REGION:INSTANCE_NAME")
    assert (manifests.service_port, manifests.service_target_port) == (80, 8080)
    assert manifests.secret_keys == ("db_password", "firebase_credentials")
    targets = [("cpu", 70), ("memory", 80)]
    assert manifests.hpa is not None and (manifests.hpa.min_replicas, manifests.hpa.max_replicas) == (2, 10)
    assert [(metric.name, metric.average_utilization) for metric in manifests.hpa.metrics] == targets
    assert manifests.hpa.behavior is None
    assert manifests.pdb == Budget(name="tekutoko-api-pdb", min_available=1)
    assert manifests.patches == ()


def test_variables_come_with_their_source() -> None:
    variables = {each.name: each for each in load(KUBERNETES / "overlays/local").deployment.template.containers[0].env}
    assert variables["DB_HOST"] == EnvVar(name="DB_HOST", value="localhost", source="configmap:app-config/db_host")
    assert variables["DB_PASSWORD"] == EnvVar(name="DB_PASSWORD", value="", source="secret:app-secret/db_password")
    assert variables["POD_NAME"] == EnvVar(name="POD_NAME", value="", source="field:metadata.name")
    assert variables["PORT"] == EnvVar(name="PORT", value="8080", source="value")


def test_a_persons_folder_loads_alike(tmp_path: Path) -> None:
    own = load(folder(tmp_path, lambda _documents: None))
    assert own.deployment == load(KUBERNETES / "overlays/local").deployment
    assert own.patches == ()


@pytest.mark.parametrize(("least", "hpa", "replicas"), [(2, True, 2), (3, True, 3), (2, False, 1)])
def test_replicas_that_are_left_to_the_autoscaler_are_its_fewest(
    tmp_path: Path, least: int, hpa: bool, replicas: int
) -> None:
    """The erratum's own correction: one pod, and its budget of one would let nothing be evicted, ever."""

    def left_out(documents: dict[str, dict[str, Any]]) -> None:
        del documents["Deployment/tekutoko-api"]["spec"]["replicas"]
        documents["HorizontalPodAutoscaler/tekutoko-api-hpa"]["spec"]["minReplicas"] = least
        if not hpa:
            del documents["HorizontalPodAutoscaler/tekutoko-api-hpa"]

    assert load(folder(tmp_path, left_out)).deployment.replicas == replicas


def env(name: str, source: dict[str, Any]) -> Change:
    return lambda documents: api(documents)["env"].append({"name": name, "valueFrom": source})


def put(**values: Any) -> Change:
    return lambda documents: api(documents).update(values)


def spec(key: str, **values: Any) -> Change:
    return lambda documents: documents[key]["spec"].update(values)


def drop(key: str) -> Change:
    return lambda documents: documents.pop(key)


DEPLOYMENT = "Deployment/tekutoko-api"
MISTAKES: list[tuple[Change, str, str]] = [
    (env("X", {"configMapKeyRef": {"name": "app-config", "key": "nope"}}), "'app-config' has no key 'nope'", "env (X)"),
    (env("X", {"configMapKeyRef": {"name": "nope", "key": "a"}}), "ConfigMap 'nope' is not among", "env (X)"),
    (env("X", {"secretKeyRef": {"name": "app-secret", "key": "nope"}}), "'app-secret' has no key 'nope'", "env (X)"),
    (env("X", {"secretKeyRef": {"name": "nope", "key": "a"}}), "Secret 'nope' is not among", "env (X)"),
    (env("X", {}), "valueFrom is none of", "env (X)"),
    (put(env=[{"name": "X", "value": 5}]), "Expected `str", "env"),
    (put(envFrom=[{"configMapRef": {"name": "nope"}}]), "ConfigMap 'nope' is not among", "envFrom"),
    (put(command="./walk-api"), "Expected `array`", "command"),
    (put(resources={"cpu": "500m", "memory": "1Gi"}), "unknown field `cpu`", "resources"),
    (put(readynessProbe={}), "'readynessProbe'; did you mean 'readinessProbe'", "containers[0].readynessProbe"),
    (put(livenessProbe={"httpGet": {"port": 1}, "timeoutSecond": 5}), "mean 'timeoutSeconds'", "timeoutSecond"),
    (spec(DEPLOYMENT, replica=5), "did you mean 'replicas'", "Deployment/tekutoko-api.spec.replica"),
    (spec(DEPLOYMENT, strategy={"rollingUpdate": {"maxUnavailble": 0}}), "mean 'maxUnavailable'", "maxUnavailble"),
    (spec("HorizontalPodAutoscaler/tekutoko-api-hpa", minReplica=3), "mean 'minReplicas'", "spec.minReplica"),
    (spec("PodDisruptionBudget/tekutoko-api-pdb", maxUnavailble=1), "mean 'maxUnavailable'", "spec.maxUnavailble"),
    (drop("Secret/app-secret"), "Secret 'app-secret' is not among", "env (DB_PASSWORD)"),
    (drop("ConfigMap/app-config"), "ConfigMap 'app-config' is not among", "env (ENVIRONMENT)"),
    (drop("ServiceAccount/tekutoko-api-sa"), "ServiceAccount 'tekutoko-api-sa' is not among", "serviceAccountName"),
    (drop("Service/tekutoko-api"), "exactly one Service", "own"),
    (drop(DEPLOYMENT), "exactly one Deployment", "own"),
    (put(resources={"requests": {"cpu": "500 m"}}), "not a Kubernetes quantity", "requests.cpu"),
    (put(resources={"requests": {"memory": "512MiB"}}), "not a Kubernetes quantity", "requests.memory"),
    (put(resources={"limits": {"memory": "-1Gi"}}), "is negative", "memory"),
    (put(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}), "above its limit", "resources"),
    (put(livenessProbe={"periodSeconds": 5}), "asks nothing", "livenessProbe"),
    (put(livenessProbe={"httpGet": {"port": "web"}}), "no named container port", "livenessProbe.httpGet.port"),
    (put(livenessProbe={"httpGet": {"port": 8080}, "successThreshold": 2}), "must be 1", "livenessProbe"),
    (put(readinessProbe={"httpGet": {"port": 8080}, "periodSeconds": -1}), "periodSeconds is -1", "readinessProbe"),
    (put(readinessProbe={"httpGet": {"port": 70000}}), "outside 1..65535", "readinessProbe.httpGet.port"),
    (put(resources={"limits": {"ephemeral-storage": "much"}}), "not a Kubernetes quantity", "limits.ephemeral-storage"),
    (put(startupProbe={"httpGet": {"port": 8080}, "successThreshold": 2}), "must be 1", "startupProbe"),
    (put(lifecycle={"preStop": {}}), "does nothing", "containers[0] (api).lifecycle"),
    (put(name="cloud-sql-proxy"), "two containers have one name", "containers"),
    (put(volumeMounts=[{"name": "v", "mountPath": "/v"}]), "volumeMount 'v' names no volume", "containers (api)"),
    (
        lambda d: pod(d).update(volumes=[{"name": "v", "secret": {"secretName": "n"}}]),
        "Secret 'n' is not among",
        "volumes",
    ),
    (spec(DEPLOYMENT, replicas=-1), "replicas is -1", "spec"),
    (spec(DEPLOYMENT, replicas="2"), "Expected `int`", "replicas"),
    (spec(DEPLOYMENT, strategy={"type": "Recreate"}), "'Recreate' is not read", "strategy"),
    (spec(DEPLOYMENT, strategy={"rollingUpdate": {"maxSurge": "much"}}), "maxSurge is 'much'", "strategy"),
    (spec(DEPLOYMENT, strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}), "both 0", "strategy"),
    (spec(DEPLOYMENT, selector={"matchLabels": {"app": "other"}}), "does not select the pods", "Deployment"),
    (spec("Service/tekutoko-api", selector={"app": "other"}), "does not select the pods", "Service"),
    (spec("Service/tekutoko-api", ports=[]), "without ports", "Service"),
    (spec("Service/tekutoko-api", ports=[{"port": 80, "targetPort": "web"}]), "no named container port", "ports[0]"),
    (
        spec("HorizontalPodAutoscaler/tekutoko-api-hpa", scaleTargetRef={"kind": "Deployment", "name": "x"}),
        "Deployment/x is not among",
        "scaleTargetRef",
    ),
    (spec("HorizontalPodAutoscaler/tekutoko-api-hpa", minReplicas=11), "minReplicas 11", "HorizontalPodAutoscaler"),
    (spec("PodDisruptionBudget/tekutoko-api-pdb", maxUnavailable=1), "either minAvailable or", "PodDisruptionBudget"),
    (
        spec("PodDisruptionBudget/tekutoko-api-pdb", minAvailable="101%"),
        "minAvailable is '101%'",
        "PodDisruptionBudget",
    ),
    (spec("HorizontalPodAutoscaler/tekutoko-api-hpa", metrics=[{"type": "Pod"}]), "'Pod' is not known", "metrics[0]"),
    (
        spec(
            "HorizontalPodAutoscaler/tekutoko-api-hpa",
            metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Value", "value": 1}}}],
        ),
        "the target of cpu",
        "metrics[0].resource.target",
    ),
    (
        spec("HorizontalPodAutoscaler/tekutoko-api-hpa", behavior={"scaleUp": {"stabilizationWindowSeconds": 4000}}),
        "stabilizationWindowSeconds is 4000",
        "behavior.scaleUp",
    ),
    (
        spec("PodDisruptionBudget/tekutoko-api-pdb", selector={"matchLabels": {"app": "x"}}),
        "does not select",
        "PodDisruptionBudget",
    ),
]


@pytest.mark.parametrize(("change", "what", "where"), MISTAKES, ids=[f"{i}-{m[1]}" for i, m in enumerate(MISTAKES)])
def test_mistakes_are_named(tmp_path: Path, change: Change, what: str, where: str) -> None:
    error = refused(folder(tmp_path, change))
    assert what in error.what
    assert where in error.where


def test_a_behavior_is_read_and_what_it_leaves_out_has_kubernetes_defaults(tmp_path: Path) -> None:
    def change(documents: dict[str, dict[str, Any]]) -> None:
        policy = {"type": "Pods", "value": 2, "periodSeconds": 60}
        down = {"policies": [policy], "selectPolicy": "Min"}
        documents["HorizontalPodAutoscaler/tekutoko-api-hpa"]["spec"]["behavior"] = {"scaleDown": down}

    hpa = load(folder(tmp_path, change)).hpa
    assert hpa is not None and hpa.behavior is not None
    assert hpa.behavior.up == DEFAULT_UP
    down = hpa.behavior.down
    assert (down.select, down.stabilization_s) == (SelectPolicy.MIN, None)
    assert [(each.kind, each.value, each.period_s) for each in down.policies] == [(PolicyKind.PODS, 2, 60)]


@pytest.mark.parametrize(
    ("form", "model"),
    [
        (forms.ContainerSpec, "V1Container"),
        (forms.ProbeSpec, "V1Probe"),
        (forms.PodSpec, "V1PodSpec"),
        (forms.DeploymentSpec, "V1DeploymentSpec"),
        (forms.Strategy, "V1DeploymentStrategy"),
        (forms.RollingUpdateSpec, "V1RollingUpdateDeployment"),
        (forms.HpaSpec, "V2HorizontalPodAutoscalerSpec"),
        (forms.BehaviorYaml, "V2HorizontalPodAutoscalerBehavior"),
        (forms.ScalingRulesYaml, "V2HPAScalingRules"),
        (forms.PdbSpec, "V1PodDisruptionBudgetSpec"),
    ],
)
def test_no_key_of_kubernetes_own_is_one_misspelt(form: type[Any], model: str) -> None:
    """As the client that is locked has them, which is of a newer Kubernetes than the cluster's."""
    theirs = getattr(importlib.import_module("kubernetes.aio.client"), model).attribute_map.values()
    assert [path for path, _ in forms.unknown(dict.fromkeys(theirs), form)] == []


def test_what_kubernetes_allows_is_read(tmp_path: Path) -> None:
    def change(documents: dict[str, dict[str, Any]]) -> None:
        container = api(documents)
        container["envFrom"] = [{"configMapRef": {"name": "app-config"}, "prefix": "C_"}]
        container["env"].append(
            {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "n", "key": "k", "optional": True}}}
        )
        container["resources"] = {"limits": {"cpu": 1, "memory": "1Gi"}}
        container |= {"volumeDevices": [], "workingDir": "/", "terminationMessagePath": "/dev/x", "laterField": 1}
        container["livenessProbe"]["httpGet"]["port"] = "http"
        documents["Service/tekutoko-api"]["spec"]["ports"][0]["targetPort"] = "http"
        del documents["HorizontalPodAutoscaler/tekutoko-api-hpa"], documents["PodDisruptionBudget/tekutoko-api-pdb"]

    manifests = load(folder(tmp_path, change))
    container = manifests.deployment.template.containers[0]
    names = {each.name: each.value for each in container.env}
    assert names["C_db_port"] == "5432"
    assert "MAYBE" not in names
    assert (container.request_cpu_m, container.request_memory_bytes) == (1000, 2**30)  # a missing request is the limit
    assert container.liveness is not None and container.liveness.port == 8080
    assert manifests.service_target_port == 8080
    assert (manifests.hpa, manifests.pdb) == (None, None)


@pytest.mark.process
@pytest.mark.parametrize(
    ("kustomization", "what", "where"),
    [
        ({"namePrefixx": "x-"}, 'unknown field "namePrefixx"', "kustomization.yaml:1"),
        ({"openapi": {"path": "x"}}, "x: no such file or directory", "kustomization.yaml:2"),
        ({"resources": ["gone.yaml"]}, "gone.yaml: no such file", "kustomization.yaml:2"),
        ({"resources": ["https://example.com/x.yaml"]}, "x.yaml lies elsewhere", "resources[0]"),
        ({"resources": ["all.yaml", "all.yaml"]}, "already registered id", "all.yaml"),
        ({"resources": ["."]}, "cycle detected", "kustomization.yaml"),
        ({"resources": "all.yaml"}, "cannot unmarshal string", "kustomization.yaml:1"),
        (
            {"patches": [{"path": "p.yaml", "target": {"kind": "Deployment"}}]},
            "p.yaml: no such file",
            "kustomization.yaml:2",
        ),
        ({"patches": [{"target": {"kind": "Deployment"}}]}, "one of patch and path", "kustomization.yaml"),
        ({"patches": [{"patch": "- op: x"}]}, "must specify a target", "kustomization.yaml:2"),
        (
            {"patches": [{"patch": "- {op: remove, path: /nope}", "target": {"kind": "Deployment"}}]},
            "error in remove for path: '/nope'",
            "kustomization.yaml:2",
        ),
        (
            {"patches": [{"patch": "kind: Deployment", "target": {"kind": "Deployment"}}]},
            "unable to parse SM or JSON patch",
            "kustomization.yaml:2",
        ),
        ({"patches": [{"patch": "kind: Job\nmetadata: {name: x}"}]}, "no matches for Id Job", "kustomization.yaml:4"),
        (
            {"kind": "Component", "apiVersion": "kustomize.config.k8s.io/v1beta1"},
            "apiVersion for Component should be",
            "own",
        ),
        ({"replicas": [{"name": "nobody", "count": 1}]}, "resource with name nobody", "kustomization.yaml:3"),
        (
            {"configMapGenerator": [{"name": "x", "behavior": "merge", "literals": ["a=b"]}]},
            "does not exist; cannot merge or replace",
            "kustomization.yaml:5",
        ),
        ({"configMapGenerator": [{"name": "x", "literals": ["a"]}]}, "expected key=value", "kustomization.yaml:3"),
        ({"configMapGenerator": [{"name": "x", "files": ["gone"]}]}, "gone: no such file", "kustomization.yaml:3"),
        ({"components": ["gone"]}, "gone: no such file", "kustomization.yaml:2"),
        (
            {"replacements": [{"source": {"kind": "Job"}, "targets": [{"select": {"kind": "Service"}}]}]},
            "nothing selected by Job",
            "kustomization.yaml",
        ),
    ],
)
def test_kustomize_mistakes_are_named(tmp_path: Path, kustomization: dict[str, Any], what: str, where: str) -> None:
    error = refused(folder(tmp_path, lambda _documents: None, **kustomization))
    assert what in error.what
    assert where in error.where


def test_a_message_that_the_catalogue_lacks_would_be_found(tmp_path: Path) -> None:
    """Also one in the place of another."""
    own = folder(tmp_path, lambda _documents: None)
    (own / "kustomization.yml").write_text("resources: []")
    error = refused(own)
    assert error.what == f"{own} has kustomization.yaml and kustomization.yml"
    assert len(messages_of(error)) == 3  # the two of it, and what to do
    for each in messages_of(error):
        assert english_of(error, Language("ja", Lacking(each))) == [each]


def test_no_folder_and_no_kustomization(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        error = refused(path)
        assert "no kustomization.yaml" in error.what
        assert "resources:" in error.remedy


@pytest.mark.process
@pytest.mark.parametrize(
    "text", ["a: [", "a: 1\na: 2", "- just a list", "metadata: {name: x}", "kind: A\n---\nkind: B"]
)
def test_ill_formed_resources(tmp_path: Path, text: str) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [r.yaml]", encoding="utf-8")
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    assert "r.yaml" in refused(tmp_path).where


@pytest.mark.process
def test_an_inline_patch_and_its_note(tmp_path: Path) -> None:
    patch = (
        "# reason: three, to see\n#   what happens\n# erratum: x.y\n- {op: replace, path: /spec/replicas, value: 3}\n"
    )
    own = folder(tmp_path, lambda _documents: None, patches=[{"patch": patch, "target": {"kind": "Deployment"}}])
    manifests = load(own)
    assert manifests.deployment.replicas == 3
    (note,) = manifests.patches
    assert (note.reason, note.erratum, note.layer) == ("three, to see what happens", "x.y", "own")


# The digest changes exactly when the pod template does.

SAME: list[Change] = [
    lambda _documents: None,
    spec(DEPLOYMENT, replicas=7),
    lambda d: d["ConfigMap/app-config"]["data"].update(log_level="debug"),
    lambda d: api(d)["resources"]["limits"].update(cpu="1"),
    lambda d: api(d)["resources"]["limits"].update(memory="1024Mi"),
    lambda d: api(d)["readinessProbe"].update(timeoutSeconds=1, failureThreshold=3),
    lambda d: api(d)["ports"][0].update(protocol="TCP"),
    lambda d: pod(d).update(terminationGracePeriodSeconds=30, restartPolicy="Always"),
    lambda d: pod(d)["containers"][1]["resources"].update(limits={}),
]
OTHER: list[Change] = [
    put(image="local-process/other"),
    lambda d: api(d)["resources"]["limits"].update(cpu="1001m"),
    lambda d: api(d)["readinessProbe"].update(timeoutSeconds=2),
    lambda d: api(d)["env"].append({"name": "X", "value": "1"}),
    lambda d: api(d)["env"].reverse(),
    lambda d: pod(d).update(terminationGracePeriodSeconds=31),
    lambda d: d[DEPLOYMENT]["spec"]["template"]["metadata"].update(annotations={"restartedAt": "now"}),
    lambda d: pod(d)["containers"][1].update(args=[]),
]


def template_digest(change: Change) -> str:
    documents = kustomize.render(KUBERNETES / "overlays/local").documents
    documents = copy.deepcopy(documents)
    change(documents)
    return digest.of(documents[DEPLOYMENT]["spec"]["template"])


@pytest.mark.parametrize("change", SAME, ids=range(len(SAME)))
def test_no_change_of_the_pod_template_keeps_the_digest(change: Change) -> None:
    assert template_digest(change) == load(KUBERNETES / "overlays/local").deployment.template.digest


def test_every_change_of_the_pod_template_changes_the_digest() -> None:
    digests = [template_digest(change) for change in (SAME[0], *OTHER)]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    ("text", "millicores", "whole_bytes"),
    [
        ("500m", 500, 1),
        ("1", 1000, 1),
        (2, 2000, 2),
        ("0.1", 100, 1),
        ("512Mi", 512 * 2**20 * 1000, 512 * 2**20),
        ("1Gi", 2**30 * 1000, 2**30),
        ("128M", 128_000_000_000, 128_000_000),
        ("1e3", 1_000_000, 1000),
        ("1E", 10**21, 10**18),
        (".5", 500, 1),
        ("5.", 5000, 5),
        ("1n", 1, 1),
    ],
)
def test_quantities(text: str | int, millicores: int, whole_bytes: int) -> None:
    assert quantity.millicores(text) == millicores
    assert quantity.whole_bytes(text) == whole_bytes


@pytest.mark.parametrize("text", ["", "m", "1 m", "1KiB", "1mi", "Mi", "0x1", "1,5", "NaN", "inf", True])
def test_no_quantities(text: str | bool) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        quantity.parse(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_millicores_round_trip(millicores: int) -> None:
    assert quantity.millicores(f"{millicores}m") == millicores
    assert quantity.millicores(f"{millicores}") == millicores * 1000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6) | st.just("1Gi"),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3),
    max_leaves=6,
)


@pytest.mark.process
@settings(max_examples=examples(60), deadline=None)  # each example writes and reads a folder
@given(st.data())
def test_any_one_value_replaced_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    def change(documents: dict[str, dict[str, Any]]) -> None:
        node: Any = documents
        key: Any = data.draw(st.sampled_from(sorted(documents)))
        while isinstance(node[key], (dict, list)) and node[key] and data.draw(st.integers(0, 9)) > 0:
            node = node[key]
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        node[key] = data.draw(values)

    try:
        load(folder(tmp_path_factory.mktemp("any"), change))
    except BadInput as error:
        assert error.what and error.where and error.remedy


def test_an_empty_key_is_an_absent_one(tmp_path: Path) -> None:
    def change(documents: dict[str, dict[str, Any]]) -> None:
        pod(documents)["containers"][1].update(env=None, ports=None, livenessProbe=None)

    assert load(folder(tmp_path, change)).deployment == load(KUBERNETES / "overlays/local").deployment


def test_a_changed_variable_is_a_new_template_and_an_equal_one_is_not() -> None:
    manifests = load(KUBERNETES / "overlays" / "local")
    changed = with_env(manifests, MIRROR_SHARE_PERCENT="50")
    first = changed.deployment.template.containers[0]
    assert {each.name: each.value for each in first.env}["MIRROR_SHARE_PERCENT"] == "50"
    assert changed.deployment.template.digest != manifests.deployment.template.digest
    assert with_env(changed, MIRROR_SHARE_PERCENT="50") == changed
    assert with_env(manifests, MIRROR_SHARE_PERCENT="50") == changed

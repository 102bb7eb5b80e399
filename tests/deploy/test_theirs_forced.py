"""Folders as other teams have them (``theirs``), forced for each rung by what they mean: nothing of production is left."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.model.manifests import Manifests
from harness.model.stack import EnvironmentKind, Target
from harness.model.variables import expanded
from harness.stack.kubernetes.documents import ClusterFacts, prepared
from harness.stack.manifests import load
from harness.stack.manifests.forced import BY_THE_RUNG, reasons
from harness.stack.manifests.forced.work import containers
from harness.stack.manifests.unsupported_features import not_honoured_by_processes
from harness.stack.target import variables as environment
from harness.stack.target.targets import bundled
from tests.deploy.theirs import CORPUS, STARTING, Theirs
from tests.nowhere import NOWHERE, all_at
from tests.report.marking import english_of

pytestmark = pytest.mark.process
RUNGS = (EnvironmentKind.LOCAL, EnvironmentKind.KIND, EnvironmentKind.KUBE)
OUTSIDE = {
    "postgres": "10.1.0.1:5432", "auth": "10.1.0.2:9099", "firestore": "10.1.0.3:8080", "storage": "10.1.0.4:9199",
}  # fmt: skip
FACTS = ClusterFacts(
    image="target:1", sidecar_image="sidecar:1", command=(), environment={}, outside=OUTSIDE, database_password="p+w",
    node_port=30080, cpu_factor=1.0, namespace="run-1", nodes=("10.1.0.9",),
)  # fmt: skip
KINDS = {
    "ConfigMap", "Secret", "Service", "ServiceAccount", "Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy",
    "PodDisruptionBudget", "Role", "RoleBinding",
}  # fmt: skip


def of(name: str) -> Theirs:
    return next(each for each in CORPUS if each.name == name)


def target_of(theirs: Theirs, target: Target | None = None) -> Target:
    """The target, with what a person would say of this folder in a target file."""
    said = theirs.target
    found: dict[str, tuple[str, ...]] = {}
    for key, value in said.items():
        if isinstance(value, dict):
            found |= {f"{key}.{part}": (name,) for part, name in value.items()}
    deployment = str(said.get("deployment", ""))
    return msgspec.structs.replace(target or bundled(), deployment=deployment, variables=found)


def loaded(theirs: Theirs, rung: EnvironmentKind, target: Target | None = None) -> Manifests:
    return load(theirs.path, rung, target_of(theirs, target))


def applied(manifests: Manifests, facts: ClusterFacts = FACTS) -> dict[str, dict[str, Any]]:
    """The documents as the API server gets them, by ``Kind/name``."""
    told = msgspec.structs.replace(facts, service=manifests.service, deployment=manifests.deployment.name)
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in prepared(manifests, told)}


def variables(documents: dict[str, dict[str, Any]], key: str, place: int = 0) -> dict[str, str]:
    """What a container's process would see, of ConfigMaps and Secrets too."""

    def value(kind: str, ref: dict[str, str]) -> str:
        text = documents[f"{kind}/{ref['name']}"].get("data", {})[ref["key"]]
        return base64.b64decode(text).decode() if kind == "Secret" else str(text)

    found: dict[str, str] = {}
    container = containers(documents[key]["spec"]["template"]["spec"])[place]
    for each in container.get("envFrom", []):
        for word, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if word in each:
                data = documents[f"{kind}/{each[word]['name']}"].get("data", {})
                ref = each[word]["name"]
                found |= {each.get("prefix", "") + name: value(kind, {"name": ref, "key": name}) for name in data}
    for each in container.get("env", []):
        source = each.get("valueFrom", {})
        if "configMapKeyRef" in source or "secretKeyRef" in source:
            kind = "ConfigMap" if "configMapKeyRef" in source else "Secret"
            ref = source.get("configMapKeyRef") or source["secretKeyRef"]
            if not (ref.get("optional") and f"{kind}/{ref['name']}" not in documents):
                found[each["name"]] = value(kind, ref)
        elif not source:
            found[each["name"]] = expanded(str(each.get("value", "")), found)
    return found


@pytest.mark.parametrize("theirs", STARTING, ids=lambda each: each.name)
@pytest.mark.parametrize("rung", RUNGS)
def test_every_folder_that_starts_is_planned_for_every_rung(theirs: Theirs, rung: EnvironmentKind) -> None:
    manifests = loaded(theirs, rung)
    assert manifests.deployment.template.containers[0].readiness is not None
    forced = [note for note in manifests.patches if note.forced]
    assert {note.layer for note in forced} == {f"rung/{rung}"}
    assert {note.reason for note in forced} <= set(reasons.ALL), "each has a reason of the list, which is translated"
    assert {key.partition("/")[0] for key in manifests.documents} <= KINDS
    if rung is EnvironmentKind.LOCAL:
        assert all(str(line).startswith(tuple(manifests.documents)) for line in not_honoured_by_processes(manifests))
        return
    documents = applied(manifests)
    assert BY_THE_RUNG not in str(documents)
    assert "namespace" not in str([each["metadata"] for each in documents.values()])
    (service,) = [each for key, each in documents.items() if key == f"Service/{manifests.service}"]
    assert service["spec"].get("type", "ClusterIP") == ("NodePort" if rung is EnvironmentKind.KIND else "ClusterIP")


@pytest.mark.parametrize("theirs", STARTING, ids=lambda each: each.name)
def test_the_target_is_told_the_run_s_own_database_and_firebase_whatever_its_folder_says(theirs: Theirs) -> None:
    manifests = loaded(theirs, EnvironmentKind.KIND)
    documents = applied(manifests)
    seen = variables(documents, f"Deployment/{manifests.deployment.name}")
    proxied = bool(manifests.sidecar)
    assert seen["DB_HOST"] in (("localhost", "127.0.0.1") if proxied else ("10.1.0.1",))
    if proxied:
        pod = documents[f"Deployment/{manifests.deployment.name}"]["spec"]["template"]["spec"]
        (proxy,) = [each for each in containers(pod) if each["image"] == "sidecar:1"]
        assert proxy["args"][0] == seen["DB_PORT"], "the proxy listens where the target asks"
    assert (seen["DB_USER"], seen["DB_NAME"], seen["DB_PASSWORD"]) == ("tekutoko", "tekutoko", "p+w")
    assert seen["DB_SSLMODE"] == "disable"
    assert seen["FIREBASE_AUTH_EMULATOR_HOST"] == OUTSIDE["auth"]
    assert seen["FIRESTORE_EMULATOR_HOST"] == OUTSIDE["firestore"]
    assert seen["STORAGE_EMULATOR_HOST"] == f"http://{OUTSIDE['storage']}"
    assert {seen["FIREBASE_PROJECT_ID"], seen["GOOGLE_CLOUD_PROJECT"]} == {"demo-tekutoko"}
    assert seen["PORT"] == str(manifests.service_target_port)
    assert seen.get("ENVIRONMENT", "") not in ("production", "prod")
    assert not seen.get("FIREBASE_CREDENTIALS_PATH") and not seen.get("GOOGLE_APPLICATION_CREDENTIALS")


@pytest.mark.parametrize("theirs", STARTING, ids=lambda each: each.name)
def test_a_process_is_told_the_same(theirs: Theirs) -> None:
    ends = all_at(storage=NOWHERE, database_password="p+w")
    target = target_of(theirs)
    container = loaded(theirs, EnvironmentKind.LOCAL).deployment.template.containers[0]
    seen = environment.of_target(container, target, ends, pod="p", port=7, database_port=8)
    assert (seen["DB_HOST"], seen["DB_PORT"], seen["DB_PASSWORD"], seen["PORT"]) == ("127.0.0.1", "8", "p+w", "7")
    for names in target.variables.values():
        assert all(seen[name] in ("127.0.0.1", "8", "p+w", "tekutoko", "disable") or "127.0.0.1:8" in seen[name]
                   for name in names), seen  # fmt: skip
    assert seen.get("ENVIRONMENT") not in ("production", "prod")


def notes(theirs: Theirs, rung: EnvironmentKind = EnvironmentKind.KIND, target: Target | None = None) -> dict[str, str]:
    return {note.name: note.reason for note in loaded(theirs, rung, target).patches if note.forced}


def test_what_a_cluster_lacks_is_left_out_and_named() -> None:
    found = notes(of("replacements"))
    for kind in ("ManagedCertificate", "BackendConfig", "FrontendConfig"):
        assert found[f"{kind}/tekutoko"] == reasons.OTHER_KIND
    assert found["Ingress/tekutoko"] == reasons.FRONT
    assert notes(of("sealed_secrets"))["PriorityClass/walk-serving"] == reasons.BEYOND
    assert notes(of("sealed_secrets"))["Deployment/tekutoko-backend priorityClassName"] == reasons.PLACES
    assert notes(of("replacements"))["ServiceAccount/tekutoko iam.gke.io/gcp-service-account"] == reasons.IDENTITY


@pytest.mark.parametrize("theirs", [each for each in STARTING if each.secrets_elsewhere], ids=lambda each: each.name)
def test_secrets_made_elsewhere_are_stood_in_for_and_listed(theirs: Theirs) -> None:
    manifests = loaded(theirs, EnvironmentKind.KIND)
    told = " ".join(note.name for note in manifests.patches if note.reason == reasons.SECRET)
    for name, keys in theirs.secrets_elsewhere.items():
        if name == "regcred":  # a registry's, which nobody asks
            assert f"Secret/{name}" not in manifests.documents
            continue
        assert set(manifests.documents[f"Secret/{name}"]["stringData"]) >= set(keys)
        assert f"Secret/{name}" in told and all(key in told for key in keys)


def test_a_target_file_gives_the_values_of_a_secret() -> None:
    theirs = of("secret_by_hand")
    given = {"walk-db": {"user": "somebody", "sign": "s3"}}
    manifests = loaded(theirs, EnvironmentKind.KIND, msgspec.structs.replace(bundled(), secrets=given))
    data = manifests.documents["Secret/walk-db"]["stringData"]
    assert data["sign"] == "s3"
    assert data["user"] == "tekutoko", "what means the database is the run's own"
    assert any(note.reason == reasons.GIVEN_SECRET for note in manifests.patches)
    container = loaded(theirs, EnvironmentKind.LOCAL, msgspec.structs.replace(bundled(), secrets=given))
    assert "s3" not in str(container.deployment.template.containers[0].env), "a Secret's value is shown nowhere"


def test_only_the_target_s_own_image_runs_its_migrations_in_the_cluster() -> None:
    job, init = of("migration_job"), of("init_migrations")
    assert notes(job)["Job/walkd-migrate"] == notes(init)["initContainers/migrate"] == reasons.JOB
    assert notes(job, EnvironmentKind.LOCAL)["Job/walkd-migrate"] == reasons.NO_JOBS
    own = Target(name="own", command=(), image="own:1")
    documents = applied(loaded(job, EnvironmentKind.KIND, own))
    order = list(documents)
    assert order.index("Job/walkd-migrate") < order.index("Deployment/walkd")
    migrate = documents["Job/walkd-migrate"]["spec"]["template"]["spec"]["containers"][0]
    assert (migrate["image"], migrate["args"]) == ("target:1", ["migrate", "up"])
    assert variables(documents, "Job/walkd-migrate")["DB_HOST"] == "10.1.0.1", "no proxy runs beside it"
    assert "ttlSecondsAfterFinished" not in documents["Job/walkd-migrate"]["spec"]
    pod = applied(loaded(init, EnvironmentKind.KIND, own))["Deployment/walk-server"]["spec"]["template"]["spec"]
    assert [each["name"] for each in pod["initContainers"]] == ["sql", "migrate"]
    assert [each["image"] for each in pod["initContainers"]] == ["sidecar:1", "target:1"]


def test_a_url_is_made_of_the_run_s_own_parts() -> None:
    theirs = of("migration_job")
    seen = variables(applied(loaded(theirs, EnvironmentKind.KIND)), "Deployment/walkd")
    assert seen["DATABASE_URL"] == "postgresql://tekutoko:p+w@10.1.0.1:5432/tekutoko?sslmode=disable"


def test_of_several_containers_the_one_that_is_probed_and_served_is_the_target() -> None:
    manifests = loaded(of("selectors"), EnvironmentKind.KIND)
    names = [each.name for each in manifests.deployment.template.containers]
    found = notes(of("selectors"))
    assert len(names) == 2 and manifests.sidecar == names[1]
    assert [reason for name, reason in found.items() if name.startswith("containers/")].count(reasons.BESIDE) == 1
    keep = msgspec.structs.replace(
        bundled(), keep=tuple(n.partition("/")[2] for n, r in found.items() if r == reasons.BESIDE)
    )
    kept = loaded(of("selectors"), EnvironmentKind.KIND, keep)
    assert len(kept.deployment.template.containers) == 3 and len(kept.beside) == 1


def test_a_class_that_is_left_out_is_named_by_no_pod() -> None:
    """Seen on a cluster: "pods are forbidden: no PriorityClass with name walk-serving was found"."""
    for rung in (EnvironmentKind.KIND, EnvironmentKind.KUBE):
        manifests = loaded(of("sealed_secrets"), rung)
        assert "priorityClassName" not in str(manifests.documents) and "walk-serving" in str(manifests.written)
    assert (
        notes(of("sealed_secrets"), EnvironmentKind.KUBE)["Deployment/tekutoko-backend priorityClassName"]
        == reasons.CLASS
    )


def test_what_processes_cannot_keep_is_said_without_the_advice_to_keep_it() -> None:
    """Nothing that ``keep`` names runs on local, and the report does not send anybody there."""
    worker = msgspec.structs.replace(bundled(), keep=("Deployment/thumbnails",))
    assert notes(of("monorepo"), EnvironmentKind.LOCAL, worker)["Deployment/thumbnails"] == reasons.NO_CONTAINERS
    assert "Deployment/thumbnails" not in notes(of("monorepo"), EnvironmentKind.KUBE, worker)
    helper = msgspec.structs.replace(bundled(), keep=("otel-collector",))
    assert notes(of("selectors"), EnvironmentKind.LOCAL, helper)["containers/otel-collector"] == reasons.NO_CONTAINERS
    assert loaded(of("selectors"), EnvironmentKind.LOCAL, helper).beside == ()


def test_another_name_for_the_environment_and_for_a_credentials_file_is_said_by_the_target_file(tmp_path: Path) -> None:
    shutil.copytree(of("flat").path, tmp_path / "flat")
    file = tmp_path / "flat" / "settings.env"
    file.write_text(file.read_text() + "APP_MODE=prod\nKEY_FILE=/etc/key.json\n")
    said = {"environment": ("APP_MODE",), "credentials": ("KEY_FILE",)}
    manifests = load(tmp_path / "flat", EnvironmentKind.KIND, msgspec.structs.replace(bundled(), variables=said))
    seen = variables(applied(manifests), "Deployment/walk-api")
    assert (seen["APP_MODE"], seen["ENVIRONMENT"], seen["KEY_FILE"]) == ("staging", "staging", "")


def refusals() -> Iterator[tuple[str, Target, str, str]]:
    yield "two_apps", bundled(), "several Deployments", "deployment: walk-read"
    yield "two_apps", msgspec.structs.replace(bundled(), deployment="walk", file="t.yaml"), "'walk' is not", "walk-read"
    yield "flat", msgspec.structs.replace(bundled(), deployment="walk-api/other"), "no container 'other'", "server"
    yield "flat", msgspec.structs.replace(bundled(), keep=("redis",)), "keep names redis", "Deployment/walk-api"


@pytest.mark.parametrize(("name", "target", "says", "remedy"), list(refusals()))
def test_what_cannot_be_known_is_refused_with_what_would_make_it_work(
    name: str, target: Target, says: str, remedy: str
) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        load(of(name).path, EnvironmentKind.KIND, target)
    assert remedy in refused.value.remedy
    assert english_of(refused.value) == []
    assert str(ROOT / "deploy") not in str(refused.value)


def test_a_refusal_names_the_file_and_the_line_of_theirs(tmp_path: Path) -> None:
    shutil.copytree(of("flat").path, tmp_path / "flat")
    file = tmp_path / "flat" / "deployment.yaml"
    text = file.read_text().replace("limits: {memory: 512Mi}", "limits: {memory: 512Mo}")
    file.write_text(text)
    line = next(at for at, each in enumerate(text.splitlines(), 1) if "512Mo" in each)
    with pytest.raises(BadInput, match="512Mo") as refused:
        load(tmp_path / "flat", EnvironmentKind.KIND, bundled())
    assert f"{file}:{line}" in refused.value.where
    assert english_of(refused.value) == []

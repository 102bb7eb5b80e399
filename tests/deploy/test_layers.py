"""The three layers: document/ says what the document prints, base/ and overlays/ change it only by explained patches."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base import bootstrap
from harness.base.data import DOCUMENT, ROOT
from harness.model.stack import EnvironmentKind
from harness.rules.objectives.render import EXTERNAL_P95
from harness.run.scenarios import index
from harness.stack.manifests import kustomize, layers, load
from harness.stack.manifests.forced import reasons
from tests.scenarios.document import seed_text

KUBERNETES = ROOT / "deploy" / "kubernetes"
LAYERS = [pytest.param(each, id=each.name) for each in kustomize.bundled()]

#: docs/contract/environment.md#variables; the emulators' hosts and the credentials' path are the rung's.
CONTRACT = {
    "PORT",
    "ENVIRONMENT",
    "DB_HOST",
    "DB_PORT",
    "DB_USER",
    "DB_PASSWORD",
    "DB_NAME",
    "DB_SSLMODE",
    "FIREBASE_PROJECT_ID",
    "GOOGLE_CLOUD_PROJECT",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "POD_NAME",
}

#: Where the document prints each file.
PRINTED = {
    "deployment.yaml": "1. Deployment設定/code 1",
    "service.yaml": "2. Service設定（LoadBalancer）/code 1",
    "configmap.yaml": "3. ConfigMap設定/code 1",
    "secret.yaml": "4. Secret設定（テンプレート）/code 1",
    "hpa.yaml": "5. HPA設定（Auto Scaling）/code 1",
    "poddisruptionbudget.yaml": "6. PodDisruptionBudget設定（可用性担保）/code 1",
    "serviceaccount.yaml": "7. ServiceAccount設定（Workload Identity）/code 1",
}


TERRAFORM = DOCUMENT / "backend/deploy/terraform"
#: The files that each block of the document is, to the letter; the Deployment is of three blocks (``_deployment``).
TO_THE_LETTER = {
    **{place: (KUBERNETES / "document" / name,) for name, place in PRINTED.items() if name != "deployment.yaml"},
    "GKEクラスタ作成/code 1": (DOCUMENT / "cluster.sh",),
    "GitHub Actions ワークフロー/code 1": (DOCUMENT / ".github/workflows/deploy.yml",),
    "Terraform State管理/code 1": (TERRAFORM / "environments/prod/backend.tf",),
    "管理対象リソース/code 1": tuple(
        TERRAFORM / "modules" / name / "main.tf" for name in ("gke-autopilot", "cloud-sql")
    ),
}


def parsed(text: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(text)
    return data


def _deployment() -> dict[str, str]:
    """By their places, the block of the Deployment and the two that the document says to add to it (``に追加``)."""
    added = "# deployment.yamlに追加\n"
    text = (KUBERNETES / "document" / "deployment.yaml").read_text("utf-8")
    before, _, rest = text.partition("  # デプロイ戦略: 「deployment.yamlに追加」\n")
    strategy, selector, rest = rest.partition("  selector:\n")
    after, _, volumes = rest.partition(
        "\n      # Secret Manager CSI Driver: 「deployment.yamlに追加」（Phase2実装項目）\n"
    )
    return {
        PRINTED["deployment.yaml"]: before + selector + after,
        "デプロイ戦略/code 1": f"{added}spec:\n{strategy}",
        "セキュリティ強化施策（Phase2実装項目）/code 1": added + textwrap.dedent(volumes),
    }


def test_what_is_printed_stands_to_the_letter() -> None:
    """By the digests of the committed index, also where the document is not at hand."""
    texts = {
        place: "\n\n".join(each.read_text("utf-8").strip() for each in its) for place, its in TO_THE_LETTER.items()
    }
    found = [
        index.DocumentBlock(place=place, kind="code", text=text) for place, text in (texts | _deployment()).items()
    ]
    known = {each.place: each.digest for each in index.committed()}
    assert [each.place for each in found if each.entry().digest != known[each.place]] == []
    files = {path for its in TO_THE_LETTER.values() for path in its} | {KUBERNETES / "document" / "deployment.yaml"}
    there = {path for folder in (DOCUMENT, KUBERNETES / "document") for path in folder.rglob("*") if path.is_file()}
    assert there - files == {KUBERNETES / "document" / "kustomization.yaml"}, "the one that is ours"


@pytest.mark.document
@pytest.mark.parametrize("name", PRINTED)
def test_document_is_unchanged_in_meaning(name: str) -> None:
    printed = {block.place: block.text for block in index.blocks(seed_text())}
    wanted = parsed(printed[PRINTED[name]])
    if name == "deployment.yaml":  # the two fragments under 「deployment.yamlに追加」
        wanted["spec"] |= parsed(printed["デプロイ戦略/code 1"])["spec"]
        wanted["spec"]["template"]["spec"] |= parsed(printed["セキュリティ強化施策（Phase2実装項目）/code 1"])
    assert parsed((KUBERNETES / "document" / name).read_text(encoding="utf-8")) == wanted


def test_document_lists_all_its_files_and_patches_none() -> None:
    kustomization = parsed((KUBERNETES / "document" / "kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(kustomization["resources"]) == sorted(PRINTED)
    assert "patches" not in kustomization
    assert {path.name for path in (KUBERNETES / "document").iterdir()} == {*PRINTED, "kustomization.yaml"}


def test_base_passes_the_whole_environment_contract() -> None:
    for layer in ("base", "overlays/local"):
        container = load(KUBERNETES / layer).deployment.template.containers[0]
        assert {variable.name for variable in container.env} == CONTRACT


def test_the_rehearsal_is_never_in_production() -> None:
    assert load(KUBERNETES / "document").config["environment"] == "production"
    assert load(KUBERNETES / "base").config["environment"] == "staging"


@pytest.mark.parametrize("rung", [EnvironmentKind.KIND, EnvironmentKind.KUBE])
def test_the_project_never_reaches_firebase(rung: EnvironmentKind) -> None:
    env = load(KUBERNETES / "overlays" / rung, rung).deployment.template.containers[0].env
    projects = {each.value for each in env if each.name in ("FIREBASE_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")}
    assert projects == {"demo-tekutoko"}


@pytest.mark.parametrize("layer", ["base", "overlays/kind-networkpolicy", "overlays/kind-secret-manager"])
def test_every_patch_has_its_reason_and_is_used(layer: str) -> None:
    folder = KUBERNETES / layer
    used = [patch["path"] for patch in parsed((folder / "kustomization.yaml").read_text(encoding="utf-8"))["patches"]]
    assert sorted(used) == sorted(str(path.relative_to(folder)) for path in (folder / "patches").iterdir())
    for path in used:
        reason, erratum = layers.notes((folder / path).read_text(encoding="utf-8"))
        assert len(reason) > 40, path
        assert layer == "base" or not erratum, f"{path}: an overlay changes what the rung forces, not the document"
    notes = [note for note in load(folder).patches if note.layer == layer]
    assert [note.name for note in notes] == [Path(path).stem for path in used]


def test_the_local_rung_forces_nothing_but_images() -> None:
    base, local = (
        kustomize.render(KUBERNETES / "base").documents,
        load(KUBERNETES / "overlays/local", EnvironmentKind.LOCAL).documents,
    )
    for container in range(2):
        for documents in (base, local):
            documents["Deployment/tekutoko-api"]["spec"]["template"]["spec"]["containers"][container].pop("image")
    assert base == local


def test_the_overlay_of_a_rung_forces_by_meaning_alone() -> None:
    base = kustomize.render(KUBERNETES / "base").documents
    for rung in ("local", "kind", "kube"):
        assert kustomize.render(KUBERNETES / "overlays" / rung).documents == base
    notes = [note for note in load(KUBERNETES / "overlays/kind", EnvironmentKind.KIND).patches if note.forced]
    assert {note.layer for note in notes} == {"rung/kind"}
    assert {note.reason for note in notes} <= set(reasons.ALL)
    names = [note.name for note in notes]
    assert {"target-image", "sidecar-image", "node-port", "outside-services"} <= set(names)
    assert all(len(reason) > 40 for reason in reasons.ALL)


def test_the_replicas_probes_and_limits_of_the_document_reach_every_layer() -> None:
    def figures(layer: str) -> list[Any]:
        manifests = load(KUBERNETES / layer)
        containers = manifests.deployment.template.containers
        return [
            manifests.deployment.replicas,
            manifests.deployment.strategy,
            manifests.hpa,
            manifests.pdb,
            [(c.liveness, c.readiness, c.request_cpu_m, c.request_memory_bytes, c.limit_cpu_m) for c in containers],
        ]

    assert figures("document") == figures("base") == figures("overlays/local")


def test_the_external_metric_is_the_document_s_commented_one() -> None:
    printed = (KUBERNETES / "document" / "hpa.yaml").read_text(encoding="utf-8")
    _, _, commented = printed.partition("# Phase4で追加予定")
    lines = [line.removeprefix("  # ") for line in commented.splitlines() if line.startswith("  # ")]
    of_document, of_overlay = (load(KUBERNETES / layer) for layer in ("document", "overlays/kind-latency"))
    (external,) = yaml.safe_load("\n".join(lines))
    scaler = "HorizontalPodAutoscaler/tekutoko-api-hpa"
    assert of_overlay.documents[scaler]["spec"]["metrics"] == [
        *of_document.documents[scaler]["spec"]["metrics"],
        external,
    ]
    assert external["external"]["metric"]["name"] == EXTERNAL_P95, "what deploy/monitoring serves"
    assert of_overlay.hpa is not None and of_overlay.hpa.metrics[-1].value_m == 500


def test_no_secret_is_committed() -> None:
    secret = kustomize.render(KUBERNETES / "overlays/local").documents["Secret/app-secret"]
    assert set(secret["data"].values()) == {"c2V0LWJ5LXRoZS1ydW5n"}  # "set-by-the-rung"


def test_what_is_committed_is_of_the_layers_as_they_now_are() -> None:
    """Else a run would ask kubectl, which the main job does without."""
    stale = [each.name for each, file in kustomize.bundled().items() if not kustomize.is_current(each)]
    assert stale == [], "python3 -m harness.stack.manifests writes them anew"
    assert {*kustomize.RENDERED.iterdir()} == {*kustomize.bundled().values()}


@pytest.mark.process
@pytest.mark.parametrize("layer", LAYERS)
def test_kubectl_renders_what_is_committed(layer: Path) -> None:
    """The locked one to the letter; the one of the PATH, where it is new enough, the same documents."""
    text = kustomize.bundled()[layer].read_text(encoding="utf-8")
    assert kustomize.sealed(layer, str(bootstrap.program("kubectl"))) == text
    theirs = kustomize.sealed(layer, kustomize.program())
    assert list(yaml.safe_load_all(theirs)) == list(yaml.safe_load_all(text))


def test_a_layer_that_was_changed_is_rendered_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    monkeypatch.setattr(kustomize, "KUBERNETES", tmp_path / "kubernetes")
    monkeypatch.setattr(kustomize, "RENDERED", tmp_path / "kubernetes" / "rendered")
    layer, hpa = tmp_path / "kubernetes" / "overlays" / "local", tmp_path / "kubernetes" / "document" / "hpa.yaml"
    assert kustomize.is_current(layer)
    hpa.write_text(hpa.read_text("utf-8").replace("minReplicas: 2", "minReplicas: 3"), encoding="utf-8")
    assert not kustomize.is_current(layer)
    (tmp_path / "kubernetes" / "base" / "patches" / "environment.yaml").write_text("# nothing")
    assert not kustomize.is_current(tmp_path / "kubernetes" / "base")


def test_placeholders_are_the_documents_own() -> None:
    text = yaml.safe_dump_all(kustomize.render(KUBERNETES / "overlays/local").documents.values())
    assert (
        set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text)) & {"BASE64_ENCODED_PASSWORD", "BASE64_ENCODED_JSON"} == set()
    )


@pytest.mark.process
def test_the_ingress_ends_https_and_leads_to_the_service(tmp_path: Path) -> None:
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    mine = tmp_path / "kubernetes" / "overlays" / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text("resources: [../../base]\ncomponents: [../../components/ingress]\n")
    found = load(mine)
    ingress, service = found.documents["Ingress/tekutoko-api"], found.documents["Service/tekutoko-api"]
    assert service["spec"]["type"] == "ClusterIP", "no way in beside the Ingress"
    (rule,) = ingress["spec"]["rules"]
    assert [tls["hosts"] for tls in ingress["spec"]["tls"]] == [[rule["host"]]], "every host ends TLS"
    (path,) = rule["http"]["paths"]
    assert path["path"] == "/v1", "probes, metrics and what else the pods serve stay inside"
    backend = path["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] in [port["name"] for port in service["spec"]["ports"]]
    assert ingress["metadata"]["annotations"]["kubernetes.io/ingress.allow-http"] == "false"

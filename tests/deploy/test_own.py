"""A person's own kustomize folder (``--manifests``): rendered as kustomize does, honoured or said not to be."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.model.autoscaling import PolicyKind
from harness.model.manifests import Probe
from harness.model.stack import EnvironmentKind, Target
from harness.stack.environments.choice import manifests_of, overlay
from harness.stack.manifests import load
from harness.stack.manifests.unsupported_features import not_honoured_by_processes
from harness.stack.target.targets import bundled

pytestmark = pytest.mark.process
OWN = Path(__file__).parent / "own"
KUBERNETES = ROOT / "deploy" / "kubernetes"


def test_what_it_asks_for_is_read() -> None:
    manifests = load(OWN)
    container = manifests.deployment.template.containers[0]
    assert container.startup == Probe(path="/health", port=8080, period_s=1, failure_threshold=60)
    assert container.readiness == Probe(path="/ready", port=8080, period_s=5)
    assert manifests.deployment.template.termination_grace_s == 20
    assert manifests.hpa is not None and manifests.hpa.behavior is not None
    down = manifests.hpa.behavior.down
    assert (down.stabilization_s, [(p.kind, p.value, p.period_s) for p in down.policies]) == (
        120,
        [(PolicyKind.PODS, 1, 60)],
    )
    assert manifests.pdb is not None and manifests.pdb.min_available == "50%"
    assert {note.reason for note in manifests.patches} >= {"What the platform's own rules ask for."}


def test_the_rung_forces_its_own_upon_a_folder_made_for_none() -> None:
    manifests = load(OWN, EnvironmentKind.KIND)
    images = [each.image for each in manifests.deployment.template.containers]
    assert images == ["tekutoko-rehearsal/api:current", "tekutoko-rehearsal/database-sidecar:current"]
    assert manifests.documents["ConfigMap/rehearsal-outside"]["data"]["auth"] == "set-by-the-rung/auth"
    raw = manifests.documents["Deployment/tekutoko-api"]["spec"]["template"]["spec"]
    assert raw["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert "rung/kind" in {note.layer for note in manifests.patches if note.forced}


def test_a_commands_folder_and_another_in_its_place_are_forced_alike() -> None:
    class Asked(NamedTuple):
        rung: EnvironmentKind
        manifests: Path
        target: Target = bundled()

    for found in (
        manifests_of(Asked(EnvironmentKind.KIND, OWN)),
        manifests_of(Asked(EnvironmentKind.KIND, overlay(EnvironmentKind.KIND)), OWN),
        manifests_of(Asked(EnvironmentKind.KUBE, OWN)),
    ):
        assert "ConfigMap/rehearsal-outside" in found.documents
    assert found.documents["Service/tekutoko-api"]["spec"]["type"] == "ClusterIP"  # of the last, on kube
    processes = manifests_of(Asked(EnvironmentKind.LOCAL, OWN)).deployment.template.containers
    assert [each.image for each in processes] == ["local-process/target", "local-process/database-proxy"]


def test_what_processes_cannot_honour_is_said() -> None:
    said = not_honoured_by_processes(load(OWN))
    told = " ".join(map(str, said))
    for word in ("securityContext of the pod", "securityContext of container api", "topologySpreadConstraints",
                 "volumes of the pod", "volumeMounts of container api"):  # fmt: skip
        assert word in told
    assert "startupProbe" not in told  # it is kept
    assert not_honoured_by_processes(load(overlay(EnvironmentKind.LOCAL))) == ()


MORE = {
    "resources": ["../own"],
    "labels": [{"pairs": {"team": "walks"}}],
    "images": [{"name": "gcr.io/PROJECT_ID/tekutoko-api", "newTag": "v2"}],
}


def more(tmp_path: Path) -> Path:
    shutil.copytree(KUBERNETES, tmp_path / "deploy" / "kubernetes")
    shutil.copytree(OWN, tmp_path / "tests" / "deploy" / "own")
    folder = tmp_path / "tests" / "deploy" / "more"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(MORE), encoding="utf-8")
    return folder


def test_more_of_kustomize_is_read(tmp_path: Path) -> None:
    manifests = load(more(tmp_path), EnvironmentKind.KIND)
    assert manifests.documents["Service/tekutoko-api"]["metadata"]["labels"] == {"team": "walks"}
    assert "environment" in {note.name for note in manifests.patches}  # of base, below it
    plain = load(more(tmp_path / "again"))
    assert plain.deployment.template.containers[0].image == "gcr.io/PROJECT_ID/tekutoko-api:v2"


def test_a_folder_s_own_metadata_are_kept_and_ours_taken_off(tmp_path: Path) -> None:
    folder = more(tmp_path)
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump({**MORE, "buildMetadata": ["managedByLabel"]}), encoding="utf-8"
    )
    documents = load(folder, EnvironmentKind.KIND).documents
    labels = documents["Service/tekutoko-api"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"].startswith("kustomize-")
    assert "config.kubernetes.io" not in str(documents)


def test_a_key_that_nobody_knows_is_refused_with_its_line(tmp_path: Path) -> None:
    folder = more(tmp_path)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({**MORE, "nonsense": 1}), encoding="utf-8")
    with pytest.raises(BadInput, match='unknown field "nonsense"') as caught:
        load(folder)
    assert re.search(r"kustomization.yaml:\d+$", caught.value.where)


def test_a_patch_that_names_no_resource_is_refused(tmp_path: Path) -> None:
    folder = more(tmp_path)
    patch = "kind: Deployment\nmetadata: {name: other}\nspec: {replicas: 3}\n"
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["../own"], "patches": [{"patch": patch}]}), encoding="utf-8"
    )
    with pytest.raises(BadInput, match=r"no matches for Id Deployment.*/other"):
        load(folder)

"""The plan, the component and what is tried; the driver's DaemonSet; the report where nothing can be exercised."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from offline_kind.programs import MODULES

from harness.base import planfile
from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.model.stack import EnvironmentKind
from harness.rehearsals.secret_rotation import rehearsal
from harness.rehearsals.secret_rotation.command import SecretRotationCommand
from harness.rehearsals.secret_rotation.rehearsal import PAIR, other
from harness.rehearsals.secret_rotation.types import RotationPlan
from harness.stack.kind import secrets_driver
from harness.stack.manifests import load as load_manifests
from tests.rehearsal.refused import refused

OVERLAY = ROOT / "deploy" / "kubernetes" / "overlays" / "kind-secret-manager"


def test_the_bundled_plan() -> None:
    plan = planfile.bundled("secret_rotation", RotationPlan)
    assert [part.name for part in plan.parts] == ["as_written", "start", "naive", "two_roles"]
    assert plan.poll_s == 20
    assert [part.name for part in SecretRotationCommand(only=("start",)).planned().parts] == ["start"]
    with pytest.raises(BadInput, match="is none"):
        SecretRotationCommand(only=("begin",)).planned()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kind: naive", "kind: native", "'native' is none of as_written, start, .*did you mean 'naive'"),
        ("iac.csi_rotation_gap", "iac.csi_rotation_gab", "did you mean"),
        ("load: 180s", "load: 0s", "a rotation needs a load"),
        ("rate: 10/s", "rate: 100/s", "a rotation needs a load"),
        ("name: start", "name: naive", "one name"),
        ("  watch: 40s", "  load: 40s", "kind 'as_written' does not read 'load'"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert re.search(told, refused("secret_rotation", RotationPlan, tmp_path, old, new))


def test_the_component_has_all_that_the_volume_lacks() -> None:
    manifests = load_manifests(OVERLAY, EnvironmentKind.KIND)
    assert "Secret/app-secret" not in manifests.documents  # the driver makes it
    provider = manifests.documents["SecretProviderClass/tekutoko-secrets"]["spec"]
    pod = manifests.documents["Deployment/tekutoko-api"]["spec"]["template"]["spec"]
    (volume,) = pod["volumes"]
    assert volume["csi"]["volumeAttributes"]["secretProviderClass"] == "tekutoko-secrets"
    assert [mount["name"] for mount in pod["containers"][0]["volumeMounts"]] == [volume["name"]]
    written = {entry["path"] for entry in yaml.safe_load(provider["parameters"]["secrets"])}
    synced = {each["objectName"]: each["key"] for each in provider["secretObjects"][0]["data"]}
    assert synced.keys() == written
    sources = {each.name: each.source for each in manifests.deployment.template.containers[0].env}
    assert sources["DB_USER"] == "secret:app-secret/db_user"
    assert sources["DB_PASSWORD"] == "secret:app-secret/db_password"
    assert set(manifests.secret_keys) == set(synced.values())


def test_what_is_tried() -> None:
    tried = rehearsal.manifests_of(OVERLAY, EnvironmentKind.KIND)
    pods = {name: each.documents["Deployment/tekutoko-api"]["spec"]["template"]["spec"] for name, each in tried.items()}
    assert list(pods) == ["alone", "classless", "existing"]
    assert {str(pod["volumes"]) for pod in pods.values()} == {str(pods["alone"]["volumes"])}  # all the document's
    assert "volumeMounts" not in pods["alone"]["containers"][0]
    assert pods["classless"]["containers"][0]["volumeMounts"] == pods["existing"]["containers"][0]["volumeMounts"]
    assert ["SecretProviderClass/tekutoko-secrets" in each.documents for each in tried.values()] == [False, False, True]
    assert all("Secret/app-secret" in each.documents for each in tried.values())


def test_the_daemon_set_is_filled_in() -> None:
    text = secrets_driver.daemon_set("image:1", 20)
    assert "set-by-the-rung" not in text
    containers = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"]
    assert {container["image"] for container in containers} == {"image:1"}
    assert "--rotation-poll-interval=20s" in containers[0]["command"]
    programs = {container["command"][0] for container in containers}
    assert programs == set(MODULES["secrets-store"].programs)


def test_two_roles_take_turns() -> None:
    assert (other(PAIR[0]), other(PAIR[1])) == (PAIR[1], PAIR[0])

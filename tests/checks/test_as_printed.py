"""What the document prints, held against the manifests that were applied."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.data import KUBERNETES, OVERLAYS, ROOT
from harness.checks.as_printed import PRINTED, AppliedManifests, applied, as_printed
from harness.model.claim import ShownOn
from harness.model.judgement import Judgement, Verdict
from harness.model.manifests import FIXED_HERE, NOT_READABLE, STILL_THERE, Container, Manifests, RepositoryErratum
from harness.model.message import message
from harness.model.stack import EnvironmentKind
from harness.run.options import Options
from harness.stack.environments.choice import manifests_of
from harness.stack.manifests import load
from harness.stack.target.targets import bundled
from tests import register as claims

FOUND = applied(load(OVERLAYS / "local"))
HTTPS, UNUSED = "architecture.https_clients", "manifest.secret.firebase_credentials"
STAGING = "manifest.configmap.environment"


def judged(found: AppliedManifests) -> dict[str, Judgement]:
    return {each.id: each for each in as_printed(found)}


def planned(folder: Path, rung: EnvironmentKind = EnvironmentKind.LOCAL) -> Manifests:
    """As a run of a folder has them on ``rung``."""
    return manifests_of(Options(rung=rung, target=bundled(), seed=7, reports=Path(), replay="", manifests=folder))


def test_a_plan_asks_for_what_is_said_of_any_manifests() -> None:
    bare = msgspec.structs.replace(FOUND, written=(), hpa=None, variables=(), instance_in=(), account="")
    assert {*judged(bare)} == {*PRINTED} < {*judged(FOUND)}


def test_the_rehearsals_own_manifests_are_as_printed_and_have_no_way_in_by_https() -> None:
    found = judged(FOUND)
    assert {name for name, each in found.items() if each.verdict is not Verdict.PASS} == {HTTPS, UNUSED, STAGING}
    for name in (HTTPS, UNUSED):
        assert found[name].erratum in claims.ERRATA and found[name].verdict is Verdict.ERRATUM_SHOWN
    assert found[STAGING].verdict is Verdict.NOT_EXERCISED and "unsigned tokens" in found[STAGING].reason
    assert {claim for each in found.values() for claim in each.claims} <= claims.REGISTER.keys()
    assert not any(each.gates for each in found.values())


@pytest.mark.parametrize("rung", [EnvironmentKind.LOCAL, EnvironmentKind.KIND, EnvironmentKind.KUBE])
def test_a_team_s_config_map_that_says_production_is_read_though_the_pods_are_told_staging(
    rung: EnvironmentKind, tmp_path: Path
) -> None:
    theirs = shutil.copytree(KUBERNETES / "document", tmp_path / "theirs")
    secret = (theirs / "secret.yaml").read_text("utf-8")
    (theirs / "secret.yaml").write_text(re.sub("BASE64_ENCODED_[A-Z]+", "eA==", secret))
    found = planned(theirs, rung)
    told = [each.value for each in found.deployment.template.containers[0].env if each.name == "ENVIRONMENT"]
    assert told == ["staging"] and judged(applied(found))[STAGING].verdict is Verdict.PASS
    assert claims.REGISTER[STAGING].shown_on is ShownOn.ARITHMETIC


def test_an_annotation_that_the_environment_itself_took_away_was_there() -> None:
    """A healthy week on kind once told its own ServiceAccount to fail."""
    found = planned(OVERLAYS / "kind", EnvironmentKind.KIND)
    account = found.documents["ServiceAccount/tekutoko-api-sa"]["metadata"]
    assert "iam.gke.io/gcp-service-account" not in (account.get("annotations") or {})
    assert judged(applied(found))["manifest.serviceaccount"].verdict is Verdict.PASS
    without = msgspec.structs.replace(found, patches=tuple(each for each in found.patches if not each.forced))
    assert judged(applied(without))["manifest.serviceaccount"].verdict is Verdict.FAIL


@pytest.mark.parametrize("rung", [EnvironmentKind.LOCAL, EnvironmentKind.KIND])
def test_a_key_whose_variable_the_environment_gave_another_value_was_read(rung: EnvironmentKind) -> None:
    """A healthy week on kind once told ``firebase_project_id`` to be read by no container."""
    found = planned(OVERLAYS / str(rung), rung)
    assert "firebase_project_id" in found.config
    keys = judged(applied(found))["manifest.configmap.keys"]
    assert keys.verdict is Verdict.PASS, keys.reason
    unread = msgspec.structs.replace(found, config={**found.config, "debug_level": "1"})
    keys = judged(applied(unread))["manifest.configmap.keys"]
    assert keys.verdict is Verdict.FAIL and "read by no container: debug_level" in keys.reason


def test_no_value_of_a_variable_is_kept() -> None:
    assert not any(each.env or each.secrets for each in FOUND.deployment.template.containers)


def deployment(**changes: Any) -> AppliedManifests:
    return msgspec.structs.replace(FOUND, deployment=msgspec.structs.replace(FOUND.deployment, **changes))


def containers(change: Callable[[tuple[Container, ...]], tuple[Container, ...]]) -> AppliedManifests:
    template = FOUND.deployment.template
    return deployment(template=msgspec.structs.replace(template, containers=change(template.containers)))


def api(**changes: Any) -> AppliedManifests:
    return containers(lambda all_: (msgspec.structs.replace(all_[0], **changes), *all_[1:]))


def other(**changes: Any) -> AppliedManifests:
    return msgspec.structs.replace(FOUND, **changes)


API: Any = FOUND.deployment.template.containers[0]


@dataclasses.dataclass(frozen=True)
class Wrong:
    """Manifests that keep all of the document but these claims."""

    found: AppliedManifests
    claims: set[str]


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong(deployment(replicas=1), {"manifest.deployment.replicas"}),
        Wrong(api(request_cpu_m=None), {"manifest.deployment.resources", "manifest.sidecar.requests"}),
        Wrong(api(limit_memory_bytes=1), {"manifest.deployment.limits"}),
        Wrong(api(liveness=None), {"manifest.deployment.liveness"}),
        Wrong(api(readiness=FOUND.deployment.template.containers[0].liveness), {"manifest.deployment.readiness"}),
        Wrong(deployment(strategy=type(FOUND.deployment.strategy)()), {"deploy.rolling.strategy"}),
        Wrong(
            msgspec.structs.replace(containers(lambda all_: all_[:1]), instance_in=()),
            {"manifest.sidecar", "manifest.sidecar.args", "manifest.sidecar.requests"},
        ),
        Wrong(other(instance_in=("cloud-sql-proxy", "db_instance")), {"manifest.sidecar.args"}),
        Wrong(other(db_host="10.0.0.3"), {"manifest.configmap.db_host"}),
        Wrong(other(service_target_port=80), {"manifest.service.ports"}),
        Wrong(other(annotated=False), {"manifest.serviceaccount"}),
        Wrong(other(hpa=None), {"manifest.hpa.range"}),
        Wrong(
            other(written=tuple(n for n in FOUND.written if "Secret" not in n)), {"phase2.manifests", "manifest.files"}
        ),
        Wrong(other(written=(*FOUND.written, "Deployment/photos")), {"strategy.replicated_monolith", "manifest.files"}),
        Wrong(other(variables=("ENVIRONMENT", "DB_HOST")), {"manifest.deployment.env"}),
        Wrong(other(unread=(*FOUND.unread, "db_port")), {"manifest.configmap.keys"}),
        Wrong(other(keys=FOUND.keys[1:]), {"manifest.configmap.keys"}),
    ],
    ids=lambda wrong: min(wrong.claims),
)
def test_what_is_not_as_printed_differs_in_its_claims_alone_and_says_what_is_applied(wrong: Wrong) -> None:
    found = judged(wrong.found)
    failed = {name for name, each in found.items() if each.verdict is Verdict.FAIL}
    assert failed == wrong.claims == {name for name, each in found.items() if each.differs}
    assert all(found[name].reason != judged(FOUND)[name].reason for name in failed)


BETTER = [
    deployment(replicas=3),
    api(request_cpu_m=750, limit_memory_bytes=2**31),
    api(
        readiness=msgspec.structs.replace(API.readiness, timeout_s=5.0),
        liveness=msgspec.structs.replace(API.liveness, timeout_s=3.0),
    ),
]


@pytest.mark.parametrize("better", BETTER, ids=["replicas", "size", "timeouts"])
def test_more_pods_more_of_the_machine_and_longer_timeouts_are_not_called_wrong(better: AppliedManifests) -> None:
    found, printed = judged(better), judged(FOUND)
    assert {name: each.verdict for name, each in found.items()} == {
        name: each.verdict for name, each in printed.items()
    }
    assert any(found[name].reason != each.reason for name, each in printed.items()), "it says what is applied"


@pytest.mark.parametrize(
    ("kind", "port", "state", "verdict"),
    [
        ("Ingress", 80, FIXED_HERE, Verdict.PASS),
        ("Gateway", 80, FIXED_HERE, Verdict.PASS),
        ("Ingress", 80, STILL_THERE, Verdict.ERRATUM_SHOWN),
        ("Ingress", 80, NOT_READABLE, Verdict.NOT_EXERCISED),
        ("Ingress", 80, "", Verdict.NOT_EXERCISED),
        ("ConfigMap", 443, NOT_READABLE, Verdict.NOT_EXERCISED),
        ("ConfigMap", 80, STILL_THERE, Verdict.ERRATUM_SHOWN),
    ],
)
def test_a_way_in_ends_tls_only_where_the_manifests_name_a_certificate(
    kind: str, port: int, state: str, verdict: Verdict
) -> None:
    read = RepositoryErratum(id="architecture.https_at_l4", state=state, told=message("read")) if state else None
    found = judged(other(written=(*FOUND.written, f"{kind}/walk-api"), service_port=port, way_in=read))[HTTPS]
    assert (found.verdict, found.claims) == (verdict, (HTTPS, "architecture.diagram"))
    assert bool(found.erratum) is (verdict is Verdict.ERRATUM_SHOWN)


@pytest.mark.process
def test_where_tls_ends_is_read_of_the_folder_as_it_is_written() -> None:
    """A rung leaves the Ingress out, for nothing there would serve it."""
    folder = ROOT / "tests/deploy/theirs/replacements"
    found = judged(applied(planned(folder)))[HTTPS]
    assert found.verdict is Verdict.PASS and "Ingress/tekutoko can end TLS" in found.reason


@pytest.mark.process
def test_a_load_balancer_on_port_443_is_not_accused_of_what_the_pods_may_do_themselves() -> None:
    """A Go server that ends TLS itself."""
    folder = ROOT / "tests/deploy/theirs/secret_by_hand/k8s"
    found = judged(applied(planned(folder)))[HTTPS]
    assert found.verdict is Verdict.NOT_EXERCISED and "behind port 443 of Service/walk-public" in found.reason


def test_a_secret_without_the_unused_key_shows_no_erratum() -> None:
    assert judged(other(unread=()))[UNUSED].verdict is Verdict.PASS
    assert judged(other(environment="production"))[STAGING].verdict is Verdict.PASS


def test_pods_without_a_proxy_are_not_as_printed() -> None:
    found = judged(containers(lambda all_: tuple(each for each in all_ if not each.proxy)))
    assert found["manifest.sidecar"].verdict is Verdict.FAIL


def test_keys_that_no_container_is_given_are_told_and_those_of_a_mounted_secret_are_not() -> None:
    assert FOUND.unread == ("firebase_credentials",)
    manifests = load(OVERLAYS / "local")
    name = f"Deployment/{manifests.deployment.name}"
    pod = manifests.documents[name]["spec"]["template"]["spec"]
    mounted = {**pod, "volumes": [{"name": "s", "secret": {"secretName": "app-secret"}}]}
    document = {"spec": {"template": {"spec": mounted}}}
    assert applied(msgspec.structs.replace(manifests, documents={**manifests.documents, name: document})).unread == ()


def test_of_a_run_that_did_not_keep_what_pods_are_given_nothing_is_said() -> None:
    assert not {"manifest.deployment.env", "manifest.configmap.keys", UNUSED} & judged(other(variables=())).keys()

"""What a folder is told beside its verdict: the document's errata in it, and its risks, with file and line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.cli.main import main
from harness.model.manifests import FIXED_HERE, NOT_READABLE, STATES, STILL_THERE, ManifestWarning, RepositoryErratum
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report.html import summary, write_html
from harness.report.language import ENGLISH, language
from harness.report.published import RESULT
from harness.run.rehearsal import manifest_facts
from harness.stack.environments.choice import manifests_of, overlay
from harness.stack.manifests import errata, kustomize, load
from harness.stack.manifests.folder import Folder, ManifestPlaces, ends_tls
from harness.stack.target.targets import bundled
from tests.deploy.theirs import CORPUS, HERE, STARTING, Theirs
from tests.register import ERRATA
from tests.register import REGISTER as CLAIMS
from tests.report.results import advanced, facts
from tests.test_manifests import folder, pod

KUBERNETES = ROOT / "deploy" / "kubernetes"
BY_NAME = {each.name: each for each in CORPUS}
#: Not of a manifest, or not to be read in the document's own folder.
OUTSIDE = {
    "manifest.workload_identity_binding_missing",
    "manifest.hpa.connections_at_max",
    "manifest.hpa.latency_of_the_database",  # commented out there
}
#: What the patches of ``base`` mend.
MENDED = {"manifest.deployment.env_incomplete", "manifest.secret.placeholders_not_base64", "security.csi.volume_alone"}


def of(folder: Path) -> dict[str, RepositoryErratum]:
    rendered = kustomize.render(folder)
    return {each.id: each for each in errata.read(Folder(rendered.documents, rendered.places))}


def states(folder: Path) -> dict[str, str]:
    return {name: each.state for name, each in of(folder).items()}


def test_every_erratum_about_a_manifest_is_in_the_table() -> None:
    assert {name for name in ERRATA if name.startswith("manifest.")} <= set(errata.TABLE) <= set(ERRATA)


def test_with_the_document_s_commented_lines_the_p95_scales() -> None:
    found = of(KUBERNETES / "overlays" / "kind-latency")["manifest.hpa.latency_of_the_database"]
    assert found.state == STILL_THERE and "request_latency_p95 scales the Deployment" in str(found.told)


def test_in_the_documents_own_folder_every_erratum_that_can_be_read_is_still_there() -> None:
    found = of(KUBERNETES / "document")
    assert {name for name, each in found.items() if each.state == NOT_READABLE} == OUTSIDE
    assert {name for name, each in found.items() if each.state == FIXED_HERE} == set()
    for name, each in found.items():
        if name not in OUTSIDE:
            assert Path(each.file).parent == KUBERNETES / "document", name
            assert each.line, name


@pytest.mark.parametrize(
    ("name", "file", "says"),
    [
        ("manifest.deployment.image_latest", "deployment.yaml", "image: gcr.io/PROJECT_ID/tekutoko-api:latest"),
        ("manifest.deployment.replicas_beside_hpa", "deployment.yaml", "replicas: 2"),
        ("manifest.sidecar_unpinned", "deployment.yaml", "cloud-sql-proxy:latest"),
        ("manifest.deployment.env_incomplete", "deployment.yaml", "env:"),
        ("manifest.secret.placeholders_not_base64", "secret.yaml", "db_password: BASE64_ENCODED_PASSWORD"),
        ("manifest.hpa.cpu_of_summed_requests", "hpa.yaml", "averageUtilization: 70"),
        ("architecture.https_at_l4", "service.yaml", "type: LoadBalancer"),
        ("security.csi.volume_alone", "deployment.yaml", "- name: secrets-store"),
    ],
)
def test_the_line_is_the_one_that_says_so(name: str, file: str, says: str) -> None:
    each = of(KUBERNETES / "document")[name]
    assert Path(each.file).name == file
    assert says in Path(each.file).read_text(encoding="utf-8").splitlines()[each.line - 1]


def test_our_base_fixes_what_its_patches_name() -> None:
    found, written = states(KUBERNETES / "base"), states(KUBERNETES / "document")
    assert {name for name in found if found[name] != written[name]} == MENDED
    assert {found[name] for name in MENDED} == {FIXED_HERE}
    assert {note.erratum for note in load(KUBERNETES / "base").patches} - {""} == MENDED


def test_the_component_graceful_fixes_the_rolling_update() -> None:
    found = states(KUBERNETES / "overlays" / "kind-graceful")
    assert found["deploy.downtime_without_prestop"] == found["manifest.sidecar_stops_at_once"] == FIXED_HERE
    assert states(KUBERNETES / "overlays" / "kind")["deploy.downtime_without_prestop"] == STILL_THERE


def sleeping(seconds: int) -> dict[str, Any]:
    return {"preStop": {"sleep": {"seconds": seconds}}}


COMMAND = {"preStop": {"exec": {"command": ["sleep", "5"]}}}


@pytest.mark.parametrize(
    ("target", "proxy", "state"),
    [
        (None, None, STILL_THERE),
        (sleeping(5), None, STILL_THERE),
        (sleeping(5), sleeping(5), STILL_THERE),
        (sleeping(5), sleeping(20), FIXED_HERE),
        (None, sleeping(20), FIXED_HERE),
        (COMMAND, sleeping(20), STILL_THERE),
        (sleeping(5), COMMAND, STILL_THERE),
    ],
)
def test_a_proxy_that_waits_longer_than_the_target_is_not_stopped_together_with_it(
    tmp_path: Path, target: dict[str, Any] | None, proxy: dict[str, Any] | None, state: str
) -> None:
    """And on a cluster the stand-in keeps its sleep: else it would cut what the manifests keep."""

    def with_hooks(documents: dict[str, dict[str, Any]]) -> None:
        for container, hook in zip(pod(documents)["containers"], (target, proxy), strict=True):
            container.update({} if hook is None else {"lifecycle": hook})

    own = folder(tmp_path, with_hooks)
    assert states(own)["manifest.sidecar_stops_at_once"] == state
    for rung in (EnvironmentKind.LOCAL, EnvironmentKind.KIND, EnvironmentKind.KUBE):
        template = load(own, rung).deployment.template
        waits_s = 20 if proxy == sleeping(20) else 5 if proxy == sleeping(5) else 0
        assert [each.pre_stop_s for each in template.containers if each.proxy] == [waits_s]
        assert template.proxy_stops_at_once == (waits_s < 20)


@pytest.mark.parametrize(
    ("says", "accepts_s", "waits_s"),
    [
        ({"args": ["--max-sigterm-delay=30s", "p:r:i"]}, 0, 30),
        ({"args": ["--max-sigterm-delay", "1m30s", "p:r:i"]}, 0, 90),
        ({"command": ["/cloud_sql_proxy", "-instances=p:r:i=tcp:5432", "-term_timeout=500ms"]}, 0, 0.5),
        ({"env": [{"name": "CSQL_PROXY_MAX_SIGTERM_DELAY", "value": "20s"}]}, 0, 20),
        ({"args": ["--max-sigterm-delay=0s", "p:r:i"]}, 0, 0),
        ({"args": ["--port=5432", "p:r:i"]}, 0, 0),
        ({"args": ["--min-sigterm-delay=5s", "--max-sigterm-delay=30s", "p:r:i"]}, 5, 30),
        ({"args": ["--min-sigterm-delay", "20s", "p:r:i"]}, 20, 0),
        ({"env": [{"name": "CSQL_PROXY_MIN_SIGTERM_DELAY", "value": "20s"}]}, 20, 0),
    ],
)
def test_a_proxy_that_waits_for_its_connections_does_so_here_too(
    tmp_path: Path, says: dict[str, Any], accepts_s: float, waits_s: float
) -> None:
    own = folder(tmp_path, lambda documents: pod(documents)["containers"][1].update(says))
    assert (states(own)["manifest.sidecar_stops_at_once"] == FIXED_HERE) == (accepts_s + waits_s > 0)
    for rung in (EnvironmentKind.LOCAL, EnvironmentKind.KIND, EnvironmentKind.KUBE):
        template = load(own, rung).deployment.template
        assert [(each.accepts_s, each.drain_s) for each in template.containers] == [(0, 0), (accepts_s, waits_s)]
        assert template.proxy_stops_at_once == (accepts_s + waits_s == 0)


@pytest.mark.parametrize(
    ("target", "says", "fixed"),
    [
        (sleeping(20), "--max-sigterm-delay=10s", False),
        (sleeping(20), "--max-sigterm-delay=20s", False),
        (sleeping(20), "--max-sigterm-delay=30s", True),
        (sleeping(20), "--min-sigterm-delay=15s --max-sigterm-delay=10s", True),
        (COMMAND, "--max-sigterm-delay=30s", True),
    ],
)
def test_a_proxy_that_cuts_its_connections_before_the_target_is_told_to_end_does_not_wait_for_it(
    tmp_path: Path, target: dict[str, Any], says: str, fixed: bool
) -> None:
    def waiting(documents: dict[str, dict[str, Any]]) -> None:
        api, proxy = pod(documents)["containers"]
        api["lifecycle"], proxy["args"] = target, [*says.split(), "p:r:i"]

    own = folder(tmp_path, waiting)
    assert (states(own)["manifest.sidecar_stops_at_once"] == FIXED_HERE) == fixed
    assert load(own, EnvironmentKind.KIND).deployment.template.proxy_stops_at_once is not fixed


@pytest.mark.parametrize(
    ("target", "proxy", "delay_s", "state"),
    [
        (sleeping(10), None, 5, STILL_THERE),
        (sleeping(10), None, 20, FIXED_HERE),
        (sleeping(10), sleeping(10), 5, FIXED_HERE),
        (sleeping(10), sleeping(5), 5, STILL_THERE),
        (COMMAND, None, 30, FIXED_HERE),
    ],
)
def test_a_proxy_that_waits_for_its_connections_must_wait_longer_than_the_target_goes_on(
    tmp_path: Path, target: dict[str, Any], proxy: dict[str, Any] | None, delay_s: int, state: str
) -> None:
    def with_hooks(documents: dict[str, dict[str, Any]]) -> None:
        first, second = pod(documents)["containers"]
        first.update(lifecycle=target)
        second.update(({} if proxy is None else {"lifecycle": proxy}) | {"args": [f"--max-sigterm-delay={delay_s}s"]})

    own = folder(tmp_path, with_hooks)
    assert states(own)["manifest.sidecar_stops_at_once"] == state
    for rung in (EnvironmentKind.LOCAL, EnvironmentKind.KIND, EnvironmentKind.KUBE):
        assert load(own, rung).deployment.template.proxy_stops_at_once == (state == STILL_THERE)


#: By folder of the corpus, what is read there of an erratum.
READ = [
    ("components", "manifest.sidecar_stops_at_once", FIXED_HERE),
    ("components", "deploy.downtime_without_prestop", FIXED_HERE),
    ("components", "manifest.hpa.cpu_of_summed_requests", FIXED_HERE),
    ("components", "dr.configmap_changes_nothing", FIXED_HERE),
    ("components", "manifest.deployment.replicas_beside_hpa", STILL_THERE),
    ("autoscaled", "manifest.deployment.replicas_beside_hpa", FIXED_HERE),
    ("autoscaled", "manifest.hpa.cpu_of_summed_requests", STILL_THERE),
    ("autoscaled", "manifest.hpa.memory_of_summed_requests", FIXED_HERE),
    ("autoscaled", "manifest.hpa.latency_of_the_database", NOT_READABLE),  # its external metric is of requests
    ("deprecated", "manifest.gcr_shut_down", STILL_THERE),
    ("deprecated", "architecture.https_at_l4", STILL_THERE),
    ("deprecated", "manifest.deployment.env_incomplete", FIXED_HERE),
    ("replacements", "architecture.https_at_l4", FIXED_HERE),
    ("replacements", "manifest.deployment.env_incomplete", FIXED_HERE),
    ("sealed_secrets", "manifest.sidecar_unpinned", STILL_THERE),
    ("sealed_secrets", "manifest.deployment.image_latest", FIXED_HERE),
    ("sealed_secrets", "manifest.deployment.no_zone_spread", FIXED_HERE),
    ("external_secrets", "manifest.deployment.env_incomplete", NOT_READABLE),
    ("external_secrets", "manifest.sidecar_unpinned", NOT_READABLE),
    ("flat", "manifest.deployment.env_incomplete", FIXED_HERE),
    ("secret_by_hand", "architecture.https_at_l4", NOT_READABLE),
]


@pytest.mark.parametrize(
    ("document", "ends"),
    [
        ({"spec": {"tls": [{"secretName": "s"}]}}, True),
        ({"metadata": {"annotations": {"ingress.gcp.kubernetes.io/pre-shared-cert": "c"}}}, True),
        ({"metadata": {"annotations": {"kubernetes.io/ingress.class": "gce"}}, "spec": {"tls": []}}, False),
        ({"metadata": {"annotations": None}, "spec": {"rules": []}}, False),
        ({"spec": {"listeners": [{"protocol": "HTTP"}, {"protocol": "HTTPS"}]}}, True),
        ({"spec": {"listeners": [{"protocol": "HTTP"}]}}, False),
        ({}, False),
    ],
)
def test_a_way_in_without_a_certificate_ends_no_tls(document: dict[str, Any], ends: bool) -> None:
    assert ends_tls(document) is ends


def _way_in(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


TLS, PORTS = [{"secretName": "s"}], {"type": "LoadBalancer", "ports": [{"port": 80}, {"port": 443}]}


@pytest.mark.parametrize(
    ("documents", "state", "says"),
    [
        ((_way_in("Ingress", "a"), _way_in("Ingress", "b", tls=TLS)), FIXED_HERE, "Ingress/b can end TLS"),
        (
            (_way_in("Ingress", "a"), _way_in("Gateway", "b", listeners=[{"protocol": "HTTPS"}])),
            FIXED_HERE,
            "Gateway/b",
        ),
        ((_way_in("Ingress", "a"), _way_in("Ingress", "b")), STILL_THERE, "Ingress/a names no certificate"),
        ((_way_in("Ingress", "a"), _way_in("Service", "b", **PORTS)), STILL_THERE, "Ingress/a"),
        ((_way_in("Service", "a", type="LoadBalancer"), _way_in("Service", "b", **PORTS)), NOT_READABLE, "Service/b"),
        ((_way_in("Service", "a", type="LoadBalancer", ports=[{"port": 80}]),), STILL_THERE, "Service/a"),
    ],
)
def test_of_several_ways_in_the_one_that_can_end_tls_counts(
    documents: tuple[dict[str, Any], ...], state: str, says: str
) -> None:
    folder = Folder(
        {f"{each['kind']}/{each['metadata']['name']}": each for each in documents}, ManifestPlaces({}), "api"
    )
    found = {each.id: each for each in errata.read(folder)}
    for name in ("architecture.https_at_l4", "security.load_balancer_ends_no_tls"):
        assert (found[name].state, says in str(found[name].told)) == (state, True)


@pytest.mark.process
@pytest.mark.parametrize(("name", "erratum", "state"), READ)
def test_errata_in_the_corpus(name: str, erratum: str, state: str) -> None:
    assert of(BY_NAME[name].path)[erratum].state == state


@pytest.mark.process
@pytest.mark.parametrize("each", STARTING, ids=lambda each: each.name)
def test_what_is_told_of_a_folder_points_into_it(each: Theirs) -> None:
    rendered = kustomize.render(each.path)
    folder = Folder(rendered.documents, rendered.places)
    everything: list[RepositoryErratum | ManifestWarning] = [
        *errata.read(folder),
        *kustomize.warnings(rendered, folder),
    ]
    for told in everything:
        assert str(told.told)
        if told.file:
            assert Path(told.file).resolve().is_relative_to(HERE / each.name)
    assert {told.state for told in errata.read(folder)} <= set(STATES)


def warned(name: str) -> list[str]:
    rendered = kustomize.render(BY_NAME[name].path)
    found = kustomize.warnings(rendered, Folder(rendered.documents, rendered.places))
    return [f"{told.told} ({Path(told.file).name}:{told.line})" for told in found]


@pytest.mark.process
def test_literal_shell_text_plain_secrets_and_unnamed_versions_are_warned_of() -> None:
    shell, plain = warned("monorepo")
    assert "rolePassword" in shell and "the text $(gcloud secrets versions access latest" in shell
    assert shell.endswith("(database.env:1)")
    assert "in plain text: rolePassword (database.env:1)" in plain
    (latest,) = warned("sealed_secrets")
    assert "cloud-sql-proxy:latest, which names no version (deploy.yaml:31)" in latest
    assert any("the text ${DB_PASSWORD}" in each for each in warned("init_migrations"))
    assert warned("external_secrets") == warned("secret_by_hand") == []


@pytest.mark.process
def test_a_variable_of_kubernetes_own_and_a_script_in_a_file_are_no_shell_text() -> None:
    assert [each for each in warned("migration_job") if "is the text" in each] == []  # $(DB_USER) of its environment
    assert [each for each in warned("init_migrations") if "wait" in each] == []


@pytest.mark.process
def test_a_patch_that_changes_nothing_is_warned_of(tmp_path: Path) -> None:
    copy = tmp_path / "selectors"
    shutil.copytree(HERE / "selectors", copy)
    file = copy / "overlays" / "live" / "kustomization.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("walk-d.*e", "nothing-.*"), encoding="utf-8")
    rendered = kustomize.render(file.parent)
    told = [str(each.told) for each in kustomize.warnings(rendered, Folder(rendered.documents, rendered.places))]
    assert any("changes nothing: its target selects no resource" in each for each in told)


class Asked:
    def __init__(self, manifests: Path) -> None:
        self.rung = EnvironmentKind.LOCAL
        self.manifests = manifests
        self.target = bundled()


def result_of(folder: Path) -> Result:
    """A result of a run with that folder's manifests."""
    theirs = manifest_facts(manifests_of(Asked(folder)), EnvironmentKind.LOCAL)
    return advanced(facts=facts(**theirs))


@pytest.mark.process
def test_both_reach_the_summary_in_both_languages_and_our_own_overlays_tell_neither() -> None:
    document = result_of(BY_NAME["deprecated"].path)
    english = summary(document, CLAIMS, ENGLISH).replace("\\", "")
    assert "manifest.gcr_shut_down: still there: container walk runs eu.gcr.io/walk-legacy/walk:2024.11.3" in english
    assert "deprecated/prod/size.yaml:11)" in english
    assert "Secret/walk-secret-prod stands in the folder in plain text: pw" in english
    japanese = summary(document, CLAIMS, language("ja")).replace("\\", "")
    assert "manifest.gcr_shut_down: まだ残っている: コンテナ walk は eu.gcr.io" in japanese
    assert "平文で置かれている" in japanese
    assert "no reason given" not in english  # their own patches are no changes of the rehearsal's
    ours = result_of(overlay(EnvironmentKind.LOCAL)).facts
    assert (ours.manifest_warnings, ours.repository_errata) == ((), ())


@pytest.mark.process
@pytest.mark.parametrize(("code", "state"), [("en", "still there"), ("ja", "まだ残っている")])
def test_both_are_on_the_page(tmp_path: Path, code: str, state: str) -> None:
    result = result_of(BY_NAME["deprecated"].path)
    page = write_html(tmp_path, result, CLAIMS, language(code)).read_text(encoding="utf-8")
    assert f"manifest.gcr_shut_down: {state}: " in page
    assert "deprecated/prod/size.yaml:11)" in page
    assert "Secret/walk-secret-prod" in page
    assert RESULT.read(RESULT.write(tmp_path, result)) == result


COMMANDS = [
    ["run", "rollout_week3"], ["rollout"], ["load_stages"], ["scaling"], ["zone_loss"], ["secret_rotation"], ["chaos"],
    ["chaos", "--only", "rolling_update"], ["chaos_nightly"], ["deploy_rehearsal"], ["network"], ["stack", "up"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_folder_that_is_refused_leaves_no_folder_of_a_run(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every command that takes ``--manifests``."""
    reports = tmp_path / "reports"
    given = [*command, "--on", "local", "--reports", str(reports), "--manifests", str(BY_NAME["helm_chart"].path)]
    assert main(given) == Exit.USAGE
    assert not reports.exists() or not list(reports.iterdir())
    said = capsys.readouterr().err
    assert "helmCharts" in said or "--on" in said or "rung" in said or "kind" in said, said

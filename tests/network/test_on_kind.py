"""The network rehearsal on a real cluster, as a person runs it: it passes, it fails when it should, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.model.judgement import Kind, Verdict, errata_of
from harness.model.result import Result
from harness.model.section import Row, Table
from harness.model.stack import EnvironmentKind
from harness.rehearsals.network.rehearsal import REHEARSAL
from harness.stack.kind import record
from harness.stack.kind.ground import kept_cluster
from tests.kind.in_docker import finished, kubectl, left_in_docker
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import by_id, judged_again, result_in
from tests.session.needs import needs_docker

pytestmark = [
    pytest.mark.kind,
    pytest.mark.slow,
    pytest.mark.timeout(1500, func_only=True),
    needs_docker,
    pytest.mark.usefixtures("kind_cluster"),
]
LIMIT_S = 1200
OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"


def listed(kind: str) -> list[str]:
    """Their names in the cluster."""
    found = record.read(kept_cluster())
    assert found is not None
    return kubectl(found, "get", kind, "-o", "name").split()


def namespaces(run_id: str) -> list[str]:
    """Those that are left of a run."""
    stem = run_id.lower().replace("_", "-")[:40]
    return [name for name in listed("namespaces") if stem in name]


def contours_kinds() -> list[str]:
    return [name for name in listed("crd") if "projectcontour" in name]


def patched(tmp_path: Path, overlay: str, *patches: tuple[str, str]) -> Path:
    """A kustomize folder of one's own on ``overlay``: JSON patches, each with the kind it changes. kustomize takes a
    folder by its relative path alone."""
    own = tmp_path / "own"
    own.mkdir()
    wanted = [{"target": {"kind": kind, "name": "tekutoko-api"}, "patch": patch} for kind, patch in patches]
    base = os.path.relpath(OVERLAYS / overlay, own)
    (own / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [base], "patches": wanted}))
    return own


def network(tmp_path: Path, *words: str) -> tuple[Job, Result]:
    """The command to its end, and its report; nothing is left on the machine, in Docker and in the cluster."""
    before = machine_state()
    job = Job(tmp_path / "reports", *words, command=("network",), on=EnvironmentKind.KIND)
    _, volumes = finished(job, LIMIT_S)
    result = result_in(job.folder)
    assert namespaces(result.run_id) == []
    assert left_since(before, job) == {}
    assert left_in_docker(result.run_id, volumes) == set()
    assert judged_again(REHEARSAL, job.folder) == result.judgements
    return job, result


def paths(result: Result) -> dict[str, Row]:
    """The rows of the paths' table, by the path."""
    (table,) = (each for each in result.sections if isinstance(each, Table) and str(each.title) == "Paths between pods")
    return {str(row.cells[0]): row for row in table.rows}


@pytest.mark.nightly  # per push kind/test_cluster.py holds a policy to its word, and test_plan.py the judge
def test_allowed_paths_work_and_all_others_are_refused(tmp_path: Path) -> None:
    job, result = network(tmp_path)
    assert result.exit_status == Exit.OK, job.text
    verdicts = {each.id: each.verdict for each in result.judgements}
    by_https = {verdicts.pop(check) for check in list(verdicts) if check.startswith("ingress.")}
    assert by_https == {"not_exercised"}
    assert set(verdicts.values()) == {"pass"}
    asked = [tuple(map(str, row.cells)) for row in paths(result).values()]
    assert len(asked) == 20
    refused = [(before, after) for _, wanted, before, after, _ in asked if wanted == "refused"]
    assert all("answered" in before and "answered" not in after for before, after in refused)


@pytest.mark.nightly
def test_a_policy_that_lets_everybody_in_is_found(tmp_path: Path) -> None:
    patch = "- {op: replace, path: /spec/ingress/1/from, value: [{namespaceSelector: {}}]}"
    own = patched(tmp_path, "kind-networkpolicy", ("NetworkPolicy", patch))
    job, result = network(tmp_path, "--manifests", str(own))
    assert result.exit_status == Exit.HOLD, job.text
    failed = {name for name, row in paths(result).items() if row.verdict is Verdict.FAIL}
    # The target's own pods may not leave for each other, which is egress; kube-router lets them, by the policy's rule of
    # ingress: it has both kinds of a policy in one chain.
    strangers = {"stranger → pod", "stranger → service", "foreign → pod", "foreign → service"}
    assert failed == {*strangers, "target → other_pod"}


@pytest.mark.nightly
def test_the_ingress_answers_by_https(tmp_path: Path) -> None:
    job, result = network(tmp_path, "--ingress")
    assert result.exit_status == Exit.OK, job.text
    found = [each for each in result.judgements if each.kind is Kind.CRITERION]
    assert {each.verdict for each in found} == {"pass", "erratum_shown"}
    by_https = {each.id: each.claim for each in found if each.id.startswith("ingress.")}
    claims = {"manifest.phase4_added", "checklist.security.tls", "security.network.policy", "security.network.tls"}
    assert set(by_https.values()) == claims
    assert "security.load_balancer_ends_no_tls" in errata_of(result.judgements)
    renewal = by_id(result.judgements)["ingress.renewal"]
    assert str(renewal.shown[0]).startswith("0 of ")
    assert contours_kinds() == []


@pytest.mark.nightly
def test_a_policy_without_the_controller_and_plain_http_are_found(tmp_path: Path) -> None:
    own = patched(
        tmp_path,
        "kind-ingress",
        ("NetworkPolicy", "- {op: remove, path: /spec/ingress/1}"),
        ("Ingress", "- {op: remove, path: /metadata/annotations/kubernetes.io~1ingress.allow-http}"),
    )
    job, result = network(tmp_path, "--ingress", "--manifests", str(own))
    assert result.exit_status == Exit.HOLD, job.text
    verdicts = {each.id: each.verdict for each in result.judgements}
    failed = {check for check, verdict in verdicts.items() if verdict == "fail"}
    assert failed >= {"paths.allowed", "ingress.routes", "ingress.policy", "ingress.plain_http", "ingress.renewal"}
    assert verdicts["ingress.opt_in"] == verdicts["ingress.tls"] == "pass"  # it is there, and HTTPS ends at it
    assert contours_kinds() == []


@pytest.mark.nightly
@pytest.mark.parametrize(("words", "moment"), [((), "signing in"), (("--ingress",), "its pod with the label")])
def test_what_a_killed_run_leaves_is_swept_by_the_next(tmp_path: Path, words: tuple[str, ...], moment: str) -> None:
    job = Job(tmp_path / "reports", *words, command=("network",), on=EnvironmentKind.KIND)
    until = time.monotonic() + 600
    while moment not in job.text:
        assert time.monotonic() < until and job.process.poll() is None, job.text
        time.sleep(0.5)
    run_id = job.folder.name
    assert len(namespaces(run_id)) == 2
    assert bool(contours_kinds()) is bool(words)
    os.killpg(job.process.pid, signal.SIGKILL)
    job.kill()  # its pipes
    subprocess.run(
        [sys.executable, "-c", "import asyncio, harness.stack.environments.choice as r; asyncio.run(r.sweep(print, print))"],
        cwd=ROOT, check=True, timeout=300,
    )  # fmt: skip
    until = time.monotonic() + 120
    while namespaces(run_id):
        assert time.monotonic() < until, "its namespaces are still there"
        time.sleep(1)
    assert contours_kinds() == []

"""The network rehearsal on a real cluster, as a person runs it: it passes, it fails when it should, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.model.errors import Exit
from harness.model.stack import Rung
from harness.stack.kind import at_hand, record
from harness.stack.kind.ground import kept_cluster
from harness.targets import ROOT
from tests.main_job import Job, left_since, machine_state
from tests.test_kind_job import in_docker

pytestmark = [
    pytest.mark.kind,
    pytest.mark.slow,
    pytest.mark.timeout(1500, func_only=True),
    pytest.mark.skipif(not at_hand.docker_answers(), reason="no Docker engine answers"),
    pytest.mark.usefixtures("kind_cluster"),
]
LIMIT_S = 1200
OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"


def listed(kind: str) -> list[str]:
    """Their names in the cluster."""
    found = record.read(kept_cluster())
    assert found is not None
    kubectl = ("docker", "exec", found.control_plane, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
    said = subprocess.run([*kubectl, "get", kind, "-o", "name"], capture_output=True, text=True, check=True)
    return said.stdout.split()


def namespaces(run_id: str) -> list[str]:
    """Those that are left of a run."""
    stem = run_id.lower().replace("_", "-")[:40]
    return [name for name in listed("namespaces") if stem in name]


def contours_kinds() -> list[str]:
    return [name for name in listed("crd") if "projectcontour" in name]


def patched(tmp_path: Path, overlay: str, *patches: tuple[str, str]) -> Path:
    """A kustomize folder of one's own on ``overlay``: JSON patches, each with the kind it changes."""
    own = tmp_path / "own"
    own.mkdir()
    wanted = [{"target": {"kind": kind, "name": "tekutoko-api"}, "patch": patch} for kind, patch in patches]
    (own / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [str(OVERLAYS / overlay)], "patches": wanted}))
    return own


def network(tmp_path: Path, *words: str) -> tuple[Job, dict[str, Any]]:
    """The command to its end, and its report; nothing is left on the machine, in Docker and in the cluster."""
    before, docker = machine_state(), in_docker()
    job = Job(tmp_path / "reports", *words, command=("network",), on=Rung.KIND)
    job.finish(LIMIT_S)
    report: dict[str, Any] = json.loads((job.folder / "network.json").read_text())
    assert namespaces(report["run_id"]) == []
    assert left_since(before, job) == {}
    assert in_docker() <= docker
    return job, report


@pytest.mark.nightly  # per push kind/test_cluster.py holds a policy to its word, and test_plan.py the judge
def test_allowed_paths_work_and_all_others_are_refused(tmp_path: Path) -> None:
    job, report = network(tmp_path)
    assert report["exit_status"] == Exit.OK, job.text
    verdicts = {each["check"]: each["verdict"] for each in report["findings"]}
    by_https = {verdicts.pop(check) for check in list(verdicts) if check.startswith("ingress.")}
    assert by_https == {"not_exercised"}
    assert set(verdicts.values()) == {"pass"}
    assert len(report["paths"]) == 20
    refused = [path for path in report["paths"] if not path["allowed"]]
    assert all("answered" in path["before"] and "answered" not in path["after"] for path in refused)


@pytest.mark.nightly
def test_a_policy_that_lets_everybody_in_is_found(tmp_path: Path) -> None:
    patch = "- {op: replace, path: /spec/ingress/1/from, value: [{namespaceSelector: {}}]}"
    own = patched(tmp_path, "kind-networkpolicy", ("NetworkPolicy", patch))
    job, report = network(tmp_path, "--manifests", str(own))
    assert report["exit_status"] == Exit.HOLD, job.text
    failed = {path["path"] for path in report["paths"] if path["verdict"] == "fail"}
    # The target's own pods still may not leave for each other: that is egress.
    assert failed == {"stranger → pod", "stranger → service", "foreign → pod", "foreign → service"}


@pytest.mark.nightly
def test_the_ingress_answers_by_https(tmp_path: Path) -> None:
    job, report = network(tmp_path, "--ingress")
    assert report["exit_status"] == Exit.OK, job.text
    assert {each["verdict"] for each in report["findings"]} == {"pass", "erratum_shown"}
    by_https = {each["check"]: each["claim"] for each in report["findings"] if each["check"].startswith("ingress.")}
    claims = {"manifest.phase4_added", "checklist.security.tls", "security.network.policy", "security.network.tls"}
    assert set(by_https.values()) == claims
    assert "security.load_balancer_ends_no_tls" in report["errata"]
    assert {each["status"] for each in report["ingress"]["renewal"]["answers"]} == {200}
    assert contours_kinds() == []


@pytest.mark.nightly
def test_a_policy_without_the_controller_and_plain_http_are_found(tmp_path: Path) -> None:
    own = patched(
        tmp_path,
        "kind-ingress",
        ("NetworkPolicy", "- {op: remove, path: /spec/ingress/1}"),
        ("Ingress", "- {op: remove, path: /metadata/annotations/kubernetes.io~1ingress.allow-http}"),
    )
    job, report = network(tmp_path, "--ingress", "--manifests", str(own))
    assert report["exit_status"] == Exit.HOLD, job.text
    verdicts = {each["check"]: each["verdict"] for each in report["findings"]}
    failed = {check for check, verdict in verdicts.items() if verdict == "fail"}
    assert failed >= {"paths.allowed", "ingress.routes", "ingress.policy", "ingress.plain_http", "ingress.renewal"}
    assert verdicts["ingress.opt_in"] == verdicts["ingress.tls"] == "pass"  # it is there, and HTTPS ends at it
    assert contours_kinds() == []


@pytest.mark.nightly
@pytest.mark.parametrize(("words", "moment"), [((), "signing in"), (("--ingress",), "its pod with the label")])
def test_what_a_killed_run_leaves_is_swept_by_the_next(tmp_path: Path, words: tuple[str, ...], moment: str) -> None:
    job = Job(tmp_path / "reports", *words, command=("network",), on=Rung.KIND)
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
        [sys.executable, "-c", "import asyncio, harness.rungs as r; asyncio.run(r.sweep(print))"],
        cwd=ROOT, check=True, timeout=300,
    )  # fmt: skip
    until = time.monotonic() + 120
    while namespaces(run_id):
        assert time.monotonic() < until, "its namespaces are still there"
        time.sleep(1)
    assert contours_kinds() == []

"""The main job on a real cluster, as a person runs it; the machine is looked at afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.model.judgement import Decision, Verdict
from harness.model.stack import EnvironmentKind
from harness.stack.kind.ground import KEPT
from harness.stack.kubernetes import labels
from tests.hurried import hurried
from tests.kind.in_docker import finished, left_in_docker, volumes_of
from tests.main_job import ROOT, Job, claimed, closing_connect, left_since, machine_state
from tests.session.needs import needs_docker

pytestmark = [
    pytest.mark.kind,
    pytest.mark.slow,
    pytest.mark.timeout(1800, func_only=True),
    needs_docker,
    pytest.mark.usefixtures("kind_cluster"),
]
LIMIT_S = 1700  # the first run of a machine builds its images


def test_week_3_advances_and_leaves_nothing(tmp_path: Path) -> None:
    _week_3_advances(tmp_path, "the kept cluster")


@pytest.mark.nightly
@pytest.mark.alone  # beside another cluster's load its probes come near their timeout: 720 carry no failure
def test_week_3_advances_on_a_cluster_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEPT, "nobody-s")
    _week_3_advances(tmp_path, "creating the cluster")


def _week_3_advances(tmp_path: Path, cluster: str) -> None:
    before = machine_state()
    words = ("--window", "60s", "--pace", "30s")  # twice the probes: the pods share two cores with their cluster
    job = Job(tmp_path / "reports", *words, scenario=hurried(3, tmp_path, times=2), on=EnvironmentKind.KIND)
    status, volumes = finished(job, LIMIT_S)
    assert status == Exit.OK, job.text
    assert cluster in job.text
    run = job.result()
    assert (run.decision, run.facts.rung, run.facts.leaks) == (Decision.ADVANCE, EnvironmentKind.KIND, ())
    assert "real_kubernetes" in run.facts.capabilities
    assert any("node-port" in change for change in run.facts.rung_changes)
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        metrics = {row[0] for row in evidence.execute("SELECT DISTINCT metric FROM samples")}
        kinds = {row[0] for row in evidence.execute("SELECT DISTINCT kind FROM events")}
    assert {"cpu_cores", "memory_bytes", "replicas", "ready_replicas", "hpa_desired_replicas"} <= metrics
    assert {"pod", "component", "kubernetes", "log"} <= kinds
    assert list((job.folder / "logs").glob("tekutoko-api-*.log"))
    assert left_since(before, job) == {}
    assert left_in_docker(job.folder.name, volumes) == set()


@pytest.mark.nightly  # per push week 3 rolls the local stack back, and advances on the cluster
def test_a_planted_fault_rolls_back_on_kind(tmp_path: Path) -> None:
    before = machine_state()
    words = ("--window", "60s", "--pace", "20s", "--fault", "errors=12%", "--fetch-interval", "5s")
    job = Job(tmp_path / "reports", *words, scenario=hurried(3, tmp_path, times=2), on=EnvironmentKind.KIND)
    status, volumes = finished(job, LIMIT_S)
    assert status == Exit.ROLLED_BACK, job.text
    run = job.result()
    assert (run.decision, run.facts.leaks) == (Decision.ROLL_BACK, ())
    back = claimed(run, "rollout.rollback.step2")
    assert (back.verdict, back.samples) == (Verdict.PASS, 250)
    assert left_since(before, job) == {}
    assert left_in_docker(job.folder.name, volumes) == set()


@pytest.mark.nightly  # per push: the same on local (chaos/test_run.py), and a half-made cluster is swept (kind/test_cluster.py)
def test_what_a_killed_run_of_chaos_left_in_docker_and_the_cluster_is_undone_by_command(tmp_path: Path) -> None:
    """Firestore's container is frozen by the experiment when the harness dies."""
    before = machine_state()
    job = Job(tmp_path / "reports", "--only", "firestore_down", command=("chaos",), on=EnvironmentKind.KIND)
    job.wait_for("experiment 1 of 1", limit_s=LIMIT_S)
    until = time.monotonic() + 60
    while not _frozen(job.folder.name):
        assert time.monotonic() < until, f"no container was frozen:\n{job.text}"
        time.sleep(0.2)
    volumes = volumes_of(job.folder.name)
    job.kill()
    assert left_in_docker(job.folder.name), "nothing was left to undo"
    undo = [sys.executable, "-m", "harness", "undo"]
    done = subprocess.run(undo, cwd=ROOT, capture_output=True, text=True, check=True, timeout=180)
    assert "part hang firestore" in done.stdout
    assert "removed container" in done.stderr and "removing namespace" in done.stderr
    assert left_in_docker(job.folder.name, volumes) == set()
    assert left_since(before, job) == {}


def _frozen(run_id: str) -> bool:
    words = ["docker", "ps", "--quiet", "--filter", f"label={labels.RUN}={run_id}", "--filter", "status=paused"]
    return bool(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

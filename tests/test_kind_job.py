"""The main job on a real cluster, as a person runs it; the machine is looked at afterwards."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.model.errors import Exit
from harness.model.stack import Rung
from harness.stack.kind import at_hand
from harness.stack.kind.ground import KEPT
from tests.main_job import Job, closing_connect, left_since, machine_state

pytestmark = [
    pytest.mark.kind,
    pytest.mark.slow,
    pytest.mark.timeout(1800, func_only=True),
    pytest.mark.skipif(not at_hand.docker_answers(), reason="no Docker engine answers"),
    pytest.mark.usefixtures("kind_cluster"),
]
LIMIT_S = 1700  # the first run of a machine builds its images


def in_docker() -> set[str]:
    """What a run could leave: containers and networks by name, anonymous volumes by id."""
    listings = (
        ("ps", "--all", "--format", "container {{.Names}}"),
        ("network", "ls", "--format", "network {{.Name}}"),
        ("volume", "ls", "--format", "volume {{.Name}}"),
    )
    return {
        line
        for words in listings
        for line in subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.splitlines()
    }


def test_week_3_advances_and_leaves_nothing(tmp_path: Path) -> None:
    _week_3_advances(tmp_path, "the kept cluster")


@pytest.mark.nightly
def test_week_3_advances_on_a_cluster_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEPT, "nobody-s")
    _week_3_advances(tmp_path, "creating the cluster")


def _week_3_advances(tmp_path: Path, cluster: str) -> None:
    before, docker = machine_state(), in_docker()
    job = Job(tmp_path / "reports", "--window", "60s", on=Rung.KIND)
    assert job.finish(LIMIT_S) == Exit.OK, job.text
    assert cluster in job.text
    run = job.document()
    assert (run["decision"], run["rung"], run["leaks"]) == ("advance", "kind", [])
    assert "real_kubernetes" in run["capabilities"]
    assert any("node-port" in change for change in run["rung_changes"])
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        metrics = {row[0] for row in evidence.execute("SELECT DISTINCT metric FROM samples")}
        kinds = {row[0] for row in evidence.execute("SELECT DISTINCT kind FROM events")}
    assert {"cpu_cores", "memory_bytes", "replicas", "ready_replicas", "hpa_desired_replicas"} <= metrics
    assert {"pod", "component", "kubernetes", "log"} <= kinds
    assert list((job.folder / "logs").glob("tekutoko-api-*.log"))
    assert left_since(before, job) == {}
    assert {name for name in in_docker() - docker if job.folder.name in name or "run-" in name} == set()


def test_a_planted_fault_rolls_back_on_kind(tmp_path: Path) -> None:
    job = Job(tmp_path / "reports", "--window", "60s", "--fault", "errors=12%", "--fetch-interval", "5s", on=Rung.KIND)
    assert job.finish(LIMIT_S) == Exit.ROLLED_BACK, job.text
    run = job.document()
    assert run["decision"] == "roll_back" and run["leaks"] == []
    assert run["switch_over"]["switched"] == run["switch_over"]["clients"] == 250

"""Experiments on the real local stack, by Chaos Toolkit: judged, undone, journaled; also after a kill -9."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import Exit
from tests.hurried import QUICK_PROBES
from tests.main_job import ROOT, Job, left_since, machine_state, processes_of_runs

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]


def made(reports: Path, *names: str) -> tuple[Job, dict[str, Any]]:
    """The experiments of these names on one stack, all passed or not for this rung; nothing is left. And the report."""
    before = machine_state()
    only = [word for name in names for word in ("--only", name)]
    words = ("--on", "local", *only, *QUICK_PROBES, "--reconcile", "postgresql_to_firestore")
    job = Job(reports, *words, command=("chaos",))
    assert job.finish() == Exit.OK, job.text
    assert left_since(before, job) == {}
    report: dict[str, Any] = json.loads((job.folder / "chaos.json").read_text())
    return job, report


def test_experiments_are_made_judged_and_undone(tmp_path: Path) -> None:
    names = ("pod_kill", "database_cut", "zone_loss", "database_failover")
    job, report = made(tmp_path / "reports", *names)
    kill, cut, zone, failover = report["experiments"]
    assert (kill["verdict"], cut["verdict"], zone["verdict"]) == ("pass", "pass", "not_exercised")
    assert "zones" in zone["reason"]
    assert cut["failed"] > 40 and cut["outage_s"] > 5  # nothing is served without a database
    assert kill["failed"] < 0.1 * kill["calls"]
    for result in (kill, cut):
        journal = json.loads((job.folder / result["journal"]).read_text())
        assert journal["status"] == "completed" and journal["deviated"] is False
        assert [run["status"] for run in journal["run"]] == ["succeeded"] * 2
    assert failover["verdict"] == "pass", failover["reason"]
    took = failover["failover"]
    assert 2.5 < took["detect_s"] < 6 and took["promote_s"] < 10 and took["failed_writes"] > 5
    assert took["detect_s"] <= took["outage_s"] + 1 < 40
    details = {check["name"]: check["detail"] for check in report["checks"]}
    assert ": 0 lost" in details["writes.acknowledged"], "commits waited for the standby"
    checks = {check["name"]: check["verdict"] for check in report["checks"]}
    exercised = {"writes.acknowledged", "writes.applied_once", "reads.acknowledged", "walks.isolation", "reconcile"}
    exercised |= {"dual_write.documents", "service.new_connections"}
    assert {name: checks[name] for name in exercised} == dict.fromkeys(exercised, "pass")
    assert checks["flag.off_in_time"] == "not_exercised"


@pytest.mark.nightly  # the contract drains a stack per push, and one that gets no connection is judged in test_catalogue
def test_a_drain_and_an_exhausted_pool_are_made_judged_and_undone(tmp_path: Path) -> None:
    job, report = made(tmp_path / "reports", "drain", "pool_exhausted")
    drain, exhausted = report["experiments"]
    assert drain["verdict"] == "pass", drain["reason"]
    assert drain["failed"] < 0.1 * drain["calls"]
    assert exhausted["verdict"] == "pass" and exhausted["failed"] > 40
    locked = json.loads((job.folder / exhausted["journal"]).read_text())["run"][0]
    assert locked["output"] == 16, "two pods with pools of 8"
    checks = {check["name"]: check["verdict"] for check in report["checks"]}
    exercised = {"writes.acknowledged", "writes.applied_once", "reads.acknowledged", "pdb.budget", "reconcile"}
    exercised |= {"dual_write.documents"}
    assert {name: checks[name] for name in exercised} == dict.fromkeys(exercised, "pass")


def test_a_fault_of_a_killed_run_is_undone_by_command(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports", "--on", "local", "--only", "pod_hang", *QUICK_PROBES, command=("chaos",))
    job.wait_for("experiment 1 of 1")
    assert _stopped_seen(job), job.text
    job.kill()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "undo"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=90
    )
    assert "pod hang" in done.stdout
    assert left_since(before, job) == {}


def _stopped_seen(job: Job) -> bool:
    """Whether a target of the run is seen stopped within a minute."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for pid in processes_of_runs():
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                run_id = dict(
                    line.partition("=")[::2] for line in Path(f"/proc/{pid}/environ").read_text().split("\0")
                ).get("TEKUTOKO_RUN_ID", "")
            except OSError:
                continue
            if state == "T" and run_id == job.folder.name:
                return True
        time.sleep(0.2)
    return False

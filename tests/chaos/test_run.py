"""Experiments on the real local stack, by Chaos Toolkit: judged, undone, journaled; also after a kill -9."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import english
from harness.model.result import Result
from harness.rehearsals.chaos.rehearsal import REHEARSAL
from harness.run.result import details_of
from tests.hurried import QUICK_PROBES
from tests.main_job import ROOT, Job, left_since, machine_state, processes_of_runs
from tests.rehearsal.made import by_id, judged_again, result_in

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]


def made(reports: Path, *names: str) -> tuple[Job, Result]:
    """The experiments of these names on one stack, all passed or not for this rung; nothing is left. And the result."""
    before = machine_state()
    only = [word for name in names for word in ("--only", name)]
    words = ("--on", "local", *only, *QUICK_PROBES, "--reconcile", "postgresql_to_firestore")
    job = Job(reports, *words, command=("chaos",))
    assert job.finish() == Exit.OK, job.text
    assert left_since(before, job) == {}
    result = result_in(job.folder)
    assert judged_again(REHEARSAL, job.folder) == result.judgements
    return job, result


def failed(judgement: Judgement) -> int:
    assert judgement.value is not None
    return int(judgement.value)


def test_experiments_are_made_judged_and_undone(tmp_path: Path) -> None:
    names = ("pod_kill", "database_cut", "zone_loss", "database_failover")
    job, result = made(tmp_path / "reports", *names)
    kill, cut, zone, failover = (each for each in result.judgements if each.kind is Kind.CRITERION)
    assert (kill.verdict, cut.verdict, zone.verdict) == ("pass", "pass", "not_exercised")
    assert "zones" in zone.reason and not zone.gates
    assert failed(cut) > 40  # nothing is served without a database
    assert failed(kill) < 0.1 * kill.samples
    by_number = {each.number: each for each in details_of(REHEARSAL, result).made}
    for number in (1, 2):
        assert (by_number[number].status, by_number[number].deviated) == ("completed", False)
        journal = json.loads((job.folder / by_number[number].journal).read_text())
        assert [run["status"] for run in journal["run"]] == ["succeeded"] * 2
    assert failover.verdict == "pass", failover.reason
    checks = by_id(result.judgements, "")
    assert ": 0 lost" in checks["writes.acknowledged"].reason, "commits waited for the standby"
    exercised = {"writes.acknowledged", "writes.applied_once", "reads.acknowledged", "walks.isolation", "reconcile"}
    exercised |= {"dual_write.documents", "service.new_connections"}
    assert {name: checks[name].verdict for name in exercised} == dict.fromkeys(exercised, Verdict.PASS)
    assert checks["flag.off_in_time"].verdict is Verdict.NOT_EXERCISED
    (outage,) = (each for each in result.measured if each.name == "outage_s")
    said = re.search(r"detected after ([\d.]+) s, promoted in ([\d.]+) s", english(outage.told))
    assert said is not None and outage.seen is not None
    detected_s, promoted_s = map(float, said.groups())
    assert 2.5 < detected_s < 15 and promoted_s < 10 and detected_s <= outage.seen + 1 < 40


@pytest.mark.nightly  # the contract drains a stack per push, and one that gets no connection is judged in test_catalogue
def test_a_drain_and_an_exhausted_pool_are_made_judged_and_undone(tmp_path: Path) -> None:
    job, result = made(tmp_path / "reports", "drain", "pool_exhausted")
    drain, exhausted = (each for each in result.judgements if each.kind is Kind.CRITERION)
    assert drain.verdict == "pass", drain.reason
    assert failed(drain) < 0.1 * drain.samples
    assert exhausted.verdict == "pass" and failed(exhausted) > 40
    pool = details_of(REHEARSAL, result).made[1]
    locked = json.loads((job.folder / pool.journal).read_text())["run"][0]
    assert locked["output"] == 16, "two pods with pools of 8"
    checks = by_id(result.judgements, "")
    exercised = {"writes.acknowledged", "writes.applied_once", "reads.acknowledged", "pdb.budget", "reconcile"}
    exercised |= {"dual_write.documents"}
    assert {name: checks[name].verdict for name in exercised} == dict.fromkeys(exercised, Verdict.PASS)


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
    """Whether a target of the run is seen stopped within two minutes."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for pid in processes_of_runs():
            try:
                state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]  # a name may be cut amid
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if state == b"T" and f"TEKUTOKO_RUN_ID={job.folder.name}".encode() in variables:
                return True
        time.sleep(0.2)
    return False
